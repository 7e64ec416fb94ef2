"""A real Airflow on SQLite, whose own supervisor runs the tasks, and servers that all tests of a process share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.transport import retry as retries
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.faults import Faults
from tests.support import life
from tests.support.documents import of_reader
from tests.support.pauses import cut_short
from tests.support.postgres import postgres_server
from tests.support.sandboxes import connect, shown_numbers

NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture(scope="session")
def airflow_db() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The folder of the socket of a Postgres server."""
    with postgres_server() as socket:
        yield socket


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=11, groupes=3, dossiers=130, now=NOW, rate_limit=0) as running:
        yield running


@pytest.fixture
def shown(sandbox: Sandbox) -> dict[int, Counter[int]]:
    """The numbers of the dossiers that each group shows."""
    return shown_numbers(sandbox)


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[Faults]:
    """The sandbox's faults, cleared after the test."""
    yield sandbox.faults
    sandbox.faults.clear()


@pytest.fixture
def connection(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    return connect(sandbox, monkeypatch)


@pytest.fixture
def living_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox of one test alone, at the start of the forty days, and the connection to it."""
    with Sandbox(seed=41, groupes=3, dossiers=60, now=life.START, rate_limit=0) as running:
        connect(running, monkeypatch)
        yield running


@pytest.fixture(scope="module")
def readers_sandbox() -> Iterator[Sandbox]:
    """The service of somebody who reads the documentation, and the connection to it."""
    world = Sandbox(seed=17, groupes=4, dossiers=40, now=NOW, rate_limit=0)
    with world as running, pytest.MonkeyPatch.context() as patch:
        connect(running, patch)
        yield running


@pytest.fixture
def reader(readers_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A home and a landing zone of this reader's own, and the function that puts their numbers into a text."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return lambda text: of_reader(text, readers_sandbox, (tmp_path / "landing").as_uri())


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the pauses between attempts."""
    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", lambda seconds: None)
    monkeypatch.setattr(retries, "RATE_LIMIT_MAX_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(Budget, "record_refusal", lambda budget, wait_seconds: None)


@pytest.fixture(scope="session")
def serialise(airflow_db: None) -> Callable[[Any], None]:
    """Serialise a DAG as Airflow's DAG processor does."""

    def serialise(dag: Any) -> None:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        DagBundlesManager().sync_bundles_to_db()
        bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)

    return serialise


@pytest.fixture(scope="session")
def run_dag(serialise: Callable[[Any], None]) -> Callable[..., Any]:
    """Serialise a DAG and run it."""

    def run(dag: Any, **options: Any) -> Any:
        serialise(dag)
        return dag.test(**options)

    return run
