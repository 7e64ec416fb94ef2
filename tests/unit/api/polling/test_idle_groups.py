"""A group is idle only if that is certain, for few requests, and no group's failure is another's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from graphql import parse, validate
from graphql.language import Lexer, Source, TokenKind
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.idle_groups import MAX_BATCH, build_query
from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.messages import Exchange, Request, TransportFailure
from ds_provider.exceptions import DSEndpointError, DSTokenError, DSTokenExpiredError
from ds_provider.sandbox.graphql.complexity import Cost
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import schema
from tests.support.batched_groups import Groupes, ask, at, found, parts_of, refused, rows, selection
from tests.support.flows import response

# few distinct dates, so that rows stand on, before and after each bound, within the same second too
offsets = st.integers(0, 24).map(lambda n: 0.25 * n)
windows = st.tuples(offsets, st.none() | offsets).map(
    lambda bounds: (bounds[0], bounds[1] if bounds[1] is None or bounds[1] > bounds[0] else bounds[0] + 1.5)
)
failures = st.sampled_from(
    [
        refused("not_found"),
        refused("unauthorized"),
        refused("timeout", "Timeout on Query.groupeInstructeur"),
        refused("internal_server_error"),
        refused("nobody knows"),
        response({"data": {"groupeInstructeur": None}}),
        response({"data": {"groupeInstructeur": {"dossiers": None}}}),
        response({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [None]}}}}),
        response({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": None}}}}),
        response({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": True}, "nodes": []}}}}),
        response({"data": {"groupeInstructeur": {"dossiers": {"nodes": []}}}}),
        response({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [{}]}}}}),
        response(status=502, body=b"<html>"),
        response(body=b"{"),
        TransportFailure("dropped", sent=True),
    ]
)
worlds = st.lists(
    st.tuples(st.lists(offsets, max_size=4), windows, st.none() | st.none() | failures), min_size=2, max_size=30
)


@given(worlds, st.sampled_from(["created", "updated"]), st.sampled_from(["ASC", "DESC"]))
def test_a_group_with_a_row_in_its_window_or_an_error_is_never_idle(world, column, order):
    service = Groupes(
        {groupe: rows(*offsets) for groupe, (offsets, _, _) in enumerate(world, 1)},
        {groupe: failure for groupe, (_, _, failure) in enumerate(world, 1) if failure},
    )
    selections = [selection(i, *window, column=column, order=order) for i, (_, window, _) in enumerate(world, 1)]

    idle = found(ask(selections, service))

    assert not idle & service.fails.keys()
    for groupe in idle:
        offsets, (start, end), _ = world[groupe - 1]
        assert not [offset for offset in offsets if start <= offset and (end is None or offset < end)]


@given(worlds)
def test_every_group_without_a_row_at_whole_seconds_is_idle(world):
    service = Groupes({groupe: rows(*offsets) for groupe, (offsets, _, _) in enumerate(world, 1)})
    selections = [selection(i, *window) for i, (_, window, _) in enumerate(world, 1)]

    drive = ask(selections, service)

    def shows_a_row(offsets, start, end):
        first = min((offset for offset in offsets if offset >= start), default=None)
        return first is not None and (end is None or int(first) < end)

    busy = {groupe for groupe, (offsets, window, _) in enumerate(world, 1) if shows_a_row(offsets, *window)}
    assert found(drive) == set(range(1, len(world) + 1)) - busy
    assert len(drive.requests) == 1


def test_a_row_before_the_window_but_within_the_lookback_is_read():
    window = Window("updated", at(100), at(200), lookback=timedelta(seconds=30))
    selections = [select_dossiers(groupe, window=window) for groupe in (1, 2, 3)]
    assert found(ask(selections, Groupes({1: rows(80), 2: rows(60, 300)}))) == {2, 3}


@pytest.mark.parametrize(("since", "other"), [("createdSince", "updatedSince"), ("updatedSince", "createdSince")])
def test_each_group_is_asked_with_its_own_filters(since, other):
    column = since.removesuffix("Since")
    asked = {"column": column, "state": "accepte", "archived": False}
    drive = ask([selection(7, 5, **asked), selection(8, 6, column=column)], Groupes())
    (request,) = drive.requests
    seven, eight = (part.request.variables for part in parts_of(request))
    first = {"first": 1, since: "2026-11-01T08:00:05+00:00"}
    assert seven == first | {"number": 7, "state": "accepte", "archived": False}
    assert eight == first | {"number": 8, since: "2026-11-01T08:00:06+00:00"}
    assert other not in eight


def test_one_request_covers_a_hundred_groups():
    changed = {17, 58, 99}
    drive = ask([selection(groupe) for groupe in range(1, 101)], Groupes({groupe: rows(5) for groupe in changed}))
    assert found(drive) == set(range(1, 101)) - changed
    assert len(drive.requests) == 1


@pytest.mark.parametrize(("groupes", "requests"), [(2, 1), (100, 1), (101, 2), (250, 3), (1000, 10)])
def test_large_lists_are_split_into_even_requests(groupes, requests):
    drive = ask([selection(groupe) for groupe in range(1, groupes + 1)], Groupes())
    assert found(drive) == set(range(1, groupes + 1))
    assert len(drive.requests) == requests
    sizes = [len(list(parts_of(request))) for request in drive.requests]
    assert sum(sizes) == groupes
    assert max(sizes) <= MAX_BATCH
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("code", ["not_found", "unauthorized"])
def test_a_group_that_is_not_shown_is_left_out_and_the_others_are_asked_again(code):
    not_found = {3: refused(code), 40: refused(code), 99: refused(code)}
    drive = ask([selection(groupe) for groupe in range(1, 101)], Groupes({5: rows(5)}, not_found))
    assert found(drive) == set(range(1, 101)) - {3, 5, 40, 99}
    assert len(drive.requests) == 4


def test_a_group_with_a_null_row_is_not_idle_and_the_others_keep_their_results():
    null = {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [None]}}
    error = {
        "message": "Cannot return null",
        "extensions": {"code": "invalid_null"},
        "path": ["g", "dossiers", "nodes", 0],
    }
    holed = response({"data": {"groupeInstructeur": null}, "errors": [error]})
    drive = ask([selection(groupe) for groupe in (1, 2, 3)], Groupes({3: rows(5)}, {2: holed}))
    assert found(drive) == {1}
    assert len(drive.requests) == 1


@pytest.mark.parametrize("code", ["timeout", "internal_server_error", "nobody knows", None])
def test_a_failure_that_may_be_the_services_leaves_all_groups_unknown(code):
    path = ["g2", "dossiers", "pageInfo", "hasNextPage"]
    error = {"message": "Timeout on PageInfo.hasNextPage", "path": path, "extensions": {"code": code}}
    empty = {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": []}}
    partial = response({"data": {"g0": empty, "g1": empty, "g2": None}, "errors": [error]})
    assert found(ask([selection(groupe) for groupe in (1, 2, 3)], lambda request: partial)) == set()


def first_then_empty(*exchanges: Any) -> Any:
    """Give these in turn, and then the responses of a service without any row."""
    waiting = list(exchanges)
    return lambda request: waiting.pop(0) if waiting else Groupes()(request)


TOO_COMPLEX = response({"errors": [{"message": "Query has complexity of 9, which exceeds max complexity of 8"}]})
TOO_MUCH = {
    "complexity": TOO_COMPLEX,
    "timeout": refused("timeout", "Timeout on Query.groupeInstructeur"),
    "server error": response({"errors": [], "data": None}, status=500),
    "bad gateway": response(status=502, body=b"<html>"),
    "cut": response(body=b'{"data": {"g0"'),
    "dropped": TransportFailure("dropped", sent=True),
}


@pytest.mark.parametrize("failure", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_batch_that_may_be_too_large_is_halved(failure):
    drive = ask([selection(groupe) for groupe in range(1, 11)], first_then_empty(failure))
    assert found(drive) == set(range(1, 11))
    assert [len(list(parts_of(request))) for request in drive.requests] == [10, 5, 5]
    assert len(drive.pauses) == 1


@pytest.mark.parametrize("failure", TOO_MUCH.values(), ids=TOO_MUCH)
def test_failures_in_a_row_end_the_requests(failure):
    drive = ask([selection(groupe) for groupe in range(1, 1001)], lambda request: failure)
    assert found(drive) == set()
    assert len(drive.requests) == 3


def test_idle_groups_found_before_a_lasting_failure_are_kept():
    whole = Groupes()
    drive = ask(
        [selection(groupe) for groupe in range(1, 201)],
        lambda request: whole(request) if request.variables["number0"] == 1 else TransportFailure("dropped", sent=True),
    )
    assert found(drive) == set(range(1, 101))


def test_a_group_that_fails_the_service_costs_a_tenth_of_the_requests_at_most():
    drive = ask([selection(groupe) for groupe in range(1, 101)], Groupes(fails={42: response(status=500, body=b"{}")}))
    assert len(found(drive)) >= 90
    assert 42 not in found(drive)
    assert len(drive.requests) <= 10


def test_a_token_without_rights_on_any_group_is_not_asked_for_each():
    drive = ask([selection(groupe) for groupe in range(1, 101)], lambda request: refused_first(request, "unauthorized"))
    assert found(drive) == set()
    assert len(drive.requests) <= 10


def refused_first(request: Request, code: str) -> Exchange:
    return response({"data": None, "errors": [{"message": "hidden", "extensions": {"code": code}, "path": ["g0"]}]})


@pytest.mark.parametrize(
    "failure",
    [
        refused("not_found"),
        refused("bad_request"),
        response({"data": None}),
        response({"data": None, "errors": [{"message": "?", "extensions": {"code": "not_found"}, "path": ["g77"]}]}),
        response({"errors": [{"message": "Field 'x' doesn't exist on type 'Query'"}]}),
        response({"error": "maintenance"}, status=503),
    ],
    ids=["no path", "bad request", "null", "foreign path", "invalid", "maintenance"],
)
def test_a_failure_that_no_smaller_batch_avoids_ends_the_requests(failure):
    drive = ask([selection(groupe) for groupe in range(1, 11)], lambda request: failure)
    assert found(drive) == set()
    assert len(drive.requests) == 1


def test_a_spent_rate_limit_is_waited_out():
    refusal = response(status=429, body=b"Calme toi", ratelimit_reset="1100", date="Thu, 01 Jan 1970 00:16:40 GMT")
    drive = ask([selection(1), selection(2)], first_then_empty(refusal, refusal))
    assert found(drive) == {1, 2}
    assert [len(list(parts_of(request))) for request in drive.requests] == [2, 2, 2]
    assert all(pause.seconds >= 100 for pause in drive.pauses)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (response({"errors": [{"message": "Token expired"}]}, status=401), DSTokenExpiredError),
        (response({"errors": [{"message": "hm", "extensions": {"code": "forbidden"}}]}, status=403), DSTokenError),
        (response(status=404, body=b"<html>"), DSEndpointError),
    ],
    ids=["expired", "forbidden", "no API"],
)
def test_an_error_that_is_the_same_for_all_is_raised_at_once(refusal, kind):
    drive = ask([selection(1), selection(2)], lambda request: refusal)
    assert isinstance(drive.error, kind)
    assert len(drive.requests) == 1


@pytest.mark.parametrize(
    "selections",
    [
        [],
        [selection(1)],
        [select_dossiers(1), select_dossiers(2)],
        [select_dossiers(n, window=Window("created", end=at(5))) for n in (1, 2)],
        [select_deleted_dossiers(n, deleted_since=at(5)) for n in (1, 2)],
    ],
    ids=["none", "one", "whole groups", "open below", "deletions"],
)
def test_no_request_is_sent_if_none_can_be_saved(selections):
    drive = ask(selections, Groupes())
    assert found(drive) == set()
    assert drive.requests == []


@pytest.mark.parametrize("count", [2, MAX_BATCH])
def test_the_query_is_valid_in_the_schema(count):
    assert validate(schema(), parse(build_query(count))) == []


def test_the_largest_query_is_well_within_the_limits():
    text = build_query(MAX_BATCH)
    document = read_document(text)
    variables = {f"number{i}": i for i in range(MAX_BATCH)}
    operation = document.operation(None)
    measured = Cost(Compiler(document, variables, RESOLVERS, type_of)).measure(operation, variables)
    assert measured.complexity <= 60_000 // 10
    assert measured.page_size == 1
    assert tokens_in(text) <= 20_000 // 2


def tokens_in(text: str) -> int:
    lexer = Lexer(Source(text))
    count = 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    return count


def test_groups_are_matched_by_alias_and_not_by_order():
    def backwards(request: Request) -> Exchange:
        body = json.loads(Groupes({1: rows(5)})(request).body)
        return response({"data": dict(reversed(body["data"].items()))})

    assert found(ask([selection(1), selection(2)], backwards)) == {2}
