"""Dossiers asked for by number: each is told once, many in a request, and none hides another."""

from __future__ import annotations

from collections import Counter

import pytest
from graphql import build_schema, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.paging.by_number import MAX_BATCH, fetch_by_number, fetch_by_numbers, question
from ds_provider.api.query import documents
from ds_provider.api.query.parameters import select_dossiers, select_numbers
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSError,
    DSIncompletePageError,
    DSMalformedAnswerError,
    DSServerError,
    DSTokenError,
    DSTransportError,
    DSUnauthorizedError,
)
from ds_provider.sandbox.graphql.complexity import Cost
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from tests.support.flows import Drive, reply
from tests.support.numbered_dossiers import HIDDEN, Dossiers, asked_for, internal_error, node, timeout
from tests.unit.api.polling.test_idle_groups import tokens_in
from tests.unit.api.query.test_documents import SCHEMA_FILE


def ask(service, *numbers: int, **asked) -> Drive:
    return Drive(fetch_by_numbers(select_dossiers(7, **asked), numbers), service)


def rows(drive: Drive) -> list[int]:
    return [row.head.number for page in drive.given for row in page.rows]


def told(drive: Drive, what: str) -> list[int]:
    return [number for page in drive.given for number in getattr(page, what)]


def culprits(drive: Drive) -> list[int]:
    return [record.number for page in drive.given for record in page.quarantined]


fates = st.sampled_from(["shown"] * 6 + ["gone", "foreign", "nulled", "poison"])


@settings(deadline=None, max_examples=60)
@given(st.lists(fates, max_size=80), st.integers(1, 60))
def test_each_number_is_told_once(world, largest):
    by_fate = {fate: {n for n, one in enumerate(world, 1) if one == fate} for fate in set(world)}
    service = Dossiers(
        by_fate.get("gone", set()),
        by_fate.get("foreign", set()),
        by_fate.get("nulled", set()),
        by_fate.get("poison", set()),
        largest,
    )
    drive = ask(service, *range(1, len(world) + 1))
    if isinstance(drive.error, DSUnauthorizedError):
        assert service.foreign
    elif isinstance(drive.error, DSServerError):
        assert len(service.poison) > 5
    else:
        assert drive.error is None
        everything = Counter([*rows(drive), *told(drive, "gone"), *told(drive, "foreign"), *culprits(drive)])
        assert everything == Counter(range(1, len(world) + 1))
        assert set(told(drive, "gone")) == service.gone
        assert set(told(drive, "foreign")) == service.foreign
        assert set(culprits(drive)) == service.nulled | service.poison
    if not drive.error:
        assert sum(page.requests for page in drive.given) == len(drive.requests)


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (50, 1), (51, 2), (500, 10)])
def test_fifty_are_asked_for_in_a_request(count, requests):
    drive = ask(Dossiers(), *range(1, count + 1))
    assert rows(drive) == list(range(1, count + 1))
    assert len(drive.requests) == requests == sum(page.requests for page in drive.given)


def test_a_number_given_twice_is_asked_for_once():
    assert rows(ask(Dossiers(), 5, 6, 5)) == [5, 6]


def test_a_row_is_handed_on_as_it_was_sent():
    drive = ask(lambda request: reply(body=b'{"data": {"d0": {"number": 5,\n "x": 1.50}}}'), 5)
    assert [row.raw for page in drive.given for row in page.rows] == [b'{"number":5,"x":1.50}']


@pytest.mark.parametrize("fate", ["gone", "foreign"])
def test_what_is_not_to_be_had_costs_one_request_each(fate):
    service = Dossiers(**{fate: {3, 40}})
    drive = ask(service, *range(1, 51))
    assert told(drive, fate) == [3, 40]
    assert rows(drive) == [n for n in range(1, 51) if n not in (3, 40)]
    assert [len(batch) for batch in service.batches] == [50, 49, 48]
    assert service.alone == []


def test_a_dossier_that_holds_a_bad_null_is_a_culprit_and_costs_the_others_one_request():
    service = Dossiers(nulled={12})
    drive = ask(service, *range(1, 51))
    (record,) = [record for page in drive.given for record in page.quarantined]
    assert (record.number, record.code) == (12, "invalid_null")
    assert [len(batch) for batch in service.batches] == [50, 49]
    assert set(service.alone) == {12}


@pytest.mark.parametrize("culprit", [1, 2, 25, 26, 50])
def test_a_dossier_that_fails_the_service_is_found_by_halves(culprit):
    drive = ask(Dossiers(poison={culprit}), *range(1, 101))
    (record,) = [record for page in drive.given for record in page.quarantined]
    assert (record.number, record.code, record.exception_id) == (culprit, "internal_server_error", "e-1")
    assert sorted(rows(drive)) == [n for n in range(1, 101) if n != culprit]
    # a batch that fails is tried twice, the halvings of 50 are six, and the dossier itself is asked for on its own
    assert len(drive.requests) <= 2 + 1 + 6 + 7


def test_what_takes_too_long_is_asked_for_in_fewer():
    service = Dossiers(largest=12)
    drive = ask(service, *range(1, 501))
    assert rows(drive) == list(range(1, 501))
    assert len([batch for batch in service.batches if len(batch) > 12]) <= 8
    assert len(drive.requests) <= 500 / 12 * 2


@pytest.mark.parametrize(
    "failure",
    [
        timeout(),
        internal_error(),
        reply(status=502, body=b"<html>"),
        reply(body=b'{"data":'),
        TransportFailure("x", sent=True),
    ],
    ids=["timeout", "internal error", "bad gateway", "cut", "dropped"],
)
def test_a_passing_failure_costs_no_row(failure):
    whole, waiting = Dossiers(), [failure]
    drive = ask(lambda request: waiting.pop() if waiting else whole(request), *range(1, 101))
    assert (drive.error, sorted(rows(drive)), culprits(drive)) == (None, list(range(1, 101)), [])
    assert len(drive.requests) <= 5


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (reply(status=502, body=b"<html>"), DSServerError),
        (TransportFailure("x", sent=True), DSTransportError),
        (reply({"errors": [{"message": "x", "extensions": {"code": "forbidden"}}]}, status=403), DSTokenError),
        (reply(status=503, data={"error": "maintenance"}), DSError),
    ],
    ids=["bad gateway", "dropped", "forbidden", "maintenance"],
)
def test_an_outage_ends_in_its_own_error_and_not_in_thousands_of_culprits(failure, kind):
    drive = ask(lambda request: failure, *range(1, 1001))
    assert isinstance(drive.error, kind)
    assert drive.error.groupe_instructeur_number == 7
    assert len(drive.requests) <= 20
    assert drive.given == [] or not any(page.rows or page.quarantined for page in drive.given)


def test_a_service_that_fails_one_dossier_after_another_is_not_taken_for_thousands_of_culprits():
    drive = ask(Dossiers(poison=set(range(1, 1001))), *range(1, 1001))
    assert isinstance(drive.error, DSServerError)
    assert len(culprits(drive)) == 5
    assert len(drive.requests) <= 80


@pytest.mark.parametrize("others", ["none", "gone"])
@pytest.mark.parametrize("count", [1, 3, 200])
def test_a_token_that_lost_its_rights_is_an_error_and_no_empty_page(count, others):
    foreign = set(range(1, count + 1))
    gone = set(range(1_000, 1_004)) if others == "gone" else set()
    drive = ask(Dossiers(gone, foreign), *sorted(foreign | gone))
    assert isinstance(drive.error, DSUnauthorizedError)
    assert drive.error.groupe_instructeur_number == 7
    assert len(drive.requests) <= 5 + len(gone)


def test_dossiers_that_are_all_gone_are_no_error():
    drive = ask(Dossiers(gone={1, 2, 3}), 1, 2, 3)
    assert (drive.error, rows(drive), told(drive, "gone")) == (None, [], [1, 2, 3])


@pytest.mark.parametrize("code", ["not_found", "unauthorized"])
def test_where_an_answer_does_not_say_which_each_is_asked_for_alone(code):
    service = Dossiers(gone={2})

    def vague(request):
        several = "query rereadDossiers" in request.query
        return (
            reply({"data": None, "errors": [{**HIDDEN, "extensions": {"code": code}}]}) if several else whole(request)
        )

    whole = service
    drive = ask(vague, 1, 2, 3)
    assert (drive.error, rows(drive), told(drive, "gone")) == (None, [1, 3], [2])
    assert service.alone == [1, 2, 3]


def test_an_error_about_a_part_of_a_dossier_does_not_make_it_gone():
    error = {**HIDDEN, "path": ["d1", "groupeInstructeur"], "extensions": {"code": "unauthorized"}}
    whole, waiting = Dossiers(), [reply({"data": None, "errors": [error]})]
    drive = ask(lambda request: waiting.pop() if waiting else whole(request), 1, 2, 3)
    assert sorted(rows(drive)) == [1, 2, 3]
    assert whole.alone == [2]


def test_a_linked_dossier_of_somebody_elses_harms_no_page():
    error = {**HIDDEN, "path": ["d1", "champs", 3, "dossier"], "extensions": {"code": "unauthorized"}}
    data = {"d0": node(1), "d1": node(2)}
    drive = ask(lambda request: reply({"data": data, "errors": [error]}), 1, 2)
    assert (drive.error, rows(drive), len(drive.requests)) == (None, [1, 2], 1)


@pytest.mark.parametrize("shown", [{"d0": None, "d1": node(2)}, {"d1": node(2)}], ids=["null", "missing"])
def test_a_hole_that_no_error_explains_is_no_page(shown):
    def holed(request):
        several = len(asked_for(request)) > 1
        return reply({"data": shown}) if several else reply({"data": {"d0": None, "dossier": None}})

    drive = ask(holed, 1, 2)
    assert rows(drive) == []
    assert told(drive, "gone") == []
    assert culprits(drive) == [1, 2]


def test_another_dossier_than_the_one_asked_for_is_no_row():
    drive = ask(lambda request: reply({"data": {"d0": node(9)}}), 1)
    assert isinstance(drive.error, DSMalformedAnswerError)
    assert rows(drive) == []


def test_a_failure_of_what_was_not_asked_is_no_answer():
    error = {**HIDDEN, "path": ["d77"], "extensions": {"code": "not_found"}}
    drive = ask(lambda request: reply({"data": None, "errors": [error]}), 1)
    assert isinstance(drive.error, DSIncompletePageError)


def test_a_selections_filters_choose_among_the_rows():
    assert rows(ask(Dossiers(), 1, 2, state="accepte")) == [1, 2]
    assert rows(ask(Dossiers(), 1, 2, state="refuse")) == []


def test_the_parts_of_a_dossier_are_those_of_the_selection():
    selection = select_numbers(7, [1], {"messages": True, "champs": False})
    (request,) = Drive(fetch_by_numbers(selection, selection.numbers), Dossiers()).requests
    assert request.variables == {"number0": 1, **Includes(messages=True, champs=False).variables()}


@pytest.mark.parametrize(("fate", "code"), [("gone", "not_found"), ("foreign", "unauthorized")])
def test_one_alone_that_is_not_to_be_had_is_told_as_such(fate, code):
    drive = Drive(fetch_by_number(select_dossiers(7), 5), Dossiers(**{fate: {5}}))
    assert (drive.error, rows(drive), told(drive, fate)) == (None, [], [5])


@pytest.mark.parametrize("count", [1, MAX_BATCH])
def test_the_question_is_a_query_of_the_service(count):
    assert validate(build_schema(SCHEMA_FILE.read_text(encoding="utf-8")), parse(question(count))) == []


def test_a_dossier_is_asked_for_as_in_a_page():
    def fragments(text: str) -> set[str]:
        return set(text.split("\nfragment ")[1:])

    page = {one for one in fragments(documents.load("dossiers")) if not one.startswith("PageInfoFields")}
    assert {one.strip() for one in fragments(question(3))} == {one.strip() for one in page}


def test_the_largest_question_is_well_within_what_the_service_allows():
    text = question(MAX_BATCH)
    document = read_document(text)
    everything = Includes(**dict.fromkeys(vars(Includes()), True))
    variables = {f"number{i}": i for i in range(MAX_BATCH)} | everything.variables()
    operation = document.operation(None)
    measured = Cost(Compiler(document, variables, RESOLVERS, type_of)).measure(operation, variables)
    assert measured.complexity <= 60_000 // 2
    assert tokens_in(text) <= 20_000 // 2
