"""Rows of the hook come page by page, selected by each parameter."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ds_provider.exceptions import (
    DSConfigurationError,
    DSQuarantinedError,
    DSUnauthorizedError,
    DSUnreadableValueError,
)
from ds_provider.hooks.ds import DSHook
from tests.support.connection_model import Stored
from tests.support.hook_service import refused

DATES = {"dateDepot": "2026-11-01T08:00:00+01:00", "dateDerniereModification": "2026-11-02T08:00:00+01:00"}

CURSOR = Stored(9, datetime(2026, 11, 1, tzinfo=timezone.utc)).cursor


def page(connection: str, *numbers: int, more: bool, backwards: bool = False) -> dict[str, Any]:
    first, last = (f"c{numbers[0]}", f"c{numbers[-1]}") if numbers else (None, None)
    info = {
        "hasNextPage": more and not backwards,
        "hasPreviousPage": more and backwards,
        "startCursor": first,
        "endCursor": last,
    }
    nodes = [{"number": number, **DATES, "dateSupression": "2026-11-03T08:00:00+01:00"} for number in numbers]
    return {"data": {"groupeInstructeur": {connection: {"pageInfo": info, "nodes": nodes}}}}


STREAMS = {
    "iter_dossiers": "dossiers",
    "iter_deleted_dossiers": "deletedDossiers",
    "iter_pending_deleted_dossiers": "pendingDeletedDossiers",
}


@pytest.mark.parametrize(("method", "connection"), STREAMS.items())
def test_rows_come_page_by_page_as_the_api_sends_them(service, method, connection):
    service.will_respond(page(connection, 1, 2, more=True), page(connection, 3, more=False))
    rows = list(getattr(DSHook(), method)(7, page_size=2))
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert rows[0]["dateDepot"] == DATES["dateDepot"]
    assert [(asked["number"], asked["first"], asked.get("after")) for asked in service.variables] == [
        (7, 2, None),
        (7, 2, "c2"),
    ]


@pytest.mark.parametrize(("method", "connection"), STREAMS.items())
def test_rows_come_from_the_newest_in_descending_order(service, method, connection):
    service.will_respond(page(connection, 2, 3, more=True, backwards=True), page(connection, 1, more=False))
    rows = getattr(DSHook(), method)(7, page_size=2, order="DESC")
    assert [row["number"] for row in rows] == [3, 2, 1]
    assert [(asked["last"], asked.get("before")) for asked in service.variables] == [(2, None), (2, "c2")]


def test_bound_that_loses_deletions_is_a_warning(service, caplog):
    service.will_respond(page("deletedDossiers", more=False))
    assert list(DSHook().iter_deleted_dossiers(7, deleted_since=datetime.now(timezone.utc))) == []
    assert "loses deletions" in caplog.text


@pytest.mark.parametrize(("method", "connection"), STREAMS.items())
def test_rows_begin_after_a_cursor(service, method, connection):
    service.will_respond(page(connection, more=False))
    assert list(getattr(DSHook(), method)(7, after=CURSOR)) == []
    assert service.variables[0]["after"] == CURSOR


@pytest.mark.parametrize("method", STREAMS)
@pytest.mark.parametrize("after", ["c9", "12345", "RG9zc2llci0x"])
def test_cursor_that_is_none_is_refused_before_any_request(service, method, after):
    with pytest.raises(DSConfigurationError, match="after must be a cursor"):
        getattr(DSHook(), method)(7, after=after)
    assert service.requests == []


@pytest.mark.parametrize(("method", "connection"), STREAMS.items())
def test_page_is_requested_only_when_its_first_row_is_wanted(service, method, connection):
    service.will_respond(page(connection, 1, 2, more=True), page(connection, 3, more=False))
    rows = getattr(DSHook(), method)(7, page_size=2)
    assert service.requests == []
    assert next(rows)["number"] == 1
    rows.close()
    assert len(service.requests) == 1


def test_dossiers_are_selected_by_each_parameter(service):
    service.will_respond(page("dossiers", more=False))
    rows = DSHook().iter_dossiers(
        "7",
        updated_since="2026-11-01T00:00:00+01:00",
        state="accepte",
        archived=False,
        include_messages=True,
        include_champs=False,
    )
    assert list(rows) == []
    asked = service.variables[0]
    assert asked["updatedSince"] == "2026-10-31T23:00:00+00:00"
    assert (asked["state"], asked["archived"]) == ("accepte", False)
    assert (asked["includeMessages"], asked["includeChamps"]) == (True, False)
    assert "createdSince" not in asked


def test_deletions_are_selected_by_their_date(service):
    service.will_respond(page("deletedDossiers", more=False))
    assert list(DSHook().iter_deleted_dossiers(7, deleted_since="2026-11-01T00:00:00Z")) == []
    assert service.variables[0]["deletedSince"] == "2026-11-01T00:00:00+00:00"


BAD = [
    {"created_since": "2026-11-01"},
    {"page_size": 101},
    {"order": "up"},
    {"state": "brouillon"},
    {"archived": "maybe"},
    {"include_champs": "maybe"},
    {"created_since": "2026-11-01T00:00:00Z", "updated_until": "2026-11-02T00:00:00Z"},
]


@pytest.mark.parametrize("given", BAD, ids=lambda given: "-".join(given))
def test_invalid_parameter_is_refused_before_any_request(service, given):
    with pytest.raises(DSConfigurationError, match=next(iter(given))):
        DSHook().iter_dossiers(7, **given)
    assert service.requests == []


def test_error_of_a_page_comes_after_earlier_rows_with_its_cursor(service):
    service.will_respond(page("dossiers", 1, 2, more=True), refused("hidden due to permissions", "unauthorized"))
    rows = DSHook().iter_dossiers(7, page_size=2)
    assert [next(rows)["number"], next(rows)["number"]] == [1, 2]
    with pytest.raises(DSUnauthorizedError) as caught:
        next(rows)
    assert (caught.value.groupe_instructeur_number, caught.value.stream, caught.value.cursor) == (7, "dossiers", "c2")


@pytest.mark.parametrize(("method", "connection"), STREAMS.items())
def test_rows_with_a_value_that_is_no_json_are_named_after_all_others(service, capsys, method, connection):
    whole = page(connection, 1, 2, 3, more=False)
    nodes = whole["data"]["groupeInstructeur"][connection]["nodes"]
    nodes[0]["x"], nodes[1]["x"] = "a\ud800", float("nan")
    service.will_respond(whole)
    rows = []
    with pytest.raises(DSQuarantinedError, match="no JSON") as caught:
        rows.extend(getattr(DSHook(), method)(7))
    assert [(row["number"], row.get("x")) for row in rows] == [(1, "a\ufffd"), (3, None)]
    assert caught.value.numbers == [2]
    assert len(service.requests) == 1
    assert "1 text of 1 dossier (1) held" in capsys.readouterr().out


def test_run_repairs_texts_and_names_another_value_that_is_no_json(service):
    service.will_respond({"data": {"a": "\ud800"}}, {"data": {"a": float("-inf")}})
    assert DSHook().run("{ a }") == {"a": "\ufffd"}
    with pytest.raises(DSUnreadableValueError, match="'-Infinity'"):
        DSHook().run("{ a }")
    assert len(service.requests) == 2
