from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.extracts import open_extracts
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.load.report import Policy
from tests.support.command_line import Run, runner
from tests.support.sandboxes import connect

NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=11, groupes=3, dossiers=130, now=NOW, rate_limit=0) as running:
        yield running


@pytest.fixture
def shown(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The groups as the sandbox itself knows them."""
    groupes: list[dict[str, Any]] = truth(sandbox.state)["groupes"]
    return groupes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Airflow's home, empty: neither a budget nor a warehouse is in it."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def ds(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run a command on the sandbox's connection."""
    connect(sandbox, monkeypatch)
    # Airflow's database is no part of a unit test
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")
    monkeypatch.setattr("ds_provider.api.transport.client.time.sleep", lambda seconds: None)
    yield runner(capsys)
    sandbox.faults.clear()


@pytest.fixture
def use(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Change fields of the connection ``ds_default``."""

    def change(**fields: Any) -> None:
        value = {"conn_type": "ds", "host": sandbox.url, "password": sandbox.token, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))

    return change


@pytest.fixture
def load_all(ds: Run, sandbox: Sandbox, home: Path) -> Callable[[], Warehouse]:
    """Load all that the sandbox shows into the warehouse in Airflow's home."""

    def load_all() -> Warehouse:
        rows = ds("extract", *sandbox.groupes, "--to", home / "zone", "-o", "json").rows
        warehouse, hook = DSWarehouseHook().warehouse(), DSHook()
        forms = [(hook.get_revisions(sandbox.demarche), hook.clock.now())]
        load(warehouse, open_extracts([row["manifest"] for row in rows]), Policy(), demarches=forms)
        return warehouse

    return load_all
