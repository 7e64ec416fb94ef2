"""Each query gets its own result or its own error, for few requests, whatever fails beside it."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse, validate
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.latest import MAX_BATCH, MAX_ROWS, LatestQuery, build_request, fetch_latest
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSNotFoundError,
    DSRateLimitedError,
    DSRequestError,
    DSServerError,
    DSTokenExpiredError,
    DSTransientError,
    DSTransportError,
    DSUnauthorizedError,
)
from ds_provider.sandbox.graphql.complexity import Cost
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import schema
from tests.support.batched_groups import at as instant
from tests.support.batched_groups import parts_of, refused
from tests.support.flows import Drive, response
from tests.support.stream_service import StreamService, row
from tests.unit.api.polling.test_idle_groups import tokens_in

STREAMS = (DOSSIERS, DELETED_DOSSIERS, PENDING_DELETED_DOSSIERS)


def query(groupe: int, last: int = 10, stream: Any = DOSSIERS, **more: Any) -> LatestQuery:
    return LatestQuery(Selection(stream, groupe, **more), last)


def ask(queries: list[LatestQuery], service: StreamService) -> dict[LatestQuery, Any]:
    def flow() -> Any:
        yield (yield from fetch_latest(queries))

    drive = Drive(flow(), service)
    assert drive.error is None, repr(drive.error)
    (results,) = drive.results
    return dict(results)


def test_one_request_brings_the_newest_rows_of_each_stream():
    service = StreamService()
    service.holds(1, *(row(n, n) for n in range(1, 30)))
    service.holds(2, row(50, 3), stream=PENDING_DELETED_DOSSIERS)
    service.holds(2, row(51, 2), row(52, 4), stream=DELETED_DOSSIERS)
    asked = [query(1, 3), query(2, 5, PENDING_DELETED_DOSSIERS), query(2, 5, DELETED_DOSSIERS), query(3)]

    dossiers, pending, deleted, nothing = ask(asked, service).values()

    assert [one.number for one in dossiers.rows] == [27, 28, 29]
    assert dossiers.earlier is not None
    assert [one.number for one in pending.rows] == [50]
    assert [one.number for one in deleted.rows] == [51, 52]
    assert deleted.earlier is None
    assert nothing.rows == []
    assert len(service.requests) == 1


def test_the_cursor_leads_to_earlier_rows():
    service = StreamService()
    service.holds(1, *(row(n, n) for n in range(1, 10)))
    (newest,) = ask([query(1, 4)], service).values()
    (earlier,) = ask([query(1, 4)._replace(before=newest.earlier)], service).values()
    assert [one.number for one in earlier.rows] == [2, 3, 4, 5]


def test_each_query_has_only_its_own_filters():
    service = StreamService()
    window = Window("updated", start=instant(5))
    ask([query(1, 10, state="accepte", window=window), query(2, 20, PENDING_DELETED_DOSSIERS)], service)
    first, second = (part.request.variables for part in parts_of(service.requests[0]))
    assert first == {"number": 1, "last": 10, "state": "accepte", "updatedSince": "2026-11-01T08:00:05+00:00"}
    assert second == {"number": 2, "last": 20}


@pytest.mark.parametrize(("groupes", "requests"), [(1, 1), (100, 1), (101, 2), (200, 2), (1000, 10)])
def test_a_request_holds_a_hundred_queries(groupes, requests):
    service = StreamService()
    assert len(ask([query(n) for n in range(1, groupes + 1)], service)) == groupes
    assert len(service.requests) == requests


def test_a_request_asks_for_a_bounded_number_of_rows():
    service = StreamService()
    ask([query(n, 100) for n in range(1, 101)], service)
    assert {len(list(parts_of(one))) * 100 for one in service.requests} == {MAX_ROWS, 2000}


@pytest.mark.parametrize(("code", "kind"), [("not_found", DSNotFoundError), ("unauthorized", DSUnauthorizedError)])
def test_a_group_that_is_not_shown_gets_its_own_error_and_the_others_their_rows(code, kind):
    service = StreamService(fails={3: refused(code), 8: refused(code)})
    for groupe in range(1, 11):
        service.holds(groupe, row(groupe * 100, 5))
    results = ask([query(n) for n in range(1, 11)], service)
    for asked, result in results.items():
        groupe = asked.selection.groupe_instructeur_number
        if groupe in (3, 8):
            assert type(result) is kind
            assert f"groupe instructeur number {groupe}" in str(result)
        else:
            assert [one.number for one in result.rows] == [groupe * 100]
    assert len(service.requests) <= 1 + 2 * 2


ODD = {
    "a null row": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [None]}},
    "no rows": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": None}},
    "no connection": {},
    "a null group": None,
    "no number": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [{}]}},
    "no date": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [{"number": 5}]}},
    "no way on": {"dossiers": {"pageInfo": {"hasNextPage": False, "hasPreviousPage": True}, "nodes": []}},
}


@pytest.mark.parametrize("groupe", ODD.values(), ids=ODD)
def test_an_incomplete_group_is_an_error_and_the_others_keep_their_rows(groupe):
    service = StreamService(fails={2: response({"data": {"groupeInstructeur": groupe}})})
    service.holds(1, row(100, 5))
    whole, odd = ask([query(1), query(2)], service).values()
    assert [one.number for one in whole.rows] == [100]
    assert isinstance(odd, DSTransientError)


LASTING_FOR_ALL = {
    "expired": (response({"errors": [{"message": "Token expired"}]}, status=401), DSTokenExpiredError),
    "no API": (response(status=404, body=b"<html>"), DSEndpointError),
    "maintenance": (response({"error": "fermé"}, status=503), DSMaintenanceError),
    "dropped": (TransportFailure("dropped", sent=True), DSTransportError),
}


@pytest.mark.parametrize(("failure", "kind"), LASTING_FOR_ALL.values(), ids=LASTING_FOR_ALL)
def test_an_error_that_is_the_same_for_all_costs_one_request(failure, kind):
    service = StreamService(failure=lambda request: failure)
    results = ask([query(n) for n in range(1, 301)], service)
    assert {type(result) for result in results.values()} == {kind}
    assert len(results) == 300
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [refused("timeout", "Timeout on Query.groupeInstructeur"), response(status=500, body=b"{}"), response(body=b"{")],
    ids=["timeout", "server error", "cut"],
)
def test_a_stream_that_fails_the_service_is_found_by_halves(failure):
    service = StreamService(fails={42: failure})
    results = ask([query(n) for n in range(1, 101)], service)
    failed = {one.selection.groupe_instructeur_number for one, result in results.items() if isinstance(result, DSError)}
    assert failed == {42}
    assert len(service.requests) <= 16


@pytest.mark.parametrize("failure", [response(status=502, body=b"<html>"), refused("bad_request", "no such field")])
def test_a_service_that_always_fails_is_given_up_after_five_requests(failure):
    service = StreamService(failure=lambda request: failure)
    results = ask([query(n) for n in range(1, 301)], service)
    assert len(results) == 300
    assert all(isinstance(result, DSTransientError) for result in results.values()), "it lasts for one, maybe"
    assert len(service.requests) == 5


def test_a_single_query_gets_its_error_unchanged():
    service = StreamService(failure=lambda request: refused("bad_request", "no such state"))
    (result,) = ask([query(7)], service).values()
    assert type(result) is DSRequestError


def test_a_spent_rate_limit_is_waited_out():
    refusals = [response(status=429, body=b"Calme toi", ratelimit_reset="1", date="Thu, 01 Jan 1970 00:00:00 GMT")] * 2
    service = StreamService(failure=lambda request: refusals.pop() if refusals else None)
    service.holds(1, row(5, 5))
    (result,) = ask([query(1)], service).values()
    assert [one.number for one in result.rows] == [5]


def test_a_rate_limit_that_stays_spent_is_an_error():
    refusal = response(status=429, body=b"Calme toi")
    results = ask([query(1), query(2)], StreamService(failure=lambda request: refusal))
    assert {type(result) for result in results.values()} == {DSRateLimitedError}


failures = st.sampled_from(
    [
        refused("not_found"),
        refused("unauthorized"),
        refused("timeout", "Timeout on Query.groupeInstructeur"),
        refused("internal_server_error"),
        refused("nobody knows"),
        response(status=502, body=b"<html>"),
        *(response({"data": {"groupeInstructeur": groupe}}) for groupe in ODD.values()),
    ]
)


@given(st.dictionaries(st.integers(1, 40), failures, max_size=3), st.integers(2, 40))
def test_no_query_gets_the_result_of_another(fails, groupes):
    service = StreamService(fails=fails)
    for groupe in range(1, groupes + 1):
        service.holds(groupe, row(groupe * 100, 5))
    results = ask([query(n) for n in range(1, groupes + 1)], service)
    assert len(results) == groupes
    for asked, result in results.items():
        groupe = asked.selection.groupe_instructeur_number
        if isinstance(result, DSError):
            # where many fail the rest may go unanswered, which passes
            assert groupe in fails or isinstance(result, DSTransientError)
        else:
            assert groupe not in fails
            assert [one.number for one in result.rows] == [groupe * 100]


def test_an_invalid_null_is_an_incomplete_result():
    error = {"message": "Cannot return null", "extensions": {"code": "invalid_null"}, "path": ["g", "dossiers"]}
    holed = response({"data": {"groupeInstructeur": ODD["a null row"]}, "errors": [error]})
    whole, odd = ask([query(1), query(2)], StreamService(fails={2: holed})).values()
    assert whole.rows == []
    assert isinstance(odd, DSIncompletePageError | DSServerError)


@pytest.mark.parametrize("streams", [STREAMS[:1], STREAMS[1:2], STREAMS[1:], STREAMS])
def test_the_query_is_valid_in_the_schema(streams):
    text = build_request([query(n, 10, stream) for n, stream in enumerate(streams, 1)]).query
    assert validate(schema(), parse(text)) == []


@pytest.mark.parametrize(("last", "count"), [(10, MAX_BATCH), (100, MAX_ROWS // 100)])
@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_the_largest_query_is_well_within_the_limits(stream, last, count):
    asked = build_request([query(n, last, stream) for n in range(1, count + 1)])
    document = read_document(asked.query)
    variables = dict(asked.variables)
    measured = Cost(Compiler(document, variables, RESOLVERS, type_of)).measure(document.operation(None), variables)
    assert measured.complexity <= 60_000 // 2
    assert tokens_in(asked.query) <= 20_000 // 2
