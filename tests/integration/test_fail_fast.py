"""Errors that only a person can mend, in a real Airflow: no task waits for retries that cannot help."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox

pytestmark = pytest.mark.integration


def test_task_with_an_unknown_token_fails_at_its_first_try(
    sandbox: Sandbox, run_dag: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    value = {"conn_type": "ds", "host": sandbox.url, "password": "unknown-token"}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))
    with DAG("fail_fast", start_date=pendulum.datetime(2026, 11, 1), schedule=None) as dag:
        DSExtractDossiersOperator(
            task_id="extract",
            groupe_instructeur_number=sandbox.groupes[0],
            destination=f"file://{tmp_path}/zone",
            retries=3,
            retry_delay=timedelta(seconds=1),
        )
    (task,) = run_dag(dag).get_task_instances()
    assert (task.state, task.try_number, task.max_tries) == ("failed", 1, 3)
