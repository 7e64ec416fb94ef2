"""Pages: each row once, in order, for any size and in both directions."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.connections import Entry, Page, paginate
from ds_provider.sandbox.graphql.cursors import Key, read_cursor, write_cursor
from ds_provider.sandbox.graphql.errors import FieldError, RefusalError, ServerError
from ds_provider.sandbox.world.clock import DAY, iso_second, micros, moment
from tests.support.sandbox_client import LISTS, NOW, Client, page_query

# few instants, so that ties within one microsecond are common
keys = st.lists(st.integers(0, 4), max_size=40).map(
    lambda instants: [Entry(Key(micros(NOW) + at, i), i) for i, at in enumerate(instants)]
)
entries = keys.map(lambda drawn: sorted(drawn, key=lambda entry: entry.key))
sizes = st.integers(1, 12)


def iterate(rows: list[Entry], size: str, number: int, cursor: str, order: str | None = None) -> Iterator[Any]:
    arguments: dict[str, Any] = {size: number}
    if order is not None:
        arguments["order"] = order
    for _ in range(len(rows) + 1):
        page = paginate(rows, arguments)
        yield page
        more = page.has_next if size == "first" else page.has_previous
        if not more:
            return
        edge = page.entries[-1] if size == "first" else page.entries[0]
        arguments[cursor] = write_cursor(edge.key)
    raise AssertionError("the iteration does not end")


@given(entries, sizes)
def test_forward_pages_hold_each_row_once_in_order(rows: list[Entry], size: int) -> None:
    assert [entry for page in iterate(rows, "first", size, "after") for entry in page.entries] == rows


@given(entries, sizes)
def test_backward_pages_hold_each_row_once_and_are_ascending(rows: list[Entry], size: int) -> None:
    pages = [list(page.entries) for page in iterate(rows, "last", size, "before")]
    assert [entry for page in reversed(pages) for entry in page] == rows


@given(entries, sizes)
def test_descending_pages_hold_each_row_once_from_the_newest(rows: list[Entry], size: int) -> None:
    pages = iterate(rows, "first", size, "after", "DESC")
    assert [entry for page in pages for entry in page.entries] == rows[::-1]


@given(entries, sizes, st.data())
def test_rows_that_disappear_do_not_shift_the_next_pages(rows: list[Entry], size: int, data: st.DataObject) -> None:
    page = paginate(rows, {"first": size})
    removed = data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else set()
    left = [entry for i, entry in enumerate(rows) if i not in removed]
    if page.entries:
        cursor = write_cursor(page.entries[-1].key)
        following = paginate(left, {"first": 100, "after": cursor}).entries
        assert list(following) == [entry for entry in left if entry.key > page.entries[-1].key]


@given(entries, sizes, st.data())
def test_page_info_is_that_of_the_api(rows: list[Entry], size: int, data: st.DataObject) -> None:
    """Page info is exact in the direction of iteration, and an approximation in the other."""
    cursor = write_cursor(data.draw(st.sampled_from(rows)).key) if rows else ""
    forward = paginate(rows, {"first": size, "after": cursor})
    assert forward.has_previous is bool(cursor)
    assert forward.has_next is (bool(forward.entries) and forward.entries[-1] != rows[-1])
    backward = paginate(rows, {"last": size, "before": cursor})
    assert backward.has_next is bool(cursor)
    assert backward.has_previous is (bool(backward.entries) and backward.entries[0] != rows[0])
    assert paginate(rows, {"last": size}).has_next is False
    assert paginate(rows, {"first": size}).has_previous is False


@given(entries, sizes, st.data())
def test_first_with_before_means_last_with_before(rows: list[Entry], size: int, data: st.DataObject) -> None:
    if rows:
        cursor = write_cursor(data.draw(st.sampled_from(rows)).key)
        assert paginate(rows, {"first": size, "before": cursor}) == paginate(rows, {"last": size, "before": cursor})
        after = paginate(rows, {"last": size, "after": cursor})
        key = read_cursor(cursor)
        assert key is not None
        assert list(after.entries) == [entry for entry in rows if entry.key > key][-size:]


@given(st.integers(0, micros(NOW) * 2), st.integers(1, 1 << 40))
def test_cursors_keep_microseconds_and_have_no_padding(at: int, number: int) -> None:
    cursor = write_cursor(Key(at, number))
    assert "=" not in cursor
    assert read_cursor(cursor) == Key(at, number)


def test_cursor_has_the_form_of_the_api() -> None:
    decoded = urlsafe_b64decode(write_cursor(Key(micros(NOW) + 42, 7)) + "==").decode()
    assert decoded == "2026-11-24T12:00:00.000042000Z;7"


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("text", ["abc", "12345678", encoded("garbage"), encoded("x;7"), encoded(";7"), encoded("é;3")])
def test_cursor_without_a_date_has_no_row_on_either_side(text: str) -> None:
    rows = [Entry(Key(micros(NOW), i), i) for i in range(5)]
    assert paginate(rows, {"after": text}) == Page([], has_next=False, has_previous=True)
    assert paginate(rows, {"before": text}) == Page([], has_next=True, has_previous=False)


@pytest.mark.parametrize("text", ["!!!", "a", "ab c", "=", "abc==", "é", "123456", "1234567", "AA=A"])
def test_cursor_that_is_no_base64_is_an_error_without_a_code(client: Client, sandbox: Sandbox, text: str) -> None:
    with pytest.raises(FieldError):
        read_cursor(text)
    for name in ("after", "before"):
        response = client.post(page_query("dossiers"), number=sandbox.groupes[0], **{name: text})
        assert (response.status_code, response.json()["data"]) == (200, None)
        path = ["groupeInstructeur", "dossiers", "pageInfo", "hasNextPage"]
        place = {"line": 5, "column": 18}
        error = {"message": f'Invalid input: "{text}"', "locations": [place], "path": path}
        assert response.json()["errors"] == [error]


@pytest.mark.parametrize(
    ("text", "at", "number"),
    [
        ("2026-09-03;3", "2026-09-03T00:00:00+02:00", 3),
        ("2026-09-03", "2026-09-03T00:00:00+02:00", 0),
        ("2026-09-03T10:00:00.000001000Z", "2026-09-03T10:00:00.000001+00:00", 0),
        ("2026-09-03T10:00;12x", "2026-09-03T10:00:00+02:00", 12),
        ("2026-09-03 10:00:00+01:00;x", "2026-09-03T10:00:00+01:00", 0),
        ("20260903;-3;4", "2026-09-03T00:00:00+02:00", -3),
    ],
)
def test_half_a_cursor_is_read_as_far_as_it_goes(text: str, at: str, number: int) -> None:
    assert read_cursor(encoded(text)) == Key(micros(datetime.fromisoformat(at)), number)


@pytest.mark.parametrize("text", ["2026-13-01;3", "2026-02-30;3", "2026-09-03T25:00:00Z;3", "99999999", "x" * 129])
def test_cursor_with_an_impossible_date_is_a_bad_request(text: str) -> None:
    with pytest.raises(RefusalError) as refused:
        read_cursor(encoded(text))
    assert refused.value.status == 400


def test_server_crashes_on_a_cursor_of_separators() -> None:
    with pytest.raises(ServerError):
        read_cursor(encoded(";;"))


@given(st.text(max_size=30), st.sampled_from(["after", "before"]))
def test_any_cursor_gives_a_page_or_an_error_of_the_api(text: str, name: str) -> None:
    rows = [Entry(Key(micros(NOW), i), i) for i in range(5)]
    for cursor in (text, encoded(text)):
        try:
            page = paginate(rows, {name: cursor, "first": 3})
        except (FieldError, RefusalError, ServerError):
            continue
        assert list(page.entries) in ([], rows[:3], rows[2:])


@given(entries, sizes, st.data())
def test_descending_page_before_a_cursor_has_a_next_one(rows: list[Entry], size: int, data: st.DataObject) -> None:
    """With `before` the newest rows of all are read, and `hasNextPage` says that rows lie before."""
    if rows:
        cursor = data.draw(st.sampled_from(rows))
        page = paginate(rows, {"first": size, "before": write_cursor(cursor.key), "order": "DESC"})
        newer = [entry for entry in rows if entry.key > cursor.key]
        assert list(page.entries) == newer[::-1][:size]
        assert (page.has_next, page.has_previous) == (True, False)


@pytest.mark.parametrize("connection", LISTS)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_hold_each_list_of_each_group_completely(client: Client, connection: str, size: int) -> None:
    truth = client.control("truth").json()
    name = {"dossiers": "dossiers", "deletedDossiers": "deleted"}.get(connection, "pending")
    for group in truth["groupes"]:
        found = [row["number"] for row in client.rows(connection, size, number=group["number"])]
        assert sorted(found) == sorted(row["number"] for row in group[name])


def test_dossiers_are_sorted_by_deposit_or_with_updated_since_by_update(client: Client) -> None:
    group = client.control("truth").json()["groupes"][0]
    deposits = sorted((row["depose_at"], row["number"]) for row in group["dossiers"])
    updates = sorted((row["updated_at"], row["number"]) for row in group["dossiers"])
    assert [row["number"] for row in client.rows("dossiers", 7)] == [number for _, number in deposits]
    found = client.rows("dossiers", 7, updatedSince="2000-01-01")
    assert [row["number"] for row in found] == [number for _, number in updates]


def test_deprecated_order_reverses_the_rows(client: Client, sandbox: Sandbox) -> None:
    ascending = [row["number"] for row in client.rows("dossiers", 7)]
    assert [row["number"] for row in client.rows("dossiers", 7, order="DESC")] == ascending[::-1]
    response = client.post(page_query("dossiers", filters=("order",)), number=sandbox.groupes[0], last=3, order="DESC")
    assert response.json()["errors"][0]["extensions"]["code"] == "bad_request"


def test_since_filters_include_their_own_instant(client: Client) -> None:
    group = client.control("truth").json()["groupes"][0]
    for column, name in (("updated_at", "updatedSince"), ("depose_at", "createdSince")):
        middle = sorted(row[column] for row in group["dossiers"])[20]
        found = client.rows("dossiers", **{name: moment(middle).isoformat()})
        expected = {row["number"] for row in group["dossiers"] if row[column] >= middle}
        assert {row["number"] for row in found} == expected


def test_created_since_is_ignored_with_updated_since(client: Client) -> None:
    both = client.rows("dossiers", updatedSince="2000-01-01", createdSince="2100-01-01")
    assert len(list(both)) == len(list(client.rows("dossiers")))


def test_bare_date_means_midnight_in_paris(client: Client) -> None:
    group = client.control("truth").json()["groupes"][0]
    day = "2026-10-13"
    expected = {row["number"] for row in group["dossiers"] if iso_second(row["depose_at"])[:10] >= day}
    assert {row["number"] for row in client.rows("dossiers", createdSince=day)} == expected


def test_filters_on_state_and_archived_combine(client: Client) -> None:
    group = client.control("truth").json()["groupes"][0]
    archived = [row for row in group["dossiers"] if row["archived"]]
    assert archived
    for row in archived:
        found = client.rows("dossiers", state=row["state"], archived=True)
        expected = {each["number"] for each in archived if each["state"] == row["state"]}
        assert {each["number"] for each in found} == expected


def test_deleted_since_filters_by_date_of_deletion(client: Client) -> None:
    group = client.control("truth").json()["groupes"][0]
    since = micros(NOW) - 30 * DAY
    found = client.rows("deletedDossiers", deletedSince=moment(since).isoformat())
    expected = {row["number"] for row in group["deleted"] if row["deleted_at"] >= since}
    assert {row["number"] for row in found} == expected


def test_empty_page_has_no_cursors(client: Client) -> None:
    page = client.page("dossiers", updatedSince="2100-01-01")
    assert page == {
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


def test_first_zero_gives_an_empty_page_with_a_next_one(client: Client) -> None:
    page = client.page("dossiers", first=0)
    assert page["nodes"] == []
    assert page["pageInfo"]["hasNextPage"] is True


def test_page_holds_at_most_a_hundred_rows() -> None:
    with Sandbox(seed=1, groupes=1, dossiers=160, now=NOW, rate_limit=0) as sandbox:
        client = Client(sandbox)
        assert len(client.page("dossiers")["nodes"]) == 100
        assert len(client.page("dossiers", first=150)["nodes"]) == 100


def test_empty_cursor_counts_as_absent(client: Client) -> None:
    assert client.page("dossiers", first=3, after="") == client.page("dossiers", first=3)


def test_edges_hold_the_cursor_of_their_node(client: Client, sandbox: Sandbox) -> None:
    query = (
        "query($n: Int!) { groupeInstructeur(number: $n) { dossiers(first: 3) { edges { cursor node { number } } } } }"
    )
    edges = client.ask(query, n=sandbox.groupes[0])["groupeInstructeur"]["dossiers"]["edges"]
    following = client.page("dossiers", first=1, after=edges[1]["cursor"])
    assert following["nodes"] == [edges[2]["node"]]


def test_demarche_lists_rows_of_all_groups_and_rows_without_one(client: Client, sandbox: Sandbox) -> None:
    query = """query($n: Int!) { demarche(number: $n) {
        dossiers { nodes { number } } deletedDossiers { nodes { number } } } }"""
    truth, found = client.control("truth").json(), client.ask(query, n=sandbox.demarche)["demarche"]
    rows = sorted(
        (row for group in truth["groupes"] for row in group["dossiers"]),
        key=lambda row: (row["depose_at"], row["number"]),
    )
    assert [row["number"] for row in found["dossiers"]["nodes"]] == [row["number"] for row in rows[:100]]
    orphans = {row["number"] for row in truth["deleted_without_groupe"]}
    assert orphans
    assert orphans <= {row["number"] for row in found["deletedDossiers"]["nodes"]}


def test_dossiers_of_a_demarche_are_filtered_by_revision(client: Client, sandbox: Sandbox) -> None:
    query = """query($n: Int!, $r: ID, $low: ID, $high: ID) { demarche(number: $n) {
        revisions { id }
        dossiers(revision: $r, minRevision: $low, maxRevision: $high) { nodes { demarche { revision { id } } } } } }"""
    revisions = [one["id"] for one in client.ask(query, n=sandbox.demarche)["demarche"]["revisions"]]

    def found(**filters: str) -> set[str]:
        answer = client.ask(query, n=sandbox.demarche, **filters)["demarche"]["dossiers"]["nodes"]
        return {node["demarche"]["revision"]["id"] for node in answer}

    assert found(r=revisions[1]) == {revisions[1]}
    assert found(low=revisions[1]) == {revisions[1], revisions[2]}
    assert found(high=revisions[1]) == {revisions[0], revisions[1]}
