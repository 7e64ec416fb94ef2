"""Each list gets its own answer or its own error, for few requests, whatever ails the others."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.latest import MAX_QUESTIONS, MAX_ROWS, LatestQuery, fetch_latest, request
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
from tests.support.combined_answers import at as instant
from tests.support.combined_answers import refused
from tests.support.flows import Drive, reply
from tests.support.lists import Lists, parts_of, row
from tests.unit.api.polling.test_idle_groups import tokens_in
from tests.unit.api.query.test_documents import SCHEMA_FILE

STREAMS = (DOSSIERS, DELETED_DOSSIERS, PENDING_DELETED_DOSSIERS)


def question(groupe: int, last: int = 10, stream: Any = DOSSIERS, **more: Any) -> LatestQuery:
    return LatestQuery(Selection(stream, groupe, **more), last)


def ask(questions: list[LatestQuery], service: Lists) -> dict[LatestQuery, Any]:
    def flow() -> Any:
        yield (yield from fetch_latest(questions))

    drive = Drive(flow(), service)
    assert drive.error is None, repr(drive.error)
    (answers,) = drive.given
    return dict(answers)


def test_the_newest_rows_of_each_list_come_in_one_request():
    service = Lists()
    service.holds(1, *(row(n, n) for n in range(1, 30)))
    service.holds(2, row(50, 3), stream=PENDING_DELETED_DOSSIERS)
    service.holds(2, row(51, 2), row(52, 4), stream=DELETED_DOSSIERS)
    asked = [question(1, 3), question(2, 5, PENDING_DELETED_DOSSIERS), question(2, 5, DELETED_DOSSIERS), question(3)]

    dossiers, pending, deleted, nothing = ask(asked, service).values()

    assert [one.number for one in dossiers.rows] == [27, 28, 29]
    assert dossiers.earlier is not None
    assert [one.number for one in pending.rows] == [50]
    assert [one.number for one in deleted.rows] == [51, 52]
    assert deleted.earlier is None
    assert nothing.rows == []
    assert len(service.requests) == 1


def test_the_cursor_leads_to_the_rows_before():
    service = Lists()
    service.holds(1, *(row(n, n) for n in range(1, 10)))
    (newest,) = ask([question(1, 4)], service).values()
    (earlier,) = ask([question(1, 4)._replace(before=newest.earlier)], service).values()
    assert [one.number for one in earlier.rows] == [2, 3, 4, 5]


def test_each_list_is_asked_with_its_own_filters_and_no_more():
    service = Lists()
    window = Window("updated", start=instant(5))
    ask([question(1, 10, state="accepte", window=window), question(2, 20, PENDING_DELETED_DOSSIERS)], service)
    first, second = (part.arguments for part in parts_of(service.requests[0]))
    assert first == {"number": 1, "last": 10, "state": "accepte", "updatedSince": "2026-11-01T08:00:05+00:00"}
    assert second == {"number": 2, "last": 20}


@pytest.mark.parametrize(("groupes", "requests"), [(1, 1), (100, 1), (101, 2), (200, 2), (1000, 10)])
def test_a_hundred_lists_go_into_a_request(groupes, requests):
    service = Lists()
    assert len(ask([question(n) for n in range(1, groupes + 1)], service)) == groupes
    assert len(service.requests) == requests


def test_a_request_asks_for_no_more_rows_than_the_service_bears():
    service = Lists()
    ask([question(n, 100) for n in range(1, 101)], service)
    assert {len(list(parts_of(one))) * 100 for one in service.requests} == {MAX_ROWS, 2000}


@pytest.mark.parametrize(("code", "kind"), [("not_found", DSNotFoundError), ("unauthorized", DSUnauthorizedError)])
def test_a_group_that_is_gone_gets_its_own_error_and_the_others_their_rows(code, kind):
    service = Lists(fails={3: refused(code), 8: refused(code)})
    for groupe in range(1, 11):
        service.holds(groupe, row(groupe * 100, 5))
    answers = ask([question(n) for n in range(1, 11)], service)
    for asked, answer in answers.items():
        groupe = asked.selection.groupe_instructeur_number
        if groupe in (3, 8):
            assert type(answer) is kind
            assert f"groupe instructeur number {groupe}" in str(answer)
        else:
            assert [one.number for one in answer.rows] == [groupe * 100]
    assert len(service.requests) <= 1 + 2 * 2


ODD = {
    "a null row": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [None]}},
    "no rows": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": None}},
    "no list": {},
    "a null group": None,
    "no number": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [{}]}},
    "no date": {"dossiers": {"pageInfo": {"hasNextPage": False}, "nodes": [{"number": 5}]}},
    "no way on": {"dossiers": {"pageInfo": {"hasNextPage": False, "hasPreviousPage": True}, "nodes": []}},
}


@pytest.mark.parametrize("groupe", ODD.values(), ids=ODD)
def test_an_answer_with_holes_is_no_answer_and_says_nothing_of_the_others(groupe):
    service = Lists(fails={2: reply({"data": {"groupeInstructeur": groupe}})})
    service.holds(1, row(100, 5))
    whole, odd = ask([question(1), question(2)], service).values()
    assert [one.number for one in whole.rows] == [100]
    assert isinstance(odd, DSTransientError)


LASTING_FOR_ALL = {
    "expired": (reply({"errors": [{"message": "Token expired"}]}, status=401), DSTokenExpiredError),
    "no API": (reply(status=404, body=b"<html>"), DSEndpointError),
    "maintenance": (reply({"error": "fermé"}, status=503), DSMaintenanceError),
    "dropped": (TransportFailure("dropped", sent=True), DSTransportError),
}


@pytest.mark.parametrize(("failure", "kind"), LASTING_FOR_ALL.values(), ids=LASTING_FOR_ALL)
def test_what_is_wrong_for_all_is_found_out_once(failure, kind):
    service = Lists(failure=lambda request: failure)
    answers = ask([question(n) for n in range(1, 301)], service)
    assert {type(answer) for answer in answers.values()} == {kind}
    assert len(answers) == 300
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [refused("timeout", "Timeout on Query.groupeInstructeur"), reply(status=500, body=b"{}"), reply(body=b"{")],
    ids=["timeout", "server error", "cut"],
)
def test_a_list_on_which_the_service_fails_is_found_among_a_hundred(failure):
    service = Lists(fails={42: failure})
    answers = ask([question(n) for n in range(1, 101)], service)
    failed = {one.selection.groupe_instructeur_number for one, answer in answers.items() if isinstance(answer, DSError)}
    assert failed == {42}
    assert len(service.requests) <= 16


@pytest.mark.parametrize("failure", [reply(status=502, body=b"<html>"), refused("bad_request", "no such field")])
def test_a_service_that_fails_whatever_it_is_asked_is_soon_let_be(failure):
    service = Lists(failure=lambda request: failure)
    answers = ask([question(n) for n in range(1, 301)], service)
    assert len(answers) == 300
    assert all(isinstance(answer, DSTransientError) for answer in answers.values()), "it lasts for one, maybe"
    assert len(service.requests) == 5


def test_what_is_wrong_with_one_question_alone_is_told_as_it_is():
    service = Lists(failure=lambda request: refused("bad_request", "no such state"))
    (answer,) = ask([question(7)], service).values()
    assert type(answer) is DSRequestError


def test_a_spent_rate_limit_is_waited_out():
    refusals = [reply(status=429, body=b"Calme toi", ratelimit_reset="1", date="Thu, 01 Jan 1970 00:00:00 GMT")] * 2
    service = Lists(failure=lambda request: refusals.pop() if refusals else None)
    service.holds(1, row(5, 5))
    (answer,) = ask([question(1)], service).values()
    assert [one.number for one in answer.rows] == [5]


def test_a_rate_limit_that_stays_spent_is_told():
    refusal = reply(status=429, body=b"Calme toi")
    answers = ask([question(1), question(2)], Lists(failure=lambda request: refusal))
    assert {type(answer) for answer in answers.values()} == {DSRateLimitedError}


failures = st.sampled_from(
    [
        refused("not_found"),
        refused("unauthorized"),
        refused("timeout", "Timeout on Query.groupeInstructeur"),
        refused("internal_server_error"),
        refused("nobody knows"),
        reply(status=502, body=b"<html>"),
        *(reply({"data": {"groupeInstructeur": groupe}}) for groupe in ODD.values()),
    ]
)


@given(st.dictionaries(st.integers(1, 40), failures, max_size=3), st.integers(2, 40))
def test_no_list_takes_anothers_answer(fails, groupes):
    service = Lists(fails=fails)
    for groupe in range(1, groupes + 1):
        service.holds(groupe, row(groupe * 100, 5))
    answers = ask([question(n) for n in range(1, groupes + 1)], service)
    assert len(answers) == groupes
    for asked, answer in answers.items():
        groupe = asked.selection.groupe_instructeur_number
        if isinstance(answer, DSError):
            # where many fail the rest may go unanswered, which passes
            assert groupe in fails or isinstance(answer, DSTransientError)
        else:
            assert groupe not in fails
            assert [one.number for one in answer.rows] == [groupe * 100]


def test_a_null_is_told_as_an_answer_with_holes():
    told = {"message": "Cannot return null", "extensions": {"code": "invalid_null"}, "path": ["g", "dossiers"]}
    holed = reply({"data": {"groupeInstructeur": ODD["a null row"]}, "errors": [told]})
    whole, odd = ask([question(1), question(2)], Lists(fails={2: holed})).values()
    assert whole.rows == []
    assert isinstance(odd, DSIncompletePageError | DSServerError)


@pytest.mark.parametrize("streams", [STREAMS[:1], STREAMS[1:2], STREAMS[1:], STREAMS])
def test_the_question_is_a_query_of_the_service(streams):
    text = request([question(n, 10, stream) for n, stream in enumerate(streams, 1)]).query
    assert validate(build_schema(SCHEMA_FILE.read_text(encoding="utf-8")), parse(text)) == []


@pytest.mark.parametrize(("last", "count"), [(10, MAX_QUESTIONS), (100, MAX_ROWS // 100)])
@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_the_largest_question_is_well_within_what_the_service_allows(stream, last, count):
    asked = request([question(n, last, stream) for n in range(1, count + 1)])
    document = read_document(asked.query)
    variables = dict(asked.variables)
    measured = Cost(Compiler(document, variables, RESOLVERS, type_of)).measure(document.operation(None), variables)
    assert measured.complexity <= 60_000 // 2
    assert tokens_in(asked.query) <= 20_000 // 2
