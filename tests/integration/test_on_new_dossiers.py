"""The event-driven DAG in ``dags/``: its watcher notices changes, its runs load them, and no run starts another."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.landing import iter_rows
from ds_provider.sandbox import Sandbox
from ds_provider.triggers import dossiers as triggers
from ds_provider.triggers import polling
from tests.support.dag_files import DAGS

pytestmark = pytest.mark.integration

NAME = "ds_on_new_dossiers"
EXPECTED = {NAME}
NOW = datetime(2026, 11, 18, 12, tzinfo=ZoneInfo("Europe/Paris"))
DAY = timedelta(days=1)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=7, groupes=2, dossiers=40, now=NOW, rate_limit=0) as running:
        yield running


@pytest.fixture
def dag(sandbox: Sandbox, tmp_path: Path) -> Any:
    """The DAG with the sandbox's group numbers in it."""
    from airflow.dag_processing.dagbag import DagBag

    source = (DAGS / f"{NAME}.py").read_text()
    assert source.count("GROUPES = [1, 2, 3]") == 1
    mine = tmp_path / "dags" / f"{NAME}.py"
    mine.parent.mkdir()
    mine.write_text(source.replace("GROUPES = [1, 2, 3]", f"GROUPES = {sandbox.groupes}"))
    bag = DagBag(dag_folder=str(mine), bundle_name="dags-folder")
    assert not bag.import_errors
    dag = bag.dags[NAME]
    for task in dag.tasks:
        task.retries = 0
    return dag


@pytest.fixture
def run(dag: Any, connection: str, run_dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    conf = {"destination": (tmp_path / "landing").as_uri()}
    return lambda: str(run_dag(dag, run_conf=conf).state)


def shown(sandbox: Sandbox, since: datetime | None = None) -> set[int]:
    """Return the dossiers that the service shows and that changed since an instant."""
    after = round(since.timestamp() * 1_000_000) if since else 0
    visible = (d for d in sandbox.world.dossiers.values() if d.visible and d.groupe.number in sandbox.groupes)
    return {dossier.number for dossier in visible if dossier.updated_at >= after}


def loaded_dates(home: Path) -> dict[int, datetime]:
    with closing(duckdb.connect(str(home / "ds_warehouse.duckdb"), read_only=True)) as warehouse:
        rows = warehouse.execute(
            f"select number, date_derniere_modification from {DEFAULT_DATASET}.dossiers"
        ).fetchall()
    assert len(rows) == len(dict(rows))
    return dict(rows)


def landed_numbers(home: Path) -> dict[str, set[int]]:
    manifests = home.glob("landing/groupe-*/dossiers/*/manifest.json")
    return {path.as_uri(): {row["number"] for row in iter_rows(path.as_uri())} for path in manifests}


def is_current(sandbox: Sandbox, home: Path) -> bool:
    of_warehouse = {number: round(date.timestamp()) for number, date in loaded_dates(home).items()}
    truth = {number: sandbox.world.dossiers[number].updated_at // 1_000_000 for number in shown(sandbox)}
    return truth.items() <= of_warehouse.items()


def test_run_loads_all_changes_since_the_last_one_though_events_are_lost_or_doubled(sandbox, run, tmp_path):
    assert run() == "success"
    assert is_current(sandbox, tmp_path)
    before = landed_numbers(tmp_path)
    assert set().union(*before.values()) == shown(sandbox), "the first run extracts the groups in full"

    # two changes and one run, as if an event were lost
    for _ in range(2):
        sandbox.clock.advance(DAY.total_seconds())
    assert run() == "success"
    assert is_current(sandbox, tmp_path)
    fresh = {number for url, numbers in landed_numbers(tmp_path).items() if url not in before for number in numbers}
    assert shown(sandbox, NOW) <= fresh
    assert len(fresh) < len(shown(sandbox)), "only new changes are extracted"

    # a run without a change, as if an event came twice
    assert run() == "success"
    assert is_current(sandbox, tmp_path)


def test_run_starts_no_other_run(sandbox, run, dag):
    from airflow.models.asset import AssetDagRunQueue
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    assert run() == "success"
    with create_session() as session:
        session.get(DagModel, NAME).is_paused = False
    sandbox.clock.advance(DAY.total_seconds())
    assert run() == "success"
    with create_session() as session:
        assert session.query(AssetDagRunQueue).filter_by(target_dag_id=NAME).count() == 0
        session.get(DagModel, NAME).is_paused = True


class Store:
    """An asset's state store, with its values as JSON."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


def test_watcher_emits_one_event_for_a_change_and_none_without(sandbox, connection, dag, monkeypatch):
    monkeypatch.setattr(polling, "with_jitter", lambda seconds: 0.05)
    monkeypatch.setattr(triggers, "SETTLE_SECONDS", 0)
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert watcher.trigger.poll_interval == 30
    watcher.trigger.asset_state_store = Store()
    (event, requests), late = asyncio.run(_watch(watcher.trigger, sandbox))
    changed = shown(sandbox, NOW)
    assert set(event.payload["numbers"]) == changed
    assert event.payload["count"] == len(changed) > 0
    assert late is None
    assert requests <= 5, "one light request a poll, and one to fetch the baseline"


async def _watch(trigger: Any, sandbox: Sandbox) -> tuple[Any, Any]:
    """Return the event after a change with its count of requests, and the event of the polls after it, if any."""
    events = trigger.run()
    first = asyncio.ensure_future(anext(events))
    await asyncio.to_thread(wait_for_requests, sandbox, 3)
    assert not first.done(), "what was there before is no change"
    before = sandbox.state.served
    sandbox.clock.advance(DAY.total_seconds())
    event = await asyncio.wait_for(first, 30), sandbox.state.served - before
    again = asyncio.ensure_future(anext(events))
    await asyncio.to_thread(wait_for_requests, sandbox, sandbox.state.served + 4)
    late = again.result() if again.done() else None
    again.cancel()
    return event, late


def wait_for_requests(sandbox: Sandbox, count: int) -> None:
    until = time.monotonic() + 60
    while sandbox.state.served < count:
        assert time.monotonic() < until, "the watcher no longer polls"
        time.sleep(0.01)
