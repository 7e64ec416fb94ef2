"""A scan reads the heads of all dossiers of a group, a hundred with each light request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.scan import DossierHead, scan
from ds_provider.api.query import documents
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSMalformedResponseError, DSNotFoundError, DSTimeoutError
from tests.support.connection_model import Connection, Stored
from tests.support.flows import Drive, response
from tests.support.numbered_dossiers import internal_error, timeout

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Dossier(Stored):
    """Row with all fields that a scan requests."""

    def node(self) -> dict[str, Any]:
        return {**super().node(), "state": "accepte" if self.number % 2 else "refuse", "archived": self.number % 3 == 0}


def group(count: int) -> Connection:
    return Connection([Dossier(n, START + timedelta(hours=n)) for n in range(1, count + 1)])


def scanned(drive: Drive) -> list[int]:
    return [one.number for page in drive.results for one in page]


@given(st.integers(0, 450) | st.sampled_from([99, 100, 101, 200, 300, 400]))
def test_scan_yields_each_dossier_once_with_a_request_a_hundred(count):
    drive = Drive(scan(7), group(count))
    assert drive.error is None
    assert scanned(drive) == list(range(1, count + 1))
    assert len(drive.requests) == max(1, -(-count // 100))


def test_scan_yields_state_and_dates():
    (page,) = Drive(scan(7), group(1)).results
    date = START + timedelta(hours=1)
    assert page == [DossierHead(1, "accepte", False, date, date)]


def test_scan_sends_only_the_light_operation():
    drive = Drive(scan(7), group(250))
    assert {request.query for request in drive.requests} == {documents.load("light_dossiers")}
    assert [request.variables["first"] for request in drive.requests] == [100, 100, 100]
    assert {request.variables["number"] for request in drive.requests} == {7}
    assert not any("updatedSince" in request.variables for request in drive.requests)


def test_scan_halves_a_page_that_times_out():
    whole = group(250)

    def slow(request: Request):
        return timeout() if request.variables["first"] > 50 else whole(request)

    drive = Drive(scan(7), slow)
    assert (drive.error, scanned(drive)) == (None, list(range(1, 251)))


def test_scan_never_yields_a_partial_page():
    partial = json.loads(group(3)(Request("", {"first": 2})).body)
    partial["errors"] = [{"message": "Timeout on Dossier.state", "extensions": {"code": "timeout"}}]
    drive = Drive(scan(7), lambda request: response(partial))
    assert isinstance(drive.error, DSTimeoutError)
    assert drive.results == []


def test_scan_yields_a_dossier_that_fails_its_page_and_succeeds_alone():
    whole, failures = group(30), [2]

    def failing(request: Request):
        page = whole(request)
        nodes = json.loads(page.body)["data"]["groupeInstructeur"]["dossiers"]["nodes"]
        if any(node["number"] == 12 for node in nodes) and (len(nodes) > 1 or next_fails()):
            return internal_error()
        return page

    def next_fails() -> bool:
        # alone it fails twice, is shown, and fails twice again
        failures[0] -= 1
        if failures[0] == -1:
            failures[0] = 2
            return False
        return True

    drive = Drive(scan(7), failing)
    assert (drive.error, sorted(scanned(drive))) == (None, list(range(1, 31)))


def test_scan_of_a_group_that_is_not_found_raises_with_its_number():
    not_found = response({"data": None, "errors": [{"message": "not found", "extensions": {"code": "not_found"}}]})
    drive = Drive(scan(7), lambda request: not_found)
    assert isinstance(drive.error, DSNotFoundError)
    assert drive.error.groupe_instructeur_number == 7


def test_scan_raises_an_outage_with_the_cursor_that_was_reached():
    whole = group(250)
    drive = Drive(scan(7), lambda request: internal_error() if "after" in request.variables else whole(request))
    assert scanned(drive) == list(range(1, 101))
    assert drive.error is not None
    assert drive.error.cursor == whole.rows[99].cursor


@pytest.mark.parametrize("lacking", ["state", "archived", "dateDerniereModification"])
def test_scan_refuses_a_row_without_a_requested_field(lacking):
    def bare(request: Request):
        body = json.loads(group(1)(request).body)
        del body["data"]["groupeInstructeur"]["dossiers"]["nodes"][0][lacking]
        return response(body)

    assert isinstance(Drive(scan(7), bare).error, DSMalformedResponseError)
