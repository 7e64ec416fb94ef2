"""The README's examples run as they stand, with the reader's own group and folder."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from airflow.dag_processing.dagbag import DagBag

from ds_provider.hooks.ds import DSHook
from ds_provider.landing import iter_rows
from tests.support.operator_service import Store

pytestmark = pytest.mark.integration

README = (Path(__file__).parents[2] / "README.md").read_text()


def block_with(text: str) -> str:
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if text in block)
    return block


def test_dag_in_fifteen_lines_lands_a_day(sandbox, connection, run_dag, tmp_path):
    groupe, zone = sandbox.groupes[0], tmp_path / "landing"
    source = block_with("def my_dossiers").replace("12345", str(groupe)).replace("file:///data/ds", zone.as_uri())
    file = tmp_path / "my_dossiers.py"
    file.write_text(source)
    bag = DagBag(dag_folder=str(file), bundle_name="dags-folder")
    assert not bag.import_errors
    midnight = datetime(2026, 11, 19, tzinfo=ZoneInfo("Europe/Paris"))
    assert run_dag(bag.dags["my_dossiers"], logical_date=midnight).state == "success"
    streams = {path.parent.parent.name for path in zone.glob(f"groupe-{groupe}/*/*/manifest.json")}
    assert streams == {"dossiers", "deleted_dossiers", "pending_deleted_dossiers"}


def test_warehouse_dag_loads_a_day(sandbox, connection, run_dag, tmp_path, monkeypatch):
    import duckdb

    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    settings = {
        "[12345, 12346]": str(sandbox.groupes),
        "54321": str(sandbox.demarche),
        "file:///data/ds": (tmp_path / "landing").as_uri(),
    }
    source = block_with("def my_warehouse")
    for example, value in settings.items():
        assert example in source
        source = source.replace(example, value)
    file = tmp_path / "my_warehouse.py"
    file.write_text(source)
    bag = DagBag(dag_folder=str(file), bundle_name="dags-folder")
    assert not bag.import_errors
    midnight = datetime(2026, 11, 19, tzinfo=ZoneInfo("Europe/Paris"))
    assert run_dag(bag.dags["my_warehouse"], logical_date=midnight).state == "success"
    # a manual run extracts the day before
    since = {"updated_since": midnight - timedelta(days=1), "updated_until": midnight}
    landed = {dossier["number"] for groupe in sandbox.groupes for dossier in DSHook().iter_dossiers(groupe, **since)}
    with duckdb.connect(str(tmp_path / "ds_warehouse.duckdb"), read_only=True) as warehouse:
        loaded = warehouse.sql("SELECT number FROM demarches_simplifiees.dossiers").fetchall()
    # the window begins a few minutes before the day
    assert landed
    assert landed <= {number for (number,) in loaded}


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
