"""The how-to guides that are about tables: `stores_and_machines.md`, `bi.md`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ds_provider.assets import table_asset
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.sandbox import Sandbox
from ds_provider.task_groups import DSWarehouseDag
from tests.support.dag_files import states_of
from tests.support.databases import Database, Duckdb, Postgres
from tests.support.documents import dags_in, of_reader
from tests.support.guides import NOW, block_with, blocks_of, connected_service
from tests.support.sandboxes import shown_numbers

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    with connected_service() as running:
        yield running


@pytest.fixture
def reader(service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A home and a landing zone of the reader's own, and the function that puts their numbers into a text."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return lambda text: of_reader(text, service, (tmp_path / "landing").as_uri())


# ── stores_and_machines.md


@pytest.mark.parametrize("block", blocks_of("stores_and_machines.md", "json"), ids=lambda block: block.id)
def test_connection_of_a_guide_can_be_used(block, reader, monkeypatch):
    value = json.loads(reader(block.text))
    monkeypatch.setenv("AIRFLOW_CONN_DOCUMENTED", json.dumps(value))
    if value["conn_type"] == "ds":
        assert DSHook("documented")._settings()["token"]
    elif value["conn_type"] == "postgres":
        assert "db.example.org" in str(DSWarehouseHook("documented").warehouse())
    else:
        assert value["extra"]["endpoint_url"], "of another provider's connection"


def test_pipeline_loads_into_the_database_of_a_connection(reader, run_dag, service, postgres, tmp_path, monkeypatch):
    database = Postgres(postgres, tmp_path, monkeypatch)
    monkeypatch.setenv("AIRFLOW_CONN_DWH", os.environ["AIRFLOW_CONN_WAREHOUSE"])
    (dag,) = dags_in(reader(block_with("stores_and_machines.md", "my_postgres_warehouse").text), tmp_path)
    assert set(states_of(run_dag(dag, logical_date=NOW, run_after=NOW)).values()) == {"success"}
    loaded = database.rows("SELECT number FROM demarches_simplifiees.dossiers WHERE deletion_stage IS NULL")
    assert {number for (number,) in loaded} == {number for group in shown_numbers(service).values() for number in group}


# ── bi.md


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def warehouse(
    request: pytest.FixtureRequest, service: Sandbox, run_dag: Any, tmp_path_factory: Any
) -> Iterator[Database]:
    """A warehouse that is loaded, in each of the databases that the guides name."""
    home = tmp_path_factory.mktemp("warehouse")
    with pytest.MonkeyPatch.context() as patch:
        kind = request.param
        database: Database = (
            Duckdb(home, patch) if kind == "duckdb" else Postgres(request.getfixturevalue("postgres"), home, patch)
        )
        options = {"demarche_number": service.demarche, "destination": (home / "landing").as_uri()}
        dag = DSWarehouseDag(f"bi_{kind}", warehouse_conn_id=database.conn_id, **options)
        assert run_dag(dag, logical_date=NOW, run_after=NOW).state == "success"
        yield database


@pytest.mark.parametrize("block", blocks_of("bi.md", "sql"), ids=lambda block: block.id)
def test_query_finds_rows_in_each_database(block, warehouse, service):
    assert warehouse.rows(of_reader(block.text, service, ""))


def test_model_of_dbt_is_a_query_of_these_tables(warehouse, service):
    (block,) = blocks_of("bi.md", "jinja")
    sql = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"\1.\2", of_reader(block.text, service, ""))
    assert warehouse.rows(sql)


def test_dag_of_dbt_follows_the_table_of_dossiers(tmp_path):
    (dag,) = dags_in(block_with("bi.md", "BashOperator").text, tmp_path)
    scheduled_on = [asset.uri for asset in dag.timetable.asset_condition.objects]
    assert scheduled_on == [table_asset("dossiers", warehouse_conn_id="dwh").uri]
