"""All dossiers of a group seen by light requests, a hundred in each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.scan import DossierHead, scan
from ds_provider.api.query import documents
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSMalformedAnswerError, DSNotFoundError, DSTimeoutError
from tests.support.connection_model import Connection, Stored
from tests.support.flows import Drive, reply
from tests.support.numbered_dossiers import internal_error, timeout

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Dossier(Stored):
    """A row with all that the service shows of it in a scan."""

    def node(self) -> dict[str, Any]:
        return {**super().node(), "state": "accepte" if self.number % 2 else "refuse", "archived": self.number % 3 == 0}


def group(count: int) -> Connection:
    return Connection([Dossier(n, START + timedelta(hours=n)) for n in range(1, count + 1)])


def seen(drive: Drive) -> list[int]:
    return [one.number for page in drive.given for one in page.dossiers]


@given(st.integers(0, 450) | st.sampled_from([99, 100, 101, 200, 300, 400]))
def test_each_dossier_is_seen_once_for_a_request_a_hundred(count):
    drive = Drive(scan(7), group(count))
    assert drive.error is None
    assert seen(drive) == list(range(1, count + 1))
    assert len(drive.requests) == max(1, -(-count // 100)) == sum(page.requests for page in drive.given)


def test_a_dossier_is_seen_with_its_state_and_dates():
    (page,) = Drive(scan(7), group(1)).given
    date = START + timedelta(hours=1)
    assert page.dossiers == [DossierHead(1, "accepte", False, date, date)]


def test_only_the_light_operation_is_asked():
    drive = Drive(scan(7), group(250))
    assert {request.query for request in drive.requests} == {documents.load("light_dossiers")}
    assert [request.variables["first"] for request in drive.requests] == [100, 100, 100]
    assert {request.variables["number"] for request in drive.requests} == {7}
    assert not any("updatedSince" in request.variables for request in drive.requests)


def test_what_changed_since_is_asked_of_the_service():
    since = pendulum.instance(START + timedelta(hours=200))
    drive = Drive(scan(7, since), group(250))
    assert seen(drive) == list(range(200, 251))
    (request,) = drive.requests
    assert request.variables["updatedSince"] == since.isoformat()


def test_a_page_that_takes_too_long_is_asked_for_in_halves():
    whole = group(250)

    def slow(request: Request):
        return timeout() if request.variables["first"] > 50 else whole(request)

    drive = Drive(scan(7), slow)
    assert (drive.error, seen(drive)) == (None, list(range(1, 251)))


def test_a_page_in_part_is_never_given():
    partial = json.loads(group(3)(Request("", {"first": 2})).body)
    partial["errors"] = [{"message": "Timeout on Dossier.state", "extensions": {"code": "timeout"}}]
    drive = Drive(scan(7), lambda request: reply(partial))
    assert isinstance(drive.error, DSTimeoutError)
    assert drive.given == []


def test_a_dossier_that_fails_its_page_and_is_shown_alone_is_seen():
    whole, failures = group(30), [2]

    def ailing(request: Request):
        answer = whole(request)
        nodes = json.loads(answer.body)["data"]["groupeInstructeur"]["dossiers"]["nodes"]
        if any(node["number"] == 12 for node in nodes) and (len(nodes) > 1 or next_fails()):
            return internal_error()
        return answer

    def next_fails() -> bool:
        # alone it fails twice, is shown, and fails twice again
        failures[0] -= 1
        if failures[0] == -1:
            failures[0] = 2
            return False
        return True

    drive = Drive(scan(7), ailing)
    assert (drive.error, sorted(seen(drive))) == (None, list(range(1, 31)))


def test_a_group_that_is_gone_is_an_error_with_its_number():
    gone = reply({"data": None, "errors": [{"message": "not found", "extensions": {"code": "not_found"}}]})
    drive = Drive(scan(7), lambda request: gone)
    assert isinstance(drive.error, DSNotFoundError)
    assert drive.error.groupe_instructeur_number == 7


def test_an_outage_is_told_with_the_cursor_that_was_reached():
    whole = group(250)
    drive = Drive(scan(7), lambda request: internal_error() if "after" in request.variables else whole(request))
    assert seen(drive) == list(range(1, 101))
    assert drive.error is not None
    assert drive.error.cursor == whole.rows[99].cursor


@pytest.mark.parametrize("lacking", ["state", "archived", "dateDerniereModification"])
def test_a_row_without_what_was_asked_for_is_no_sighting(lacking):
    def bare(request: Request):
        body = json.loads(group(1)(request).body)
        del body["data"]["groupeInstructeur"]["dossiers"]["nodes"][0][lacking]
        return reply(body)

    assert isinstance(Drive(scan(7), bare).error, DSMalformedAnswerError)
