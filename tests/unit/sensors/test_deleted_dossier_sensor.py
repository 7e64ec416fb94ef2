"""The sensor reports each deletion once, by its number, whatever date the service gives it."""

from __future__ import annotations

from typing import Any

import pytest

from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import DSConfigurationError, DSNotFoundError
from ds_provider.sensors.dossiers import DSDeletedDossierSensor
from tests.support.batched_groups import refused
from tests.support.stream_service import DELETED, PENDING, START, row
from tests.support.waits import Assets, Task, asset

DAY = 86_400
# the service's days are counted from START; the sensor reckons with the clock on the wall
TODAY = 30


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    now = START.timestamp() + TODAY * DAY
    monkeypatch.setattr("ds_provider.api.polling.watch.time.time", lambda: now)


def sensor(wait: Any, **more: Any) -> DSDeletedDossierSensor:
    return DSDeletedDossierSensor(**{"task_id": "wait", "groupe_instructeur_number": 1, **wait.options, **more})


def test_sensor_without_an_asset_reports_only_later_deletions(wait, service):
    service.holds(1, *(row(n, n * DAY) for n in range(1, 20)), stream=DELETED)
    service.holds(1, row(50, 20 * DAY), stream=PENDING)
    wait.change = lambda poll: service.holds(1, row(60, 6.5 * DAY), stream=DELETED) if poll == 3 else None
    assert wait.run(sensor(wait)) == {
        "groupes_instructeurs": [1],
        "numbers": [60],
        "count": 1,
        "pending": 0,
        "deleted": 1,
        "newest_deleted": "2026-11-07T20:00:00+00:00",
    }
    assert wait.polls == 3


def test_retry_starts_from_the_first_baseline(wait, service):
    task = Task()
    wait.change = lambda poll: service.holds(1, row(60, 6 * DAY), stream=PENDING) if poll == 1 else None
    assert wait.run(sensor(wait), task)["numbers"] == [60]
    assert wait.run(sensor(wait), task)["numbers"] == [60]


def test_sensor_with_an_asset_reports_each_deletion_once(wait, service):
    assets = Assets()
    outlet = {"outlets": [asset()]}
    service.holds(1, *(row(n, (n - 300) * DAY) for n in range(1, 301)), stream=DELETED)
    first = wait.run(sensor(wait, **outlet), Task(assets))
    assert first["count"] == 300, "however old"
    wait.change = lambda poll: service.holds(1, row(900, -14 * DAY), stream=DELETED) if poll == 2 else None
    assert wait.run(sensor(wait, **outlet), Task(assets))["numbers"] == [900]


def test_sensor_reports_each_stage_and_no_restoration(wait, service):
    assets, outlet = Assets(), {"outlets": [asset()]}
    service.holds(1, row(5, 10 * DAY), row(6, 11 * DAY), stream=PENDING)
    value = wait.run(sensor(wait, **outlet), Task(assets))
    assert (value["numbers"], value["pending"], value["deleted"]) == ([5, 6], 2, 0)

    def change(poll: int) -> None:
        if poll == 1:
            service.rows[1, PENDING.connection] = []
        if poll == 2:
            service.holds(1, row(5, 10 * DAY), stream=DELETED)

    wait.change = change
    value = wait.run(sensor(wait, **outlet), Task(assets))
    assert (value["numbers"], value["pending"], value["deleted"]) == ([5], 0, 1)
    wait.change = lambda poll: service.holds(1, row(6, 25 * DAY), stream=PENDING) if poll == 1 else None
    assert wait.run(sensor(wait, **outlet), Task(assets))["numbers"] == [6], "deleted again after it was restored"


def test_min_count_counts_dossiers(wait, service):
    service.holds(1, row(5, 10 * DAY), stream=PENDING)

    def change(poll: int) -> None:
        if poll == 1:
            service.holds(1, row(5, 10 * DAY), stream=DELETED)
        if poll == 2:
            service.holds(1, row(7, 12 * DAY), stream=DELETED)

    wait.change = change
    value = wait.run(sensor(wait, min_count=2, outlets=[asset()]))
    assert value["count"] == 2
    assert wait.polls == 2


def test_value_names_the_newest_thousand_and_counts_all(wait, service):
    service.holds(1, *(row(n, n) for n in range(1, 1_301)), stream=DELETED)
    value = wait.run(sensor(wait, outlets=[asset()]))
    assert value["count"] == 1_300
    assert value["numbers"] == list(range(301, 1_301))


def test_reported_deletions_stay_reported_after_a_long_pause(wait, service, monkeypatch):
    assets, outlet = Assets(), {"outlets": [asset()]}
    service.holds(1, *(row(n, n * DAY) for n in range(1, 30)), stream=DELETED)
    wait.run(sensor(wait, **outlet), Task(assets))
    year = START.timestamp() + 400 * DAY
    monkeypatch.setattr("ds_provider.api.polling.watch.time.time", lambda: year)
    service.holds(1, row(800, 31 * DAY), stream=DELETED)
    assert wait.run(sensor(wait, **outlet), Task(assets))["numbers"] == [800], "dated long ago, but after the last poll"


def test_sensor_raises_at_the_first_poll_if_the_group_is_not_found(wait, service):
    service.fails = {1: refused("not_found")}
    with pytest.raises(DSNotFoundError):
        wait.run(sensor(wait))


def test_sensor_repeats_a_first_poll_that_failed(wait, service):
    failures = [TransportFailure("dropped", sent=True)] * 5
    service.failure = lambda request: failures.pop() if failures else None
    wait.change = lambda poll: service.holds(1, row(60, 6 * DAY), stream=PENDING) if poll == 7 else None
    assert wait.run(sensor(wait))["numbers"] == [60]


def test_sensor_refuses_several_assets(wait, service):
    with pytest.raises(DSConfigurationError, match="several"):
        wait.run(sensor(wait, outlets=[asset("a"), asset("b")]))
    assert service.requests == []
