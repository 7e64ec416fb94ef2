"""The reader yields each row of a window once and in order, with one request more than pages at most."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import msgspec
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.reader import read
from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.messages import Request, Response, TransportFailure
from ds_provider.exceptions import (
    DSIncompletePageError,
    DSMalformedResponseError,
    DSServerError,
    DSTimeoutError,
    DSUnauthorizedError,
)
from tests.support.connection_model import Connection, Stored
from tests.support.flows import Drive, response

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)

# few distinct moments, so that ties in one microsecond and in one second are common
moments = st.integers(0, 12).map(lambda n: START + timedelta(microseconds=250_000 * n + (n % 3)))
worlds = st.lists(moments, max_size=30).map(lambda dates: [Stored(i + 1, date) for i, date in enumerate(dates)])
bounds = st.one_of(st.none(), moments.map(pendulum.instance))


def numbers(drive: Drive) -> list[int]:
    return [row.head.number for page in drive.results for row in page.rows]


@given(
    worlds, bounds, bounds, st.integers(1, 7), st.sampled_from(["ASC", "DESC"]), st.sampled_from(["created", "updated"])
)
def test_reader_yields_exactly_the_rows_of_a_window(world, start, end, page_size, order, column):
    if start and end and start >= end:
        start, end = end, start + timedelta(seconds=9)
    window = Window(column, start, end) if start or end else None
    selection = select_dossiers(7, window=window, order=order, page_size=page_size)

    drive = Drive(read(selection), Connection(world))

    inside = [row for row in world if (start is None or row.date >= start) and (end is None or row.date < end)]
    expected = [row.number for row in sorted(inside, key=lambda row: row.key)]
    assert drive.error is None
    assert numbers(drive) == (expected if order == "ASC" else expected[::-1])
    fraction = bool(end and end.microsecond and order == "ASC")
    assert len(drive.requests) <= max(1, -(-len(expected) // page_size)) + 1 + fraction


@given(worlds, st.integers(1, 7), st.integers(0, 40))
def test_reader_begins_after_a_cursor(world, page_size, at):
    ordered = sorted(world, key=lambda row: row.key)
    at = min(at, len(ordered) - 1)
    if at < 0:
        return
    for order, expected in (("ASC", ordered[at + 1 :]), ("DESC", ordered[:at][::-1])):
        selection = select_dossiers(7, order=order, page_size=page_size, after=ordered[at].cursor)
        drive = Drive(read(selection), Connection(world))
        assert numbers(drive) == [row.number for row in expected]


def world_of(count: int) -> list[Stored]:
    return [Stored(n, START + timedelta(seconds=n)) for n in range(1, count + 1)]


class Failing:
    """Connection whose chosen requests fail, by their position from 1 on."""

    def __init__(self, world, failures):
        self.connection = Connection(world)
        self.failures = failures
        self.asked = 0

    def __call__(self, request: Request):
        self.asked += 1
        failure = self.failures.get(self.asked)
        return failure(self.connection(request)) if failure else self.connection(request)


def null_node(whole: Response) -> Response:
    body = json.loads(whole.body)
    body["data"]["groupeInstructeur"]["dossiers"]["nodes"][0] = None
    return response(body)


def timeout_with_data(whole: Response) -> Response:
    body = json.loads(whole.body)
    body["data"]["groupeInstructeur"]["dossiers"]["nodes"][-1]["champs"] = None
    body["errors"] = [
        {"message": "Timeout on Dossier.champs", "extensions": {"code": "timeout"}},
        {"message": "Timeout on Dossier.avis"},
    ]
    return response(body)


def cut(whole: Response) -> Response:
    return Response(200, whole.headers, whole.body[: len(whole.body) // 2])


def leads_nowhere(whole: Response) -> Response:
    body = json.loads(whole.body)
    body["data"]["groupeInstructeur"]["dossiers"]["pageInfo"].update(hasNextPage=True, endCursor=None)
    return response(body)


def emptied(whole: Response) -> Response:
    body = json.loads(whole.body)
    content = body["data"]["groupeInstructeur"]["dossiers"]
    content["nodes"] = []
    content["pageInfo"]["hasNextPage"] = True
    return response(body)


def twice(whole: Response) -> Response:
    body = json.loads(whole.body)
    nodes = body["data"]["groupeInstructeur"]["dossiers"]["nodes"]
    nodes[1:2] = nodes[:1]
    return response(body)


def of_another_group(whole: Response) -> Response:
    body = json.loads(whole.body)
    body["data"]["groupeInstructeur"]["dossiers"]["nodes"][0]["groupeInstructeur"] = {"number": 9}
    return response(body)


FAULTS = {
    "a dossier twice": twice,
    "a dossier of another group": of_another_group,
    "emptied, with a cursor": emptied,
    "null node": null_node,
    "timeout with data": timeout_with_data,
    "cut body": cut,
    "leads nowhere": leads_nowhere,
    "dropped": lambda whole: TransportFailure("dropped", sent=True),
    "bad gateway": lambda whole: response(status=502, body=b"<html>"),
    "internal error": lambda whole: response(
        {"errors": [{"message": "x", "extensions": {"code": "internal_server_error", "exception_id": "e1"}}]},
        status=500,
    ),
    "null group": lambda whole: response({"data": {"groupeInstructeur": None}}),
    "null connection": lambda whole: response({"data": {"groupeInstructeur": {"dossiers": None}}}),
    "null nodes": lambda whole: response(
        {
            "data": {
                "groupeInstructeur": {
                    "dossiers": {
                        "nodes": None,
                        "pageInfo": {
                            "hasNextPage": False,
                            "hasPreviousPage": False,
                            "startCursor": None,
                            "endCursor": None,
                        },
                    }
                }
            }
        }
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_transient_fault_costs_requests_and_no_rows(fault):
    world = world_of(25)
    drive = Drive(read(select_dossiers(7, page_size=10)), Failing(world, {2: fault, 3: fault}))
    assert drive.error is None
    assert numbers(drive) == [row.number for row in world]
    assert len(drive.requests) <= 3 + 2 + 6, "two failures, and the failed page in parts"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_lasting_fault_raises_an_error_with_its_context(fault):
    every = dict.fromkeys(range(2, 100), fault)
    drive = Drive(read(select_dossiers(7, page_size=10)), Failing(world_of(25), every))
    assert drive.error is not None
    assert drive.error.groupe_instructeur_number == 7
    assert drive.error.stream == "dossiers"
    assert drive.error.cursor == world_of(25)[9].cursor
    assert numbers(drive) == list(range(1, 11)), "only the page before the fault was yielded"


@pytest.mark.parametrize(("order", "end"), [("ASC", START + timedelta(microseconds=5)), ("DESC", START)])
def test_error_of_the_search_for_a_windows_end_names_that_window(order, end):
    window = Window("updated", pendulum.instance(START.replace(hour=1)), pendulum.instance(end))
    failing = Failing(world_of(5), dict.fromkeys(range(1, 100), FAULTS["internal error"]))
    drive = Drive(read(select_dossiers(7, window=window, order=order)), failing)
    assert isinstance(drive.error, DSServerError)
    assert drive.error.window == str(window)


def test_internal_error_keeps_the_reference_for_support():
    every = dict.fromkeys(range(1, 100), FAULTS["internal error"])
    drive = Drive(read(select_dossiers(7)), Failing(world_of(5), every))
    assert isinstance(drive.error, DSServerError)
    assert drive.error.exception_id == "e1"
    assert "e1" in str(drive.error)


def test_reader_reduces_pages_that_time_out():
    connection = Connection(world_of(60))

    def slow(request: Request) -> Response:
        if request.variables["first"] > 12:
            return response(
                {"data": None, "errors": [{"message": "Timeout on Query.x", "extensions": {"code": "timeout"}}]}
            )
        return connection(request)

    drive = Drive(read(select_dossiers(7, page_size=40)), slow)
    assert drive.error is None
    assert numbers(drive) == list(range(1, 61))


def test_reader_halves_a_page_that_is_too_complex_at_once():
    connection = Connection(world_of(60))

    def complex(request: Request) -> Response:
        if request.variables["first"] > 12:
            return response({"errors": [{"message": "Query has complexity of 9, which exceeds max complexity of 8"}]})
        return connection(request)

    drive = Drive(read(select_dossiers(7, page_size=40)), complex)
    assert drive.error is None
    assert numbers(drive) == list(range(1, 61))
    assert drive.pauses == []


def test_timeout_of_each_page_size_is_raised():
    drive = Drive(
        read(select_dossiers(7)),
        lambda request: response({"data": None, "errors": [{"message": "Timeout on Query.groupeInstructeur"}]}),
    )
    assert isinstance(drive.error, DSTimeoutError)


def test_lost_access_is_raised_at_once():
    lost = {"data": None, "errors": [{"message": "hidden due to permissions", "extensions": {"code": "unauthorized"}}]}
    drive = Drive(read(select_dossiers(7, page_size=10)), Failing(world_of(25), {2: lambda whole: response(lost)}))
    assert isinstance(drive.error, DSUnauthorizedError)
    assert drive.pauses == []


def test_unauthorized_link_leaves_the_page_whole():
    def unauthorized(whole: Response) -> Response:
        body = json.loads(whole.body)
        path = ["groupeInstructeur", "dossiers", "nodes", 3, "champs", 5, "dossier"]
        body["errors"] = [{"message": "hidden", "path": path, "extensions": {"code": "unauthorized"}}]
        return response(body)

    drive = Drive(read(select_dossiers(7)), Failing(world_of(25), {1: unauthorized}))
    assert drive.error is None
    assert numbers(drive) == list(range(1, 26))


def test_row_on_several_lines_becomes_one_line():
    def pretty(whole: Response) -> Response:
        return Response(200, whole.headers, json.dumps(json.loads(whole.body), indent=2).encode())

    drive = Drive(read(select_dossiers(7)), Failing(world_of(3), {1: pretty}))
    rows = [row.raw for page in drive.results for row in page.rows]
    assert len(rows) == 3
    assert not any(b"\n" in raw for raw in rows)
    assert [msgspec.json.decode(raw)["number"] for raw in rows] == [1, 2, 3]


def test_row_without_its_date_raises_in_a_window():
    def dateless(whole: Response) -> Response:
        body = json.loads(whole.body)
        body["data"]["groupeInstructeur"]["dossiers"]["nodes"][-1]["dateDepot"] = None
        return response(body)

    window = Window("created", end=pendulum.instance(START + timedelta(hours=1)))
    every = dict.fromkeys(range(1, 100), dateless)
    drive = Drive(read(select_dossiers(7, window=window)), Failing(world_of(5), every))
    assert isinstance(drive.error, DSMalformedResponseError)


def test_reader_keeps_the_wanted_revision_and_reads_all_pages():
    connection = Connection(world_of(25))

    def revised(request: Request) -> Response:
        body = json.loads(connection(request).body)
        for node in body["data"]["groupeInstructeur"]["dossiers"]["nodes"]:
            node["demarche"] = {"revision": {"id": "odd" if node["number"] % 2 else "even"}}
        return response(body)

    drive = Drive(read(select_dossiers(7, page_size=10, revision="odd")), revised)
    assert numbers(drive) == list(range(1, 26, 2))
    assert all("revision" not in json.loads(request.body)["variables"] for request in drive.requests)


def test_deletions_are_read_from_their_date_on():
    world = world_of(25)
    since = (START + timedelta(seconds=11)).isoformat()
    selection = select_deleted_dossiers(7, deleted_since=since, page_size=10)
    drive = Drive(read(selection), Connection(world, "deletedDossiers"))
    assert numbers(drive) == list(range(11, 26))


def test_empty_group_is_one_request_and_one_empty_page():
    drive = Drive(read(select_dossiers(7)), Connection([]))
    assert len(drive.requests) == 1
    assert [page.rows for page in drive.results] == [[]]
    assert drive.error is None


def test_null_node_is_never_yielded():
    drive = Drive(read(select_dossiers(7)), lambda request: null_node(Connection(world_of(3))(request)))
    assert isinstance(drive.error, DSIncompletePageError)
    assert drive.results == []


def test_descending_read_includes_a_dossier_that_moves_up():
    world = world_of(25)
    connection = Connection(world)

    def changing(request: Request) -> Response:
        whole = connection(request)
        if request.variables.get("before"):
            moved = Stored(3, START + timedelta(minutes=5))
            connection.rows = sorted([row for row in connection.rows if row.number != 3] + [moved], key=lambda r: r.key)
        return whole

    window = Window("updated", start=pendulum.instance(START))
    drive = Drive(read(select_dossiers(7, window=window, order="DESC", page_size=10)), changing)
    assert drive.error is None
    assert set(numbers(drive)) == set(range(1, 26))


def test_page_that_goes_back_is_not_yielded():
    pages = {2: lambda whole: Connection(world_of(25))(Request("", {"first": 10})), 3: None}
    drive = Drive(read(select_dossiers(7, page_size=10)), Failing(world_of(25), pages))
    assert drive.error is None
    assert numbers(drive) == list(range(1, 26))
    assert len(drive.pauses) == 1


@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize("column", ["created", "updated"])
def test_server_sorts_by_the_date_of_the_window(column, order):
    window = Window(column, end=pendulum.instance(START + timedelta(seconds=5)))
    drive = Drive(read(select_dossiers(7, window=window, order=order)), Connection(world_of(9)))
    sorts = {"updatedSince" in request.variables for request in drive.requests}
    assert sorts == {column == "updated"}
    assert sorted(numbers(drive)) == [1, 2, 3, 4]


@pytest.mark.parametrize("end", [None, START + timedelta(minutes=1)], ids=["open", "bounded"])
def test_row_that_changes_between_sort_and_response_does_not_end_the_read(end):
    def changed(whole: Response) -> Response:
        body = json.loads(whole.body)
        later = (START + timedelta(days=9)).isoformat()
        body["data"]["groupeInstructeur"]["dossiers"]["nodes"][-1]["dateDerniereModification"] = later
        return response(body)

    window = Window("updated", pendulum.instance(START), pendulum.instance(end) if end else None)
    drive = Drive(read(select_dossiers(7, window=window, page_size=10)), Failing(world_of(25), {1: changed}))
    assert drive.error is None
    assert set(numbers(drive)) >= set(range(1, 26)) - {10}
