"""The event-driven DAG in ``dags/``: its watcher notices what changes, its runs load it, and none starts another."""

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

from ds_provider.hooks.warehouse import DATASET
from ds_provider.landing.rows import iter_rows
from ds_provider.sandbox import Sandbox
from ds_provider.triggers import _poll as polls
from ds_provider.triggers import dossiers as triggers
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
    """The DAG as somebody has it who put their group numbers in."""
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
    """The dossiers that the service shows, those that changed since."""
    after = round(since.timestamp() * 1_000_000) if since else 0
    visible = (d for d in sandbox.world.dossiers.values() if d.visible and d.groupe.number in sandbox.groupes)
    return {dossier.number for dossier in visible if dossier.updated_at >= after}


def held(home: Path) -> dict[int, datetime]:
    with closing(duckdb.connect(str(home / "ds_warehouse.duckdb"), read_only=True)) as warehouse:
        rows = warehouse.execute(f"select number, date_derniere_modification from {DATASET}.dossiers").fetchall()
    assert len(rows) == len(dict(rows))
    return dict(rows)


def readings(home: Path) -> dict[str, set[int]]:
    manifests = home.glob("landing/groupe-*/dossiers/*/manifest.json")
    return {path.as_uri(): {row["number"] for row in iter_rows(path.as_uri())} for path in manifests}


def is_current(sandbox: Sandbox, home: Path) -> bool:
    of_warehouse = {number: round(date.timestamp()) for number, date in held(home).items()}
    truth = {number: sandbox.world.dossiers[number].updated_at // 1_000_000 for number in shown(sandbox)}
    return truth.items() <= of_warehouse.items()


def test_a_run_loads_what_changed_since_the_last_one_whatever_was_lost_or_doubled(sandbox, run, tmp_path):
    assert run() == "success"
    assert is_current(sandbox, tmp_path)
    before = readings(tmp_path)
    assert set().union(*before.values()) == shown(sandbox), "the first run reads the groups whole"

    # two changes and one run, as where an event is lost
    for _ in range(2):
        sandbox.clock.advance(DAY.total_seconds())
    assert run() == "success"
    assert is_current(sandbox, tmp_path)
    fresh = {number for url, numbers in readings(tmp_path).items() if url not in before for number in numbers}
    assert shown(sandbox, NOW) <= fresh
    assert len(fresh) < len(shown(sandbox)), "only what is new is read"

    # a run for nothing, as where an event comes twice
    assert run() == "success"
    assert is_current(sandbox, tmp_path)


def test_no_run_starts_another_one(sandbox, run, dag):
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
    """An asset's state store, as JSON keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


def test_its_watcher_gives_one_event_for_a_change_and_none_without(sandbox, connection, dag, monkeypatch):
    monkeypatch.setattr(polls, "with_jitter", lambda seconds: 0.05)
    monkeypatch.setattr(triggers, "SETTLE_SECONDS", 0)
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert watcher.trigger.poll_interval == 30
    watcher.trigger.asset_state_store = Store()
    (event, requests), late = asyncio.run(_noticed(watcher.trigger, sandbox))
    changed = shown(sandbox, NOW)
    assert set(event.payload["numbers"]) == changed
    assert event.payload["count"] == len(changed) > 0
    assert late is None
    assert requests <= 5, "one light request a look, and one to learn what is there"


async def _noticed(trigger: Any, sandbox: Sandbox) -> tuple[Any, Any]:
    """The event after a change with the requests until then, and what comes of some more looks without one."""
    events = trigger.run()
    first = asyncio.ensure_future(anext(events))
    await asyncio.to_thread(wait_for_requests, sandbox, 3)
    assert not first.done(), "what was there before is no news"
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
        assert time.monotonic() < until, "nobody looks any more"
        time.sleep(0.01)
