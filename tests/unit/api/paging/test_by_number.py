"""Dossiers asked for by number: each is in one page, many in a request, and none hides another."""

from __future__ import annotations

from collections import Counter

import pytest
from graphql import parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.paging.by_number import MAX_BATCH, build_query, fetch_by_number, fetch_by_numbers
from ds_provider.api.query import documents
from ds_provider.api.query.parameters import select_dossiers, select_numbers
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSError,
    DSIncompletePageError,
    DSMalformedResponseError,
    DSServerError,
    DSTokenError,
    DSTransportError,
    DSUnauthorizedError,
)
from ds_provider.sandbox.graphql.complexity import Cost
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.graphql.schema import schema
from tests.support.flows import Drive, response
from tests.support.numbered_dossiers import HIDDEN, Dossiers, asked_for, internal_error, node, timeout
from tests.unit.api.polling.test_idle_groups import tokens_in


def ask(service, *numbers: int, **asked) -> Drive:
    return Drive(fetch_by_numbers(select_dossiers(7, **asked), numbers), service)


def rows(drive: Drive) -> list[int]:
    return [row.head.number for page in drive.results for row in page.rows]


def numbers_in(drive: Drive, kind: str) -> list[int]:
    return [number for page in drive.results for number in getattr(page, kind)]


def quarantined(drive: Drive) -> list[int]:
    return [record.number for page in drive.results for record in page.quarantined]


outcomes = st.sampled_from(["shown"] * 6 + ["not_found", "unauthorized", "invalid_null", "poison"])


@settings(deadline=None, max_examples=60)
@given(st.lists(outcomes, max_size=80), st.integers(1, 60))
def test_each_number_is_in_one_page(world, largest):
    by_outcome = {outcome: {n for n, one in enumerate(world, 1) if one == outcome} for outcome in set(world)}
    service = Dossiers(
        by_outcome.get("not_found", set()),
        by_outcome.get("unauthorized", set()),
        by_outcome.get("invalid_null", set()),
        by_outcome.get("poison", set()),
        largest,
    )
    drive = ask(service, *range(1, len(world) + 1))
    if isinstance(drive.error, DSUnauthorizedError):
        assert service.unauthorized
    elif isinstance(drive.error, DSServerError):
        assert len(service.poison) > 5
    else:
        assert drive.error is None
        everything = Counter(
            [*rows(drive), *numbers_in(drive, "not_found"), *numbers_in(drive, "unauthorized"), *quarantined(drive)]
        )
        assert everything == Counter(range(1, len(world) + 1))
        assert set(numbers_in(drive, "not_found")) == service.not_found
        assert set(numbers_in(drive, "unauthorized")) == service.unauthorized
        assert set(quarantined(drive)) == service.invalid_null | service.poison


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (50, 1), (51, 2), (500, 10)])
def test_a_request_asks_for_fifty_dossiers(count, requests):
    drive = ask(Dossiers(), *range(1, count + 1))
    assert rows(drive) == list(range(1, count + 1))
    assert len(drive.requests) == requests


def test_a_repeated_number_is_asked_for_once():
    assert rows(ask(Dossiers(), 5, 6, 5)) == [5, 6]


def test_a_row_is_handed_on_as_it_was_sent():
    drive = ask(lambda request: response(body=b'{"data": {"d0": {"number": 5,\n "x": 1.50}}}'), 5)
    assert [row.raw for page in drive.results for row in page.rows] == [b'{"number":5,"x":1.50}']


def test_a_dossier_with_a_value_that_is_no_json_is_quarantined_without_another_request():
    drive = ask(lambda request: response(body=b'{"data": {"d0": {"number": 5, "x": NaN}, "d1": {"number": 6}}}'), 5, 6)
    assert (rows(drive), quarantined(drive), len(drive.requests)) == ([6], [5], 1)


def test_a_dossier_read_alone_is_quarantined_for_a_value_that_is_no_json():
    drive = Drive(
        fetch_by_number(select_dossiers(7), 5),
        lambda request: response(body=b'{"data": {"dossier": {"number": 5, "x": NaN, "y": "\xff"}}}'),
    )
    assert (rows(drive), quarantined(drive), len(drive.requests)) == ([], [5], 1)


def test_texts_of_a_dossier_read_by_number_are_repaired():
    drive = ask(lambda request: response(body=b'{"data": {"d0": {"number": 5, "x": "\xff"}}}'), 5)
    assert [row.raw for page in drive.results for row in page.rows] == ['{"number": 5, "x": "\ufffd"}'.encode()]


@pytest.mark.parametrize("outcome", ["not_found", "unauthorized"])
def test_each_dossier_that_is_not_shown_costs_one_request(outcome):
    service = Dossiers(**{outcome: {3, 40}})
    drive = ask(service, *range(1, 51))
    assert numbers_in(drive, outcome) == [3, 40]
    assert rows(drive) == [n for n in range(1, 51) if n not in (3, 40)]
    assert [len(batch) for batch in service.batches] == [50, 49, 48]
    assert service.alone == []


def test_a_dossier_with_an_invalid_null_is_quarantined_and_costs_the_others_one_request():
    service = Dossiers(invalid_null={12})
    drive = ask(service, *range(1, 51))
    (record,) = [record for page in drive.results for record in page.quarantined]
    assert (record.number, record.code) == (12, "invalid_null")
    assert [len(batch) for batch in service.batches] == [50, 49]
    assert set(service.alone) == {12}


@pytest.mark.parametrize("poison", [1, 2, 25, 26, 50])
def test_a_poison_dossier_is_found_by_bisection(poison):
    drive = ask(Dossiers(poison={poison}), *range(1, 101))
    (record,) = [record for page in drive.results for record in page.quarantined]
    assert (record.number, record.code, record.exception_id) == (poison, "internal_server_error", "e-1")
    assert sorted(rows(drive)) == [n for n in range(1, 101) if n != poison]
    # a batch that fails is tried twice, the halvings of 50 are six, and the dossier itself is asked for on its own
    assert len(drive.requests) <= 2 + 1 + 6 + 7


def test_batches_shrink_after_timeouts():
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
        response(status=502, body=b"<html>"),
        response(body=b'{"data":'),
        TransportFailure("x", sent=True),
    ],
    ids=["timeout", "internal error", "bad gateway", "cut", "dropped"],
)
def test_a_passing_failure_costs_no_row(failure):
    whole, waiting = Dossiers(), [failure]
    drive = ask(lambda request: waiting.pop() if waiting else whole(request), *range(1, 101))
    assert (drive.error, sorted(rows(drive)), quarantined(drive)) == (None, list(range(1, 101)), [])
    assert len(drive.requests) <= 5


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (response(status=502, body=b"<html>"), DSServerError),
        (TransportFailure("x", sent=True), DSTransportError),
        (response({"errors": [{"message": "x", "extensions": {"code": "forbidden"}}]}, status=403), DSTokenError),
        (response(status=503, data={"error": "maintenance"}), DSError),
    ],
    ids=["bad gateway", "dropped", "forbidden", "maintenance"],
)
def test_an_outage_raises_its_own_error_and_quarantines_nothing(failure, kind):
    drive = ask(lambda request: failure, *range(1, 1001))
    assert isinstance(drive.error, kind)
    assert drive.error.groupe_instructeur_number == 7
    assert len(drive.requests) <= 20
    assert drive.results == [] or not any(page.rows or page.quarantined for page in drive.results)


def test_a_service_that_fails_on_each_dossier_raises_after_five_quarantined():
    drive = ask(Dossiers(poison=set(range(1, 1001))), *range(1, 1001))
    assert isinstance(drive.error, DSServerError)
    assert len(quarantined(drive)) == 5
    assert len(drive.requests) <= 80


@pytest.mark.parametrize("others", ["none", "not_found"])
@pytest.mark.parametrize("count", [1, 3, 200])
def test_a_token_that_lost_its_rights_raises(count, others):
    unauthorized = set(range(1, count + 1))
    not_found = set(range(1_000, 1_004)) if others == "not_found" else set()
    drive = ask(Dossiers(not_found, unauthorized), *sorted(unauthorized | not_found))
    assert isinstance(drive.error, DSUnauthorizedError)
    assert drive.error.groupe_instructeur_number == 7
    assert len(drive.requests) <= 5 + len(not_found)


def test_dossiers_that_are_all_not_found_are_no_error():
    drive = ask(Dossiers(not_found={1, 2, 3}), 1, 2, 3)
    assert (drive.error, rows(drive), numbers_in(drive, "not_found")) == (None, [], [1, 2, 3])


@pytest.mark.parametrize("code", ["not_found", "unauthorized"])
def test_dossiers_are_asked_for_alone_if_the_error_has_no_path(code):
    service = Dossiers(not_found={2})

    def vague(request):
        several = "query rereadDossiers" in request.query
        return (
            response({"data": None, "errors": [{**HIDDEN, "extensions": {"code": code}}]})
            if several
            else whole(request)
        )

    whole = service
    drive = ask(vague, 1, 2, 3)
    assert (drive.error, rows(drive), numbers_in(drive, "not_found")) == (None, [1, 3], [2])
    assert service.alone == [1, 2, 3]


def test_an_error_about_a_part_of_a_dossier_does_not_make_it_not_found():
    error = {**HIDDEN, "path": ["d1", "groupeInstructeur"], "extensions": {"code": "unauthorized"}}
    whole, waiting = Dossiers(), [response({"data": None, "errors": [error]})]
    drive = ask(lambda request: waiting.pop() if waiting else whole(request), 1, 2, 3)
    assert sorted(rows(drive)) == [1, 2, 3]
    assert whole.alone == [2]


def test_an_unauthorized_linked_dossier_harms_no_page():
    error = {**HIDDEN, "path": ["d1", "champs", 3, "dossier"], "extensions": {"code": "unauthorized"}}
    data = {"d0": node(1), "d1": node(2)}
    drive = ask(lambda request: response({"data": data, "errors": [error]}), 1, 2)
    assert (drive.error, rows(drive), len(drive.requests)) == (None, [1, 2], 1)


@pytest.mark.parametrize("shown", [{"d0": None, "d1": node(2)}, {"d1": node(2)}], ids=["null", "missing"])
def test_a_missing_dossier_without_an_error_is_quarantined(shown):
    def holed(request):
        several = len(asked_for(request)) > 1
        return response({"data": shown}) if several else response({"data": {"d0": None, "dossier": None}})

    drive = ask(holed, 1, 2)
    assert rows(drive) == []
    assert numbers_in(drive, "not_found") == []
    assert quarantined(drive) == [1, 2]


def test_another_dossier_than_the_one_asked_for_raises():
    drive = ask(lambda request: response({"data": {"d0": node(9)}}), 1)
    assert isinstance(drive.error, DSMalformedResponseError)
    assert rows(drive) == []


def test_a_failure_of_something_not_asked_for_raises():
    error = {**HIDDEN, "path": ["d77"], "extensions": {"code": "not_found"}}
    drive = ask(lambda request: response({"data": None, "errors": [error]}), 1)
    assert isinstance(drive.error, DSIncompletePageError)


def test_filters_of_the_selection_apply_to_the_rows():
    assert rows(ask(Dossiers(), 1, 2, state="accepte")) == [1, 2]
    assert rows(ask(Dossiers(), 1, 2, state="refuse")) == []


def test_includes_of_the_selection_are_asked_for():
    selection = select_numbers(7, [1], Includes(messages=True, champs=False))
    (request,) = Drive(fetch_by_numbers(selection, selection.numbers), Dossiers()).requests
    assert request.variables == {"number0": 1, **Includes(messages=True, champs=False).variables()}


@pytest.mark.parametrize(("outcome", "code"), [("not_found", "not_found"), ("unauthorized", "unauthorized")])
def test_a_single_dossier_that_is_not_shown_is_reported_by_its_code(outcome, code):
    drive = Drive(fetch_by_number(select_dossiers(7), 5), Dossiers(**{outcome: {5}}))
    assert (drive.error, rows(drive), numbers_in(drive, outcome)) == (None, [], [5])


@pytest.mark.parametrize("count", [1, MAX_BATCH])
def test_the_query_is_valid_in_the_schema(count):
    assert validate(schema(), parse(build_query(count))) == []


def test_the_query_asks_for_the_same_fields_as_a_page():
    def fragments(text: str) -> set[str]:
        return set(text.split("\nfragment ")[1:])

    page = {one for one in fragments(documents.load("dossiers")) if not one.startswith("PageInfoFields")}
    assert {one.strip() for one in fragments(build_query(3))} == {one.strip() for one in page}


def test_the_largest_query_is_well_within_the_limits():
    text = build_query(MAX_BATCH)
    document = read_document(text)
    everything = Includes(**dict.fromkeys(vars(Includes()), True))
    variables = {f"number{i}": i for i in range(MAX_BATCH)} | everything.variables()
    operation = document.operation(None)
    measured = Cost(Compiler(document, variables, RESOLVERS, type_of)).measure(operation, variables)
    assert measured.complexity <= 60_000 // 2
    assert tokens_in(text) <= 20_000 // 2
