"""The how-to guides that are about tables: `stores_and_machines.md`, `bi.md`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ds_provider.assets import table_asset
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.sandbox import Sandbox
from tests.support.databases import Database, Postgres
from tests.support.documents import blocks, dags_in, of_reader
from tests.support.guides import NOW, block_with, blocks_of
from tests.support.sandboxes import shown_numbers

pytestmark = pytest.mark.integration


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


@pytest.fixture(scope="module")
def warehouse(readers_sandbox: Sandbox, run_dag: Any, postgres: str, tmp_path_factory: Any) -> Iterator[Database]:
    """The Postgres that the guide's pipeline has loaded."""
    home = tmp_path_factory.mktemp("warehouse")
    block = block_with("stores_and_machines.md", "my_postgres_warehouse")
    with pytest.MonkeyPatch.context() as patch:
        database = Postgres(postgres, home, patch)
        patch.setenv("AIRFLOW_CONN_DWH", os.environ["AIRFLOW_CONN_WAREHOUSE"])
        (dag,) = dags_in(of_reader(block.text, readers_sandbox, (home / "landing").as_uri()), home)
        assert run_dag(dag, logical_date=NOW, run_after=NOW).state == "success"
        yield database


def test_pipeline_loads_into_the_database_of_a_connection(warehouse, readers_sandbox):
    loaded = warehouse.rows("SELECT number FROM demarches_simplifiees.dossiers WHERE deletion_stage IS NULL")
    shown = {number for numbers in shown_numbers(readers_sandbox).values() for number in numbers}
    assert {number for (number,) in loaded} == shown


# ── bi.md


QUERIES = [block for block in blocks() if (block.page, block.language) == ("how_to/bi.md", "sql")]


@pytest.mark.parametrize("block", QUERIES, ids=lambda block: block.id)
def test_query_finds_rows_in_postgres_as_in_duckdb(block, warehouse, readers_sandbox):
    """The test of the documentation runs them in DuckDB."""
    assert warehouse.rows(of_reader(block.text, readers_sandbox, ""))


def test_model_of_dbt_is_a_query_of_these_tables(warehouse, readers_sandbox):
    (block,) = blocks_of("bi.md", "jinja")
    sql = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"\1.\2", of_reader(block.text, readers_sandbox, ""))
    assert warehouse.rows(sql)


def test_dag_of_dbt_follows_the_table_of_dossiers(tmp_path):
    (dag,) = dags_in(block_with("bi.md", "BashOperator").text, tmp_path)
    scheduled_on = [asset.uri for asset in dag.timetable.asset_condition.objects]
    assert scheduled_on == [table_asset("dossiers", warehouse_conn_id="dwh").uri]
