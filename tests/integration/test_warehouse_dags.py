"""The warehouse's DAGs in ``dags/``, run in a real Airflow: the tables end as the sandbox's lists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ds_provider.api.transport import retry as retries
from ds_provider.constants import DEFAULT_DATASET
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from scripts.demo.drift import drift
from tests.support.dag_files import load, midnight, shown, states_of
from tests.support.sandboxes import shown_numbers

pytestmark = pytest.mark.integration

EXPECTED = {"ds_warehouse_daily", "ds_warehouse_hourly", "ds_warehouse_backfill"}
SUNDAY = midnight("2026-11-22")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LOOKBACK = timedelta(minutes=5)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=5, groupes=3, dossiers=30, now=SUNDAY - 3 * DAY, rate_limit=0) as running:
        yield running


@pytest.fixture
def run(sandbox, connection, run_dag, tmp_path, monkeypatch) -> Any:
    """Run a DAG of the warehouse, with a folder of the test as Airflow's home."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.01)
    conf = {"demarche_number": sandbox.demarche, "destination": (tmp_path / "landing").as_uri()}

    def run(name: str, at: datetime, **more: Any) -> dict[str, str]:
        """Return the states of its tasks, and the state of the run under the DAG's name."""
        dag_run = run_dag(load(name), logical_date=at, run_after=at, run_conf=conf | more)
        return states_of(dag_run) | {name: str(dag_run.state)}

    return run


def opened(home: Path) -> Any:
    return closing(duckdb.connect(str(home / "ds_warehouse.duckdb"), read_only=True))


def find_drift(sandbox: Sandbox, home: Path) -> dict[int, str]:
    with opened(home) as warehouse:
        return drift(truth(sandbox.state), warehouse)


def loaded_numbers(home: Path) -> list[int]:
    with opened(home) as warehouse:
        return [number for (number,) in warehouse.execute(f"select number from {DEFAULT_DATASET}.dossiers").fetchall()]


def missing(sandbox: Sandbox, home: Path) -> set[int]:
    """Return the dossiers that the groups show, and the tables do not."""
    return set().union(*shown_numbers(sandbox).values()) - set(loaded_numbers(home))


def in_window(sandbox: Sandbox, column: str, start: datetime, end: datetime) -> set[int]:
    return {number for groupe in sandbox.groupes for number in shown(sandbox, groupe, column, start, end)}


def test_daily_dag_ends_without_drift_from_its_first_night_on(run, sandbox, tmp_path, capfd):
    states = run("ds_warehouse_daily", SUNDAY - 3 * DAY)
    assert states["ds_warehouse_daily"] == "success"
    # nothing is pink on a good night
    assert set(states.values()) == {"success"}
    assert missing(sandbox, tmp_path) == set()

    # two nights without a run
    sandbox.clock.move_to(SUNDAY)
    assert in_window(sandbox, "updated_at", SUNDAY - 3 * DAY, SUNDAY - DAY)
    states = run("ds_warehouse_daily", SUNDAY)
    assert states["ds_warehouse_daily"] == "success"
    assert find_drift(sandbox, tmp_path) == {}
    # a newcomer would look for what is missing
    assert "XCom not found" not in "".join(capfd.readouterr())


def test_poison_dossier_fails_the_daily_run_and_hides_no_other(run, sandbox, tmp_path):
    poison = min(shown(sandbox, sandbox.groupes[0], "updated_at", SUNDAY - 4 * DAY, SUNDAY - 3 * DAY))
    sandbox.faults.set({"poison": {"numbers": [poison]}})
    states = run("ds_warehouse_daily", SUNDAY - 3 * DAY)
    assert states["ds_warehouse_daily"] == "failed"
    assert (states["load"], states["complete"]) == ("success", "failed")
    assert missing(sandbox, tmp_path) == {poison}

    sandbox.faults.clear()
    states = run("ds_warehouse_daily", SUNDAY - 3 * DAY + timedelta(seconds=1))
    assert states["ds_warehouse_daily"] == "success"
    assert missing(sandbox, tmp_path) == set()


def test_daily_run_without_access_fails(run, sandbox):
    states = run("ds_warehouse_daily", SUNDAY - 3 * DAY, demarche_number=sandbox.other_demarche)
    assert states["ds_warehouse_daily"] == "failed"
    assert (states["groupes"], states["read.dossiers"]) == ("failed", "upstream_failed")


def test_hourly_dag_sends_two_requests_in_an_idle_hour_and_loads_a_busy_one(run, sandbox, tmp_path):
    now = SUNDAY - 3 * DAY
    assert run("ds_warehouse_hourly", now)["ds_warehouse_hourly"] == "success"
    assert missing(sandbox, tmp_path) == set()

    sandbox.clock.move_to(now + HOUR)
    assert not in_window(sandbox, "updated_at", now - LOOKBACK, now + HOUR)
    before = len(sandbox.requests)
    assert run("ds_warehouse_hourly", now + HOUR)["ds_warehouse_hourly"] == "success"
    assert len(sandbox.requests) - before == 2

    sandbox.clock.move_to(now + DAY)
    changed = in_window(sandbox, "updated_at", now, now + DAY)
    before = len(sandbox.requests)
    assert run("ds_warehouse_hourly", now + DAY)["ds_warehouse_hourly"] == "success"
    assert missing(sandbox, tmp_path) == set()
    assert changed
    assert len(sandbox.requests) - before <= 2 + len(sandbox.groupes)


def test_backfill_loads_a_month_twice_into_the_same_rows(run, sandbox, tmp_path):
    for month in ("2026-11-01", "2026-10-01", "2026-11-01"):
        at = midnight(month) + timedelta(seconds=len(list(tmp_path.glob("**/manifest.json"))))
        assert run("ds_warehouse_backfill", at)["ds_warehouse_backfill"] == "success"
    expected = in_window(sandbox, "depose_at", midnight("2026-09-01"), midnight("2026-11-01"))
    assert sorted(loaded_numbers(tmp_path)) == sorted(expected)
