"""Counts of many groups are exact, in any window, for few requests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pendulum
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.polling.count import count_dossiers
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.exceptions import DSNotFoundError, DSServerError
from tests.support.batched_groups import Groupes, refused, respond_batched
from tests.support.connection_model import Stored
from tests.support.flows import Drive, response
from tests.support.group import Group

START = datetime(2024, 3, 1, 8, tzinfo=timezone.utc)


class Service:
    """Responds to questions about many groups at once, and to probes of one."""

    def __init__(self, holds: dict[int, list[Stored]], fails: dict[int, Exchange] | None = None) -> None:
        self.groupes = Groupes(holds, fails)
        self.max_probes = 1_000

    def __call__(self, request: Request) -> Exchange:
        if "getNewest" in request.query:
            return respond_batched(request, lambda part: self.groupes.alone(part.request))
        if "probeDossiers" not in request.query:
            return self.groupes(request)
        if request.query.count("...KeysBy") > self.max_probes:
            return response({"errors": [{"message": "Timeout on Query.x", "extensions": {"code": "timeout"}}]})
        return Group(self.groupes.holds[request.variables["number"]])(request)


def rows(count: int, seconds: float = 7_000.0) -> list[Stored]:
    return [Stored(n + 1, START + timedelta(seconds=n * seconds)) for n in range(count)]


def count(service: Service, window: Window | None = None, groupes: Any = None) -> Drive:
    numbers = groupes or service.groupes.holds
    return Drive(count_dossiers(select_dossiers(number, window=window) for number in numbers), service)


def counts(drive: Drive) -> dict[int, int]:
    assert drive.error is None, repr(drive.error)
    (found,) = drive.results
    return dict(found)


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.integers(1, 99),
        st.builds(rows, st.sampled_from([0, 1, 99, 100, 101, 250, 730]), st.sampled_from([0.0, 0.3, 1.0, 7_000.0])),
        min_size=1,
        max_size=14,
    ),
    st.sampled_from(["created", "updated"]),
    st.data(),
)
def test_count_is_the_number_of_rows_in_the_window(holds, column, data):
    bound = st.one_of(st.none(), st.floats(0, 5_000_000).map(lambda after: START + timedelta(seconds=after)))
    start, end = data.draw(bound), data.draw(bound)
    if start and end and start >= end:
        start, end = end, start + timedelta(seconds=3)
    window = Window(column, *(pendulum.instance(b) if b else None for b in (start, end))) if start or end else None

    found = counts(count(Service(holds), window))

    assert found == {
        number: sum((start is None or row.date >= start) and (end is None or row.date < end) for row in held)
        for number, held in holds.items()
    }


def test_forty_groups_of_a_page_are_counted_in_one_request():
    drive = count(Service({number: rows(100) for number in range(1, 41)}))
    assert counts(drive) == dict.fromkeys(range(1, 41), 100)
    assert len(drive.requests) == 1


def test_large_group_is_counted_by_probes():
    drive = count(Service({7: rows(12_000, 600.0)}))
    assert counts(drive) == {7: 12_000}
    assert len(drive.requests) <= 12


def test_probes_become_fewer_where_the_service_runs_out_of_time():
    service = Service({7: rows(2_000, 600.0)})
    service.max_probes = 20
    assert counts(count(service)) == {7: 2_000}


def test_group_that_cannot_be_counted_is_named():
    service = Service({7: rows(3), 8: rows(3)}, {8: refused("not_found", "GroupeInstructeurWithDossiers not found")})
    drive = count(service)
    assert isinstance(drive.error, DSNotFoundError)
    assert drive.error.groupe_instructeur_number == 8


def test_service_that_fails_is_no_count_of_zero():
    drive = count(Service({7: rows(3)}, {7: response({}, status=500)}))
    assert isinstance(drive.error, DSServerError)
    assert drive.results == []


def test_count_of_no_selection_asks_nothing():
    drive = Drive(count_dossiers([]), Service({}))
    assert counts(drive) == {}
    assert drive.requests == []
