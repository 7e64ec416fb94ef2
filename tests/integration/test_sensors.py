"""Sensors in a real Airflow, in each of their modes, while the sandbox's world changes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.sdk import DAG, Asset

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from ds_provider.sensors.dossiers import DSDeletedDossierSensor, DSDossierSensor
from ds_provider.triggers import polling

pytestmark = pytest.mark.integration

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 10, 12, tzinfo=PARIS)
LATER = datetime(2026, 11, 14, 12, tzinfo=PARIS)
MODES = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferrable": {"deferrable": True},
}


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow intervals shorter than half a minute."""
    monkeypatch.setattr(polling, "MIN_POLL_INTERVAL_SECONDS", 0.2)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(seed=5, groupes=2, dossiers=60, now=NOW, rate_limit=0) as sandbox:
        connect(monkeypatch, sandbox, sandbox.token)
        yield sandbox


def connect(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> None:
    value = {"conn_type": "ds", "host": sandbox.url, "password": token, "extra": {"requests_per_minute": 100_000}}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))


def dag_of(name: str, sensor: Callable[..., Any], **options: Any) -> DAG:
    with DAG(f"ds_wait_{name}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris")) as dag:
        sensor(**{"task_id": "wait", "poke_interval": 0.5, "timeout": 60, **options})
    return dag


def returned(run: Any) -> Any:
    (instance,) = run.get_task_instances()
    return instance.xcom_pull(task_ids="wait")


def shown(sandbox: Sandbox, groupe: int, name: str) -> list[dict[str, Any]]:
    """Return the rows of a group's list."""
    (one,) = [one for one in truth(sandbox.state)["groupes"] if one["number"] == groupe]
    rows: list[dict[str, Any]] = one[name]
    return rows


@contextmanager
def changing(sandbox: Sandbox, requests: int, change: Callable[[], None]) -> Iterator[None]:
    """Change the world once the sandbox has served this number of further requests."""
    until = sandbox.state.served + requests
    stopped = threading.Event()

    def watch() -> None:
        while sandbox.state.served < until and not stopped.is_set():
            time.sleep(0.05)
        change()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


@pytest.mark.parametrize("mode", MODES)
def test_sensor_returns_the_dossiers_that_change_while_it_waits(world, run_dag, mode, capfd):
    groupe = world.groupes[0]
    options = {**MODES[mode], "groupe_instructeur_number": groupe, "updated_since": NOW.isoformat()}
    dag = dag_of(f"dossiers_{mode}", DSDossierSensor, **options)
    with changing(world, 2, lambda: world.clock.move_to(LATER)):
        run = run_dag(dag)
    assert run.state == "success"
    changed = {one["number"] for one in shown(world, groupe, "dossiers") if one["updated_at"] >= microseconds(NOW)}
    value = returned(run)
    assert changed
    assert set(value["numbers"]) == changed
    assert value["count"] == len(changed)
    assert value["groupes_instructeurs"] == [groupe]
    said = "".join(capfd.readouterr())
    assert said.count(f"waiting for 1 dossier updated since {NOW.isoformat()} in group {groupe}: 0 of 1 so far, ") == 1
    assert f"found {len(changed)} dossier" in said


@pytest.mark.parametrize("mode", MODES)
def test_sensor_returns_the_deletions_of_its_wait_though_they_are_dated_back(world, run_dag, mode):
    groupe = world.groupes[0]
    before = {name: numbers_in(world, groupe, name) for name in ("pending", "deleted")}
    dag = dag_of(f"deletions_{mode}", DSDeletedDossierSensor, **MODES[mode], groupe_instructeur_number=groupe)
    with changing(world, 3, lambda: world.clock.move_to(NOW + timedelta(days=40))):
        run = run_dag(dag)
    assert run.state == "success"
    new = {name: numbers_in(world, groupe, name) - before[name] for name in before}
    assert new["deleted"]
    value = returned(run)
    assert set(value["numbers"]) == new["pending"] | new["deleted"]
    assert (value["pending"], value["deleted"]) == (len(new["pending"]), len(new["deleted"]))
    back = [
        one for one in shown(world, groupe, "deleted") if one["deleted_at"] < microseconds(NOW + timedelta(days=25))
    ]
    assert {one["number"] for one in back} & new["deleted"], "some are dated back by weeks"


def numbers_in(sandbox: Sandbox, groupe: int, name: str) -> set[int]:
    return {one["number"] for one in shown(sandbox, groupe, name)}


# a deferred sensor does not end if a DAG runs without a scheduler
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_sensor_fails_or_is_skipped_after_its_timeout(world, run_dag, mode):
    for soft_fail, state in ((False, "failed"), (True, "skipped")):
        options = {**MODES[mode], "groupe_instructeur_number": world.groupes[0], "updated_since": LATER.isoformat()}
        dag = dag_of(f"late_{mode}_{soft_fail}", DSDossierSensor, **options, soft_fail=soft_fail)
        dag.task_dict["wait"].timeout = 1
        (instance,) = run_dag(dag).get_task_instances()
        assert instance.state == state


@pytest.mark.parametrize("mode", MODES)
def test_sensor_fails_though_soft_once_its_token_loses_its_rights(world, run_dag, monkeypatch, mode):
    options = {**MODES[mode], "groupe_instructeur_number": world.groupes[0], "updated_since": LATER.isoformat()}
    dag = dag_of(f"refused_{mode}", DSDossierSensor, **options, soft_fail=True)
    requests = world.state.served
    with changing(world, 2, lambda: connect(monkeypatch, world, world.tokens["without_rights"])):
        (instance,) = run_dag(dag).get_task_instances()
    assert instance.state == "failed"
    assert world.state.served - requests <= 6


def test_sensor_continues_from_the_watermark_in_its_asset(world, run_dag):
    groupe = world.groupes[0]
    options = {"groupe_instructeur_number": groupe, "updated_since": "watermark", "deferrable": True}
    dag = dag_of("watermark", DSDossierSensor, **options, outlets=[Asset("ds_wait_watermark")])
    assert set(returned(run_dag(dag))["numbers"]) == numbers_in(world, groupe, "dossiers")
    with changing(world, 2, lambda: world.clock.move_to(LATER)):
        run = run_dag(dag)
    changed = {one["number"] for one in shown(world, groupe, "dossiers") if one["updated_at"] >= microseconds(NOW)}
    assert set(returned(run)["numbers"]) == changed
