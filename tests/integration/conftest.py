"""A real Airflow on SQLite, its tasks run by its own supervisor, against the sandbox over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.sandbox import Sandbox

NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture(scope="session")
def airflow_db() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=11, groupes=3, dossiers=130, now=NOW, rate_limit=0) as running:
        yield running


@pytest.fixture
def connection(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    import json

    # the sandbox allows any number of requests, and nobody is to wait for a minute's end
    extra = {"requests_per_minute": 100_000}
    value = {"conn_type": "ds", "host": sandbox.url, "password": sandbox.token, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))
    return "ds_default"


@pytest.fixture
def run_dag(airflow_db: None) -> Callable[..., Any]:
    """Serialise a DAG as Airflow's DAG processor does, and run it."""

    def run(dag: Any, **options: Any) -> Any:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        DagBundlesManager().sync_bundles_to_db()
        bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)
        return dag.test(**options)

    return run
