"""``airflow ds …`` as processes, in a real Airflow with its database: figures are those of the service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.landing import iter_rows
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from tests.support.command_line import Ran

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
AIRFLOW = [sys.executable, "-m", "airflow"]

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def environment(home: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }


@pytest.fixture(scope="module")
def airflow(home: Path, environment: dict[str, str], sandbox: Sandbox) -> Run:
    """Run a command of an Airflow in whose database are connections to the sandbox, one of them with a wrong token."""

    def run(*argv: object) -> Ran:
        command = [*AIRFLOW, *map(str, argv)]
        done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=120)
        assert sandbox.token not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    subprocess.run([*AIRFLOW, "db", "migrate"], env=environment, cwd=CHECKOUT, capture_output=True, check=True)
    connection = {"conn_type": "ds", "host": sandbox.url, "extra": {"requests_per_minute": 100_000}}
    unknown = "bm8tc3VjaC10b2tlbg=="
    connections = {
        "ds_default": connection | {"password": sandbox.token},
        "ds_wrong": connection | {"password": unknown},
        "ds_closed": {"conn_type": "ds", "host": "http://127.0.0.1:9", "password": unknown},
    }
    file = home / "connections.json"
    file.write_text(json.dumps(connections))
    assert run("connections", "import", file).code == 0
    return run


@pytest.fixture
def groupes(sandbox: Sandbox) -> dict[int, dict[str, Any]]:
    return {groupe["number"]: groupe for groupe in truth(sandbox.state)["groupes"]}


def numbers_in(row: dict[str, Any]) -> list[int]:
    return sorted(dossier["number"] for dossier in iter_rows(row["manifest"]))


def numbers_of(groupe: dict[str, Any]) -> list[int]:
    return [dossier["number"] for dossier in groupe["dossiers"]]


def test_check_finds_a_connection_in_airflows_database(airflow: Run, sandbox: Sandbox) -> None:
    ran = airflow("ds", "check", "--demarche", sandbox.demarche, "-o", "json")
    assert ran.code == 0, ran.err
    results = {row["check"]: row["result"] for row in ran.rows}
    assert results.pop("clock") in ("ok", "warning")
    assert set(results.values()) == {"ok"}


@pytest.mark.parametrize(
    ("argv", "code", "line"),
    [
        (("groupes", "1", "--ds-conn-id", "ds_wrong"), 3, "does not know this token"),
        (("plan", "--groupe", "1", "--ds-conn-id", "ds_closed"), 4, "no whole response from 127.0.0.1:9"),
        (("dossier", "1", "--ds-conn-id", "ds_missing"), 2, "airflow connections"),
        (("extract", "999999", "--to", "zone"), 3, "airflow ds groupes"),
        (("status",), 1, "no warehouse yet"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_one_line_and_an_exit_code(airflow: Run, argv: tuple[str, ...], code: int, line: str) -> None:
    ran = airflow("ds", *argv)
    assert ran.code == code, ran.err
    assert ran.out == ""
    assert line in ran.error


def test_figures_of_groups_plan_and_extraction_are_those_of_the_service(
    airflow: Run, sandbox: Sandbox, groupes: dict[int, dict[str, Any]], tmp_path: Path
) -> None:
    counts = {number: len(numbers_of(groupe)) for number, groupe in groupes.items()}
    listed = airflow("ds", "groupes", sandbox.demarche, "-o", "json").rows
    assert {row["number"]: row["dossiers"] for row in listed} == counts

    *planned, total = airflow("ds", "plan", "--demarche", sandbox.demarche, "-o", "json").rows
    assert {row["number"]: row["dossiers"] for row in planned} == counts
    assert total["dossiers"] == sum(counts.values())

    before = sandbox.state.served
    landed = airflow("ds", "extract", *counts, "--to", tmp_path / "zone", "-o", "json").rows
    assert {row["number"]: numbers_in(row) for row in landed} == {n: numbers_of(one) for n, one in groupes.items()}
    assert abs(sandbox.state.served - before - total["requests"]) <= 2
    stored = sum(part.stat().st_size for part in (tmp_path / "zone").rglob("*.jsonl.gz"))
    assert 0.8 < total["bytes"] / stored < 1.25


def test_killed_extraction_goes_on_where_it_ended(
    airflow: Run, environment: dict[str, str], sandbox: Sandbox, groupes: dict[int, dict[str, Any]], tmp_path: Path
) -> None:
    argv = ["ds", "extract", *map(str, groupes), "--to", str(tmp_path / "zone"), "-o", "json"]
    sandbox.faults.set({"slow": {"seconds": 1.0}})
    process = subprocess.Popen(
        [*AIRFLOW, *argv], env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    for line in process.stderr:
        if "landed at" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sandbox.faults.clear()

    ran = airflow(*argv)

    assert ran.code == 0, ran.err
    assert {row["number"]: numbers_in(row) for row in ran.rows} == {n: numbers_of(one) for n, one in groupes.items()}
    first = next(iter(groupes))
    assert f"group {first}, dossiers: page" not in ran.err


def test_interrupt_ends_an_extraction_at_once_with_its_code(
    environment: dict[str, str], sandbox: Sandbox, tmp_path: Path, airflow: Run
) -> None:
    sandbox.faults.set({"slow": {"seconds": 2.0}})
    command = [*AIRFLOW, "ds", "extract", str(sandbox.groupes[0]), "--to", str(tmp_path / "zone")]
    process = subprocess.Popen(command, env=environment, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    before = sandbox.state.served
    while sandbox.state.served == before and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    sandbox.faults.clear()
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "airflow ds extract: interrupted"


def test_status_shows_what_a_load_left(
    airflow: Run,
    home: Path,
    sandbox: Sandbox,
    groupes: dict[int, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
) -> None:
    from ds_provider.warehouse.extracts import open_extracts
    from ds_provider.warehouse.load.loader import load
    from ds_provider.warehouse.load.report import Policy

    landed = airflow("ds", "extract", *groupes, "--to", tmp_path / "zone", "-o", "json").rows
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    hook = DSHook(connection)
    forms = [(hook.get_revisions(sandbox.demarche), hook.clock.now())]
    extracts = open_extracts([row["manifest"] for row in landed])
    load(DSWarehouseHook().warehouse(), extracts, Policy(), demarches=forms)

    ran = airflow("ds", "status", "--max-age", "1d", "-o", "json")

    assert ran.code == 0, ran.err
    assert [(row["number"], row["label"], row["dossiers"], row["full_history"], row["unread"]) for row in ran.rows] == [
        (number, groupe["label"], len(numbers_of(groupe)), True, []) for number, groupe in sorted(groupes.items())
    ]
