"""The README's examples run as they stand, with the reader's own group and folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.api.transport import retry as retries
from ds_provider.hooks.ds import DSHook
from ds_provider.landing import iter_rows
from ds_provider.sandbox import Sandbox
from tests.support.documents import blocks_in, dags_in, of_reader
from tests.support.operator_service import Store
from tests.support.sandboxes import connect
from tests.support.wholeness import assert_tables_are_whole, loaded_rows, shown_rows

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 16, tzinfo=ZoneInfo("Europe/Paris"))
README = (Path(__file__).parents[2] / "README.md").read_text()


def block_with(text: str) -> str:
    examples = (block.text for block in blocks_in(README, "README.md") if block.language == "python")
    (example,) = (example for example in examples if text in example)
    return example


def dag_of(text: str, sandbox: Sandbox, folder: Path) -> Any:
    """Return the DAG of an example, with the reader's own numbers and folder in it."""
    (dag,) = dags_in(of_reader(block_with(text), sandbox, (folder / "landing").as_uri()), folder)
    return dag


@pytest.fixture
def living(monkeypatch):
    """A sandbox of this test alone, whose clock the test moves from night to night, and the connection to it."""
    with Sandbox(seed=17, groupes=5, dossiers=40, now=MIDNIGHT, rate_limit=0) as running:
        connect(running, monkeypatch)
        yield running


@pytest.fixture
def warehouse_night(living, run_dag, tmp_path, monkeypatch):
    """Run the README's warehouse for one night, and return the state of the run."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.01)
    dag = dag_of("def my_warehouse", living, tmp_path)
    return lambda: str(run_dag(dag, logical_date=living.clock.now, run_after=living.clock.now).state)


@contextmanager
def hidden_group(sandbox: Sandbox, number: int) -> Iterator[None]:
    """Have the démarche without a group."""
    groups = sandbox.world.demarche.groupes
    (place,) = (i for i, group in enumerate(groups) if group.number == number)
    group = groups.pop(place)
    try:
        yield
    finally:
        groups.insert(place, group)


def test_warehouse_holds_what_the_groups_show_after_each_green_night(living, warehouse_night, tmp_path):
    # the first group appears later
    late, *others = living.groupes
    with hidden_group(living, late):
        assert warehouse_night() == "success"
        assert loaded_rows(tmp_path) == {row for row in shown_rows(living) if row[1] in others}
    assert len(loaded_rows(tmp_path)) > 100

    # a night that fails is red, and the next makes up for it and for the new group
    living.clock.move_to(MIDNIGHT + DAY)
    living.faults.set({"server_error": 1.0})
    assert warehouse_night() == "failed"
    living.faults.clear()
    living.clock.move_to(MIDNIGHT + 2 * DAY)
    assert warehouse_night() == "success"
    assert_tables_are_whole(living, tmp_path)

    # two days without a run
    living.clock.move_to(MIDNIGHT + 5 * DAY)
    before = len(living.requests)
    assert warehouse_night() == "success"
    assert_tables_are_whole(living, tmp_path)
    assert len(living.requests) - before < 30, "only what changed is read"


def test_files_hold_what_the_group_shows_after_each_night(living, run_dag, tmp_path, monkeypatch):
    group, zone = living.groupes[0], tmp_path / "landing"
    dag = dag_of("def my_files", living, tmp_path)
    for night in (MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 4 * DAY):
        living.clock.move_to(night)
        assert run_dag(dag, run_after=night, logical_date=night).state == "success"
        latest: dict[int, tuple[str, str]] = {}
        for manifest in zone.glob(f"groupe-{group}/dossiers/*/manifest.json"):
            for row in iter_rows(manifest.as_uri()):
                version = row["dateDerniereModification"], row["state"]
                latest[row["number"]] = max(version, latest.get(row["number"], version))
        truth = {number: state for number, groupe, state, _ in shown_rows(living) if groupe == group}
        assert {number: latest[number][1] for number in truth} == truth


def test_sensor_finds_dossiers(sandbox, connection):
    source = block_with("DSDossierSensor(").replace("[12345, 12346]", str(sandbox.groupes))
    scope: dict[str, object] = {}
    exec(source.replace("DSDossierSensor(\n", "sensor = DSDossierSensor(\n", 1), scope)
    sensor = scope["sensor"]
    sensor.created_since, sensor.deferrable = "2026-01-01T00:00:00+01:00", False
    found = sensor.poke({"task_state_store": Store()})
    assert found.is_done
    assert found.xcom_value["count"] >= sensor.min_count


def test_hook_reads_without_files(sandbox, connection, capsys):
    exec(block_with("DSHook(").replace("12345", str(sandbox.groupes[0])), {})
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if re.match(r"\d{8} \w+$", line)]
    since = "2026-11-01T00:00:00+01:00"
    expected = {d["number"] for d in DSHook().iter_dossiers(sandbox.groupes[0], updated_since=since)}
    assert {int(number) for number, _ in shown} == expected
    assert expected


def test_landed_rows_are_read_back(sandbox, connection, run_dag, tmp_path):
    from ds_provider.operators.extract import DSExtractDossiersOperator

    operator = DSExtractDossiersOperator(
        task_id="x", groupe_instructeur_number=sandbox.groupes[0], destination=tmp_path.as_uri()
    )
    scope = {"summary": operator.execute({})}
    exec(block_with("iter_rows("), scope)
    assert scope["numbers"] == [row["number"] for row in iter_rows(scope["summary"]["manifest"])]
    assert scope["numbers"]
