"""Two processes that load into one warehouse at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox
from tests.support.databases import Database, Duckdb, Postgres
from tests.support.life import Truth, loaded_dossiers, run, tombstones

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
LOADS = """
import json, sys
from ds_provider.operators.load import DSLoadOperator
for manifests in json.loads(sys.argv[2]):
    DSLoadOperator(task_id="t", manifests=manifests, warehouse_conn_id=json.loads(sys.argv[1])).execute({})
"""


@pytest.fixture(params=["duckdb", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    if request.param == "duckdb":
        return Duckdb(tmp_path, monkeypatch)
    return Postgres(request.getfixturevalue("postgres"), tmp_path, monkeypatch)


def test_two_processes_load_everything_at_once(living_sandbox: Sandbox, database: Database, tmp_path: Path) -> None:
    zone = {"destination": f"file://{tmp_path}/landing"}
    first, second, third = (
        [run(kind, groupe_instructeur_number=groupe, **zone) for groupe in living_sandbox.groupes]
        for kind in (DSExtractDossiersOperator, DSExtractDeletedDossiersOperator, DSExtractDossiersOperator)
    )
    command = [sys.executable, "-c", LOADS, json.dumps(database.conn_id)]
    processes = [
        subprocess.Popen(
            [*command, json.dumps(manifests)], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for manifests in ([first, second], [second[::-1], third])
    ]
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out.decode()
    truth = Truth.of(living_sandbox)
    assert loaded_dossiers(database.conn_id) == truth.shown
    assert tombstones(database.conn_id) == truth.tombstones
