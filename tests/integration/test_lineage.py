"""Events of OpenLineage's own provider: a run's inputs and outputs, and no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ds_provider.landing.manifest import read_manifest
from ds_provider.sandbox import Sandbox
from ds_provider.tables.schemas import DOSSIERS
from tests.support.emitting import DAG_ID

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("emitting")


@pytest.fixture(scope="module")
def events(home: Path, sandbox: Sandbox) -> list[dict[str, Any]]:
    """All events of the one run."""
    to_a_file = {"type": "file", "log_file_path": str(home / "events.jsonl"), "append": True}
    connection = {"conn_type": "ds", "host": sandbox.url, "password": sandbox.token}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(to_a_file),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
        # the default is too short on a busy machine
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "60",
        "AIRFLOW_CONN_DS_DEFAULT": json.dumps(connection | {"extra": {"requests_per_minute": 100_000}}),
    }
    command = [sys.executable, "-m", "tests.support.emitting", str(sandbox.groupes[0]), (home / "zone").as_uri()]
    done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]


def event_of(events: list[dict[str, Any]], task: str, kind: str) -> dict[str, Any]:
    (event,) = [one for one in events if one["job"]["name"] == f"{DAG_ID}.{task}" and one["eventType"] == kind]
    return event


def named(datasets: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["namespace"], one["name"]): one for one in datasets}


def landed(home: Path, groupe: int, stream: str) -> tuple[str, str]:
    return "file", f"{home}/zone/groupe-{groupe}/{stream}"


def rows_in(event: dict[str, Any], place: tuple[str, str], side: str = "output") -> int:
    dataset = named(event[f"{side}s"])[place]
    rows: int = dataset[f"{side}Facets"][f"{side}Statistics"]["rowCount"]
    return rows


def manifests(home: Path, groupe: int, stream: str) -> list[Any]:
    found = home.glob(f"zone/groupe-{groupe}/{stream}/*/manifest.json")
    return [read_manifest(path.as_uri()) for path in found]


def service(sandbox: Sandbox) -> str:
    return sandbox.url.removesuffix("/api/v2/graphql")


def test_extraction_leads_from_the_service_to_the_landing_zone(events, home, sandbox):
    groupe = sandbox.groupes[0]
    event = event_of(events, "dossiers", "COMPLETE")
    source = service(sandbox), f"groupes-instructeurs/{groupe}/dossiers"
    target = landed(home, groupe, "dossiers")
    assert set(named(event["inputs"])) == {source}
    assert set(named(event["outputs"])) == {target}
    shown = {d.number for d in sandbox.world.dossiers.values() if d.visible and d.groupe.number == groupe}
    assert rows_in(event, target) == rows_in(event, source, "input") == len(shown)
    assert set(named(event_of(events, "dossiers", "START")["outputs"])) == {target}


def test_deletions_have_one_input_and_two_outputs(events, home, sandbox):
    groupe = sandbox.groupes[0]
    event = event_of(events, "deletions", "COMPLETE")
    source = service(sandbox), f"groupes-instructeurs/{groupe}/deleted_dossiers"
    assert set(named(event["inputs"])) == {source}
    rows = {
        stream: manifests(home, groupe, stream)[0].rows for stream in ("pending_deleted_dossiers", "deleted_dossiers")
    }
    assert rows_in(event, source, "input") == sum(rows.values())
    assert {stream: rows_in(event, landed(home, groupe, stream)) for stream in rows} == rows


def test_failed_task_emits_what_it_landed(events, home, sandbox):
    groupe = sandbox.groupes[0]
    event = event_of(events, "half", "FAIL")
    assert set(named(event["outputs"])) == {landed(home, groupe, "dossiers")}
    accepted = [one.rows for one in manifests(home, groupe, "dossiers") if one.selection.get("state") == "accepte"]
    assert [rows_in(event, landed(home, groupe, "dossiers"))] == accepted


def test_load_leads_from_the_files_to_the_tables_with_their_columns(events, home, sandbox):
    groupe = sandbox.groupes[0]
    event = event_of(events, "load", "COMPLETE")
    streams = ("dossiers", "deleted_dossiers", "pending_deleted_dossiers")
    assert set(named(event["inputs"])) == {landed(home, groupe, stream) for stream in streams}
    read = manifests(home, groupe, "dossiers")
    statistics = named(event["inputs"])[landed(home, groupe, "dossiers")]["inputFacets"]["inputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (sum(m.rows for m in read), sum(m.bytes for m in read))
    assert statistics["fileCount"] == sum(len(m.parts) for m in read)

    warehouse = f"duckdb://{home}/ds_warehouse.duckdb"
    outputs = named(event["outputs"])
    assert {namespace for namespace, _ in outputs} == {warehouse}
    table = warehouse, "ds_warehouse.demarches_simplifiees.dossiers"
    shown = {d.number for d in sandbox.world.dossiers.values() if d.visible and d.groupe.number == groupe}
    assert rows_in(event, table) == len(shown)
    fields = {one["name"]: one["type"] for one in outputs[table]["facets"]["schema"]["fields"]}
    assert list(fields) == list(DOSSIERS.columns)
    assert (fields["number"], fields["date_depot"]) == ("int64", "timestamp[us, tz=UTC]")
    assert (warehouse, f"ds_warehouse.demarches_simplifiees.demarche_{sandbox.demarche}") in outputs


def test_events_hold_neither_the_token_nor_a_person(events, sandbox):
    text = json.dumps(events, ensure_ascii=False)
    assert sandbox.token not in text
    world = sandbox.world
    people = {world.usager_email(dossier) for dossier in world.dossiers.values() if dossier.usager is not None}
    assert people
    assert not [one for one in people if one in text]
