"""Deletions are told by their numbers, once, whatever date the service gives them."""

from __future__ import annotations

from typing import Any

import pytest

from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import DSConfigurationError, DSNotFoundError
from ds_provider.sensors.dossiers import DSDeletedDossierSensor
from tests.support.combined_answers import refused
from tests.support.lists import DELETED, PENDING, START, row
from tests.support.waits import Assets, Task, asset

DAY = 86_400
# the lists' days are counted from START; the sensor reckons with the clock on the wall
TODAY = 30


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    now = START.timestamp() + TODAY * DAY
    monkeypatch.setattr("ds_provider.api.polling.watch.time.time", lambda: now)


def sensor(wait: Any, **more: Any) -> DSDeletedDossierSensor:
    return DSDeletedDossierSensor(**{"task_id": "wait", "groupe_instructeur_number": 1, **wait.options, **more})


def test_without_an_asset_what_is_there_is_known_and_what_comes_is_told(wait, service):
    service.holds(1, *(row(n, n * DAY) for n in range(1, 20)), stream=DELETED)
    service.holds(1, row(50, 20 * DAY), stream=PENDING)
    wait.change = lambda look: service.holds(1, row(60, 6.5 * DAY), stream=DELETED) if look == 3 else None
    assert wait.run(sensor(wait)) == {
        "groupes_instructeurs": [1],
        "numbers": [60],
        "count": 1,
        "pending": 0,
        "deleted": 1,
        "newest_deleted": "2026-11-07T20:00:00+00:00",
    }
    assert wait.looks == 3


def test_a_task_that_is_tried_again_knows_what_it_knew_at_first(wait, service):
    task = Task()
    wait.change = lambda look: service.holds(1, row(60, 6 * DAY), stream=PENDING) if look == 1 else None
    assert wait.run(sensor(wait), task)["numbers"] == [60]
    assert wait.run(sensor(wait), task)["numbers"] == [60]


def test_with_an_asset_each_success_tells_what_the_last_one_had_not(wait, service):
    assets = Assets()
    told = {"outlets": [asset()]}
    service.holds(1, *(row(n, (n - 300) * DAY) for n in range(1, 301)), stream=DELETED)
    first = wait.run(sensor(wait, **told), Task(assets))
    assert first["count"] == 300, "however old"
    wait.change = lambda look: service.holds(1, row(900, -14 * DAY), stream=DELETED) if look == 2 else None
    assert wait.run(sensor(wait, **told), Task(assets))["numbers"] == [900]


def test_from_pending_to_definitive_is_told_twice_and_restored_not_at_all(wait, service):
    assets, told = Assets(), {"outlets": [asset()]}
    service.holds(1, row(5, 10 * DAY), row(6, 11 * DAY), stream=PENDING)
    value = wait.run(sensor(wait, **told), Task(assets))
    assert (value["numbers"], value["pending"], value["deleted"]) == ([5, 6], 2, 0)

    def change(look: int) -> None:
        if look == 1:
            service.rows[1, PENDING.connection] = []
        if look == 2:
            service.holds(1, row(5, 10 * DAY), stream=DELETED)

    wait.change = change
    value = wait.run(sensor(wait, **told), Task(assets))
    assert (value["numbers"], value["pending"], value["deleted"]) == ([5], 0, 1)
    wait.change = lambda look: service.holds(1, row(6, 25 * DAY), stream=PENDING) if look == 1 else None
    assert wait.run(sensor(wait, **told), Task(assets))["numbers"] == [6], "deleted again after it was restored"


def test_enough_is_a_number_of_dossiers(wait, service):
    service.holds(1, row(5, 10 * DAY), stream=PENDING)

    def change(look: int) -> None:
        if look == 1:
            service.holds(1, row(5, 10 * DAY), stream=DELETED)
        if look == 2:
            service.holds(1, row(7, 12 * DAY), stream=DELETED)

    wait.change = change
    value = wait.run(sensor(wait, min_count=2, outlets=[asset()]))
    assert value["count"] == 2
    assert wait.looks == 2


def test_a_crowd_is_counted_and_told_in_part(wait, service):
    service.holds(1, *(row(n, n) for n in range(1, 1_301)), stream=DELETED)
    value = wait.run(sensor(wait, outlets=[asset()]))
    assert value["count"] == 1_300
    assert value["numbers"] == list(range(301, 1_301))


def test_what_was_told_stays_told_after_a_long_pause(wait, service, monkeypatch):
    assets, told = Assets(), {"outlets": [asset()]}
    service.holds(1, *(row(n, n * DAY) for n in range(1, 30)), stream=DELETED)
    wait.run(sensor(wait, **told), Task(assets))
    year = START.timestamp() + 400 * DAY
    monkeypatch.setattr("ds_provider.api.polling.watch.time.time", lambda: year)
    service.holds(1, row(800, 31 * DAY), stream=DELETED)
    assert wait.run(sensor(wait, **told), Task(assets))["numbers"] == [800], "dated long ago, but after the last look"


def test_a_group_that_is_gone_is_an_error_from_the_first_look_on(wait, service):
    service.fails = {1: refused("not_found")}
    with pytest.raises(DSNotFoundError):
        wait.run(sensor(wait))


def test_a_first_look_that_fails_is_tried_again(wait, service):
    failures = [TransportFailure("dropped", sent=True)] * 5
    service.failure = lambda request: failures.pop() if failures else None
    wait.change = lambda look: service.holds(1, row(60, 6 * DAY), stream=PENDING) if look == 7 else None
    assert wait.run(sensor(wait))["numbers"] == [60]


def test_several_assets_are_refused(wait, service):
    with pytest.raises(DSConfigurationError, match="several"):
        wait.run(sensor(wait, outlets=[asset("a"), asset("b")]))
    assert service.requests == []
