"""A group is called idle where that is certain, for few requests, and no group's failure is another's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from graphql import build_schema, parse, validate
from graphql.language import Lexer, Source, TokenKind
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.idle_groups import MAX_BATCH, question
from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.messages import Exchange, Request, TransportFailure
from ds_provider.exceptions import DSEndpointError, DSTokenError, DSTokenExpiredError
from ds_provider.sandbox.graphql.complexity import Cost
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from tests.support.combined_answers import Groupes, ask, at, found, parts_of, refused, rows, selection
from tests.support.flows import reply
from tests.unit.api.query.test_documents import SCHEMA_FILE

# few distinct moments, so that rows stand on, before and behind each bound, within the same second too
moments = st.integers(0, 24).map(lambda n: 0.25 * n)
windows = st.tuples(moments, st.none() | moments).map(
    lambda bounds: (bounds[0], bounds[1] if bounds[1] is None or bounds[1] > bounds[0] else bounds[0] + 1.5)
)
failures = st.sampled_from(
    [
        refused("not_found"),
        refused("unauthorized"),
        refused("timeout", "Timeout on Query.groupeInstructeur"),
        refused("internal_server_error"),
        refused("nobody knows"),
        reply({"data": {"groupeInstructeur": None}}),
        reply({"data": {"groupeInstructeur": {"dossiers": None}}}),
        reply({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [None]}}}}),
        reply({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": None}}}}),
        reply({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": True}, "nodes": []}}}}),
        reply({"data": {"groupeInstructeur": {"dossiers": {"nodes": []}}}}),
        reply({"data": {"groupeInstructeur": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [{}]}}}}),
        reply(status=502, body=b"<html>"),
        reply(body=b"{"),
        TransportFailure("dropped", sent=True),
    ]
)
worlds = st.lists(
    st.tuples(st.lists(moments, max_size=4), windows, st.none() | st.none() | failures), min_size=2, max_size=30
)


@given(worlds, st.sampled_from(["created", "updated"]), st.sampled_from(["ASC", "DESC"]))
def test_no_group_is_idle_that_has_a_row_in_its_window_or_fails(world, column, order):
    service = Groupes(
        {groupe: rows(*moments) for groupe, (moments, _, _) in enumerate(world, 1)},
        {groupe: failure for groupe, (_, _, failure) in enumerate(world, 1) if failure},
    )
    selections = [selection(i, *window, column=column, order=order) for i, (_, window, _) in enumerate(world, 1)]

    idle = found(ask(selections, service))

    assert not idle & service.fails.keys()
    for groupe in idle:
        moments, (start, end), _ = world[groupe - 1]
        assert not [moment for moment in moments if start <= moment and (end is None or moment < end)]


@given(worlds)
def test_without_failures_every_group_of_which_whole_seconds_tell_it_is_idle(world):
    service = Groupes({groupe: rows(*moments) for groupe, (moments, _, _) in enumerate(world, 1)})
    selections = [selection(i, *window) for i, (_, window, _) in enumerate(world, 1)]

    drive = ask(selections, service)

    def shows_a_row(moments, start, end):
        first = min((moment for moment in moments if moment >= start), default=None)
        return first is not None and (end is None or int(first) < end)

    busy = {groupe for groupe, (moments, window, _) in enumerate(world, 1) if shows_a_row(moments, *window)}
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


def test_a_hundred_groups_of_which_three_changed_are_told_by_one_request():
    changed = {17, 58, 99}
    drive = ask([selection(groupe) for groupe in range(1, 101)], Groupes({groupe: rows(5) for groupe in changed}))
    assert found(drive) == set(range(1, 101)) - changed
    assert len(drive.requests) == 1


@pytest.mark.parametrize(("groupes", "requests"), [(2, 1), (100, 1), (101, 2), (250, 3), (1000, 10)])
def test_more_groups_than_a_request_may_name_are_several_requests(groupes, requests):
    drive = ask([selection(groupe) for groupe in range(1, groupes + 1)], Groupes())
    assert found(drive) == set(range(1, groupes + 1))
    assert len(drive.requests) == requests
    sizes = [len(list(parts_of(request))) for request in drive.requests]
    assert sum(sizes) == groupes
    assert max(sizes) <= MAX_BATCH
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("code", ["not_found", "unauthorized"])
def test_a_group_that_is_gone_is_left_out_and_the_others_are_asked_about_again(code):
    gone = {3: refused(code), 40: refused(code), 99: refused(code)}
    drive = ask([selection(groupe) for groupe in range(1, 101)], Groupes({5: rows(5)}, gone))
    assert found(drive) == set(range(1, 101)) - {3, 5, 40, 99}
    assert len(drive.requests) == 4


def test_a_null_row_is_no_absence_of_rows_and_says_nothing_of_the_other_groups():
    null = {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [None]}}
    told = {
        "message": "Cannot return null",
        "extensions": {"code": "invalid_null"},
        "path": ["g", "dossiers", "nodes", 0],
    }
    holed = reply({"data": {"groupeInstructeur": null}, "errors": [told]})
    drive = ask([selection(groupe) for groupe in (1, 2, 3)], Groupes({3: rows(5)}, {2: holed}))
    assert found(drive) == {1}
    assert len(drive.requests) == 1


@pytest.mark.parametrize("code", ["timeout", "internal_server_error", "nobody knows", None])
def test_a_failure_that_may_not_be_one_groups_own_leaves_the_others_uncertain_too(code):
    path = ["g2", "dossiers", "pageInfo", "hasNextPage"]
    told = {"message": "Timeout on PageInfo.hasNextPage", "path": path, "extensions": {"code": code}}
    empty = {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": []}}
    partial = reply({"data": {"g0": empty, "g1": empty, "g2": None}, "errors": [told]})
    assert found(ask([selection(groupe) for groupe in (1, 2, 3)], lambda request: partial)) == set()


def answers(*exchanges: Any) -> Any:
    """Gives these in turn, and then what a service without any row does."""
    waiting = list(exchanges)
    return lambda request: waiting.pop(0) if waiting else Groupes()(request)


TOO_COMPLEX = reply({"errors": [{"message": "Query has complexity of 9, which exceeds max complexity of 8"}]})
TOO_MUCH = {
    "complexity": TOO_COMPLEX,
    "timeout": refused("timeout", "Timeout on Query.groupeInstructeur"),
    "server error": reply({"errors": [], "data": None}, status=500),
    "bad gateway": reply(status=502, body=b"<html>"),
    "cut": reply(body=b'{"data": {"g0"'),
    "dropped": TransportFailure("dropped", sent=True),
}


@pytest.mark.parametrize("failure", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_may_be_too_much_is_asked_by_halves(failure):
    drive = ask([selection(groupe) for groupe in range(1, 11)], answers(failure))
    assert found(drive) == set(range(1, 11))
    assert [len(list(parts_of(request))) for request in drive.requests] == [10, 5, 5]
    assert len(drive.pauses) == 1


@pytest.mark.parametrize("failure", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_service_that_goes_on_failing_is_soon_let_be(failure):
    drive = ask([selection(groupe) for groupe in range(1, 1001)], lambda request: failure)
    assert found(drive) == set()
    assert len(drive.requests) == 3


def test_what_is_known_before_it_fails_for_good_stays_known():
    whole = Groupes()
    drive = ask(
        [selection(groupe) for groupe in range(1, 201)],
        lambda request: whole(request) if request.variables["number0"] == 1 else TransportFailure("dropped", sent=True),
    )
    assert found(drive) == set(range(1, 101))


def test_a_group_on_which_the_service_itself_fails_costs_no_more_than_a_tenth_of_all():
    drive = ask([selection(groupe) for groupe in range(1, 101)], Groupes(fails={42: reply(status=500, body=b"{}")}))
    assert len(found(drive)) >= 90
    assert 42 not in found(drive)
    assert len(drive.requests) <= 10


def test_a_token_without_rights_on_any_group_is_not_asked_for_each():
    drive = ask([selection(groupe) for groupe in range(1, 101)], lambda request: refused_first(request, "unauthorized"))
    assert found(drive) == set()
    assert len(drive.requests) <= 10


def refused_first(request: Request, code: str) -> Exchange:
    return reply({"data": None, "errors": [{"message": "hidden", "extensions": {"code": code}, "path": ["g0"]}]})


@pytest.mark.parametrize(
    "failure",
    [
        refused("not_found"),
        refused("bad_request"),
        reply({"data": None}),
        reply({"data": None, "errors": [{"message": "?", "extensions": {"code": "not_found"}, "path": ["g77"]}]}),
        reply({"errors": [{"message": "Field 'x' doesn't exist on type 'Query'"}]}),
        reply({"error": "maintenance"}, status=503),
    ],
    ids=["no path", "bad request", "null", "foreign path", "invalid", "maintenance"],
)
def test_what_no_smaller_question_helps_against_is_not_asked_again(failure):
    drive = ask([selection(groupe) for groupe in range(1, 11)], lambda request: failure)
    assert found(drive) == set()
    assert len(drive.requests) == 1


def test_a_spent_rate_limit_is_waited_out():
    refusal = reply(status=429, body=b"Calme toi", ratelimit_reset="1100", date="Thu, 01 Jan 1970 00:16:40 GMT")
    drive = ask([selection(1), selection(2)], answers(refusal, refusal))
    assert found(drive) == {1, 2}
    assert [len(list(parts_of(request))) for request in drive.requests] == [2, 2, 2]
    assert all(pause.seconds >= 100 for pause in drive.pauses)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (reply({"errors": [{"message": "Token expired"}]}, status=401), DSTokenExpiredError),
        (reply({"errors": [{"message": "hm", "extensions": {"code": "forbidden"}}]}, status=403), DSTokenError),
        (reply(status=404, body=b"<html>"), DSEndpointError),
    ],
    ids=["expired", "forbidden", "no API"],
)
def test_what_is_wrong_for_all_is_told_at_once(refusal, kind):
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
def test_where_there_is_nothing_to_save_nothing_is_asked(selections):
    drive = ask(selections, Groupes())
    assert found(drive) == set()
    assert drive.requests == []


@pytest.mark.parametrize("count", [2, MAX_BATCH])
def test_the_question_is_a_query_of_the_service(count):
    assert validate(build_schema(SCHEMA_FILE.read_text(encoding="utf-8")), parse(question(count))) == []


def test_the_largest_question_is_well_within_what_the_service_allows():
    text = question(MAX_BATCH)
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


def test_the_answer_is_known_by_alias_and_not_by_order():
    def backwards(request: Request) -> Exchange:
        body = json.loads(Groupes({1: rows(5)})(request).body)
        return reply({"data": dict(reversed(body["data"].items()))})

    assert found(ask([selection(1), selection(2)], backwards)) == {2}
