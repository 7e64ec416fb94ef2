"""A poison row costs a few requests, is recorded, and hides no other row."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from random import Random

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.paging.by_number import fetch_by_number
from ds_provider.api.paging.reader import read
from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSServerError, DSTimeoutError
from tests.support.connection_model import Connection
from tests.support.flows import Drive, response
from tests.support.group import Group, spread

START = datetime(2024, 3, 1, 8, tzinfo=timezone.utc)


def numbers(drive: Drive) -> list[int]:
    return [row.head.number for page in drive.results for row in page.rows]


def poison_rows(drive: Drive) -> list[int]:
    return [record.number for page in drive.results for record in page.quarantined]


def poisoned(count: int, *poison: int) -> Group:
    group = Group(spread(count, START, 3_600))
    group.poison = set(poison)
    return group


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(1, 450), max_size=4), st.sampled_from([1, 4]), st.integers(0, 99))
def test_poison_rows_are_recorded_and_all_others_read(poison, readers, seed):
    group = poisoned(450, *poison)
    drive = Drive(read(select_dossiers(7), concurrency=readers), group, Random(seed).randrange)
    assert drive.error is None
    assert sorted(numbers(drive)) == sorted(set(range(1, 451)) - poison)
    assert sorted(poison_rows(drive)) == sorted(poison)


@pytest.mark.parametrize("poison_row", [1, 2, 50, 51, 77, 99, 100])
def test_poison_row_costs_little_more_than_the_halvings_of_its_page(poison_row):
    whole = Drive(read(select_dossiers(7)), poisoned(300))
    drive = Drive(read(select_dossiers(7)), poisoned(300, poison_row))
    # a page that fails is tried twice, the halvings of 100 are seven, and the dossier itself is asked for again
    assert len(drive.requests) - len(whole.requests) <= 1 + 7 + 5


def test_poison_rows_between_good_rows_are_not_the_service_s_failure():
    poison = set(range(3, 100, 4))
    drive = Drive(read(select_dossiers(7)), poisoned(100, *poison))
    assert (drive.error, set(poison_rows(drive))) == (None, poison)
    assert sorted(numbers(drive)) == sorted(set(range(1, 101)) - poison)


def test_poison_row_is_recorded_with_the_facts_that_support_needs():
    drive = Drive(read(select_dossiers(7)), poisoned(30, 12))
    (record,) = [record for page in drive.results for record in page.quarantined]
    assert (record.number, record.code, record.exception_id) == (12, "internal_server_error", "e-1")
    assert record.cursor == spread(30, START, 3_600)[10].cursor, "the cursor of the row before it"
    assert record.dossier["dateDepot"] == (START + timedelta(hours=11)).isoformat()


def test_poison_row_after_the_window_is_not_recorded():
    window = Window("created", end=pendulum.instance(START + timedelta(hours=20)))
    drive = Drive(read(select_dossiers(7, window=window)), poisoned(30, 21))
    assert (drive.error, numbers(drive), poison_rows(drive)) == (None, list(range(1, 21)), [])


def test_descending_read_passes_over_a_poison_row():
    drive = Drive(read(select_dossiers(7, order="DESC")), poisoned(30, 12))
    assert numbers(drive) == [*range(30, 12, -1), *range(11, 0, -1)]
    assert poison_rows(drive) == [12]


def test_dossier_that_makes_a_null_is_a_poison_row():
    group = Group(spread(30, START, 3_600))

    def nulled(request: Request):
        whole = group(request)
        body = json.loads(whole.body)
        nodes = body["data"]["groupeInstructeur"]["dossiers"]["nodes"]
        if "query getDossiers" in request.query:
            nodes[:] = [None if node["number"] == 12 else node for node in nodes]
        return response(body)

    drive = Drive(read(select_dossiers(7)), nulled)
    assert sorted(numbers(drive)) == [n for n in range(1, 31) if n != 12]
    assert poison_rows(drive) == [12]


def test_deletion_that_cannot_be_read_is_a_poison_row():
    connection = Connection(spread(30, START, 3_600), "deletedDossiers")

    def failing(request: Request):
        whole = connection(request)
        nodes = json.loads(whole.body)["data"]["groupeInstructeur"]["deletedDossiers"]["nodes"]
        full = "query getDeletedDossiers" in request.query
        return response(status=500) if full and any(node["number"] == 12 for node in nodes) else whole

    drive = Drive(read(select_deleted_dossiers(7)), failing)
    assert poison_rows(drive) == [12]
    assert len(numbers(drive)) == 29


def test_dossier_that_times_out_alone_is_a_poison_row():
    group = Group(spread(120, START, 3_600))

    def slow(request: Request):
        whole = group(request)
        nodes = json.loads(whole.body)["data"]["groupeInstructeur"]["dossiers"]["nodes"]
        if "query getDossiers" in request.query and any(node["number"] == 77 for node in nodes):
            return response(
                {"data": None, "errors": [{"message": "Timeout on Query.x", "extensions": {"code": "timeout"}}]}
            )
        return whole

    drive = Drive(read(select_dossiers(7)), slow)
    assert poison_rows(drive) == [77]
    assert len(numbers(drive)) == 119


@pytest.mark.parametrize("readers", [1, 8])
def test_service_that_fails_each_full_page_raises_its_error(readers):
    group = Group(spread(4_000, START, 3_600))

    def failing(request: Request):
        return response(status=500) if "query getDossiers" in request.query and group.responses > 2 else group(request)

    drive = Drive(read(select_dossiers(7), concurrency=readers), failing)
    assert isinstance(drive.error, DSServerError)
    assert len(drive.requests) <= 20 * readers + 70


def test_page_size_of_twenty_is_found_with_few_failures():
    group = Group(spread(1_000, START, 3_600))
    group.max_page_size = 20
    drive = Drive(read(select_dossiers(7), concurrency=4), group, Random(5).randrange)
    failed = [asked for asked in group.full_requests if asked["first"] > 20]
    assert drive.error is None
    assert sorted(numbers(drive)) == list(range(1, 1_001))
    assert len(failed) <= 20


def test_outage_raises_its_own_error():
    drive = Drive(read(select_dossiers(7)), lambda request: response(status=502, body=b"<html>"))
    assert isinstance(drive.error, DSServerError)
    assert drive.error.groupe_instructeur_number == 7
    assert len(drive.requests) <= 20


class OneDossier:
    """Responds to requests for one dossier."""

    def __init__(self, *responses):
        self.responses = list(responses)

    def __call__(self, request: Request):
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


DOSSIER = {"number": 12, "dateDepot": START.isoformat(), "state": "accepte", "archived": False}


def test_fetch_by_number_yields_a_dossier_that_recovered():
    drive = Drive(fetch_by_number(select_dossiers(7), 12), OneDossier(response({"data": {"dossier": DOSSIER}})))
    assert numbers(drive) == [12]


@pytest.mark.parametrize("chosen", [{"state": "refuse"}, {"archived": True}, {"revision": "UHJv"}])
def test_fetch_by_number_leaves_out_a_dossier_outside_the_selection(chosen):
    drive = Drive(
        fetch_by_number(select_dossiers(7, **chosen), 12), OneDossier(response({"data": {"dossier": DOSSIER}}))
    )
    assert (numbers(drive), poison_rows(drive), drive.error) == ([], [], None)


@pytest.mark.parametrize("code", ["not_found", "unauthorized"])
def test_fetch_by_number_accepts_a_dossier_that_is_not_shown(code):
    hidden = response({"data": None, "errors": [{"message": "x", "extensions": {"code": code}}]})
    drive = Drive(fetch_by_number(select_dossiers(7), 12), OneDossier(hidden))
    assert (numbers(drive), poison_rows(drive), drive.error) == ([], [], None)


def test_fetch_by_number_quarantines_a_dossier_that_still_fails():
    drive = Drive(fetch_by_number(select_dossiers(7), 12), OneDossier(response(status=500)))
    assert poison_rows(drive) == [12]


def test_fetch_by_number_raises_if_the_service_is_closed():
    drive = Drive(
        fetch_by_number(select_dossiers(7), 12), OneDossier(response(status=503, data={"error": "maintenance"}))
    )
    assert drive.error is not None
    assert not isinstance(drive.error, DSTimeoutError)
    assert drive.error.groupe_instructeur_number == 7
