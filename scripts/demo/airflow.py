"""A real Airflow on SQLite: scheduler, DAG processor and API server. No task of the demo needs a triggerer."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from scripts.processes import Sandbox, call, end_of, running

BIN = Path(sys.executable).parent
# tasks fork from the scheduler, and so need not import these again
SCHEDULER = """
import sys
import dlt.destinations.impl.duckdb.duck
import ds_provider.operators.load, ds_provider.operators.reconcile, ds_provider.warehouse.database.store
from airflow.__main__ import main
from airflow.sdk.execution_time import task_runner
sys.argv = ["airflow", "scheduler"]
main()
"""
RUN_STATE = "select state from dag_run where dag_id = ? and logical_date = ?"
TASK_STATES = """
    select task_id, task_instance.state from task_instance join dag_run using (dag_id, run_id)
    where dag_id = ? and dag_run.logical_date = ?
"""
FAILED = {"failed", "upstream_failed"}
TIMEOUT_SECONDS = 300
POLL_SECONDS = 0.2


class Airflow:
    """An Airflow with its own home. Its connection ``ds_default`` leads to the sandbox."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        port = free_port()
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.env = os.environ | settings(home, sandbox, port)

    def start(self, stack: ExitStack) -> None:
        migrate = [str(BIN / "airflow"), "db", "migrate"]
        done = subprocess.run(migrate, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"Airflow could not create its database:\n{done.stderr}")
        self._start("dag-processor", [str(BIN / "airflow"), "dag-processor"], stack)
        self._start("api-server", [str(BIN / "airflow"), "api-server"], stack)
        self._wait_for("Airflow's API server", self._is_api_up)
        # only now: a task that starts before the API server fails, and its retry comes minutes later
        self._start("scheduler", [sys.executable, "-c", SCHEDULER], stack)

    def _start(self, component: str, command: list[str], stack: ExitStack) -> None:
        self.log = self.home / f"{component}.log"
        self.process = stack.enter_context(running(command, self.log, self.env))

    def wait_for_tables(self, dag: str, night: datetime) -> None:
        """Wait until a night's run has neither requests to send nor rows to load."""
        self._wait_for(f"the run of {night:%Y-%m-%d}", lambda: self._is_loaded(dag, night))

    def wait_for_run(self, dag: str, night: datetime) -> None:
        self._wait_for(f"the end of the run of {night:%Y-%m-%d}", lambda: self._check_run(dag, night))

    def _check_run(self, dag: str, night: datetime) -> bool:
        """Return true once the run of a night has succeeded.

        :raises SystemExit: if it failed.
        """
        states = {state for (state,) in self._query(RUN_STATE, dag, night)}
        if states & FAILED:
            raise SystemExit(f"a run of {dag} failed: see {self.home / 'logs'}")
        return states == {"success"}

    def _is_loaded(self, dag: str, night: datetime) -> bool:
        states = dict(self._query(TASK_STATES, dag, night))
        if failed := sorted(task for task, state in states.items() if state in FAILED):
            raise SystemExit(f"{failed} of {dag} failed on {night:%Y-%m-%d}: see {self.home / 'logs'}")
        return states.get("load") == "success" and states.get("reconcile") in ("success", "skipped")

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until ``ready`` returns true.

        :raises SystemExit: with the end of the log, if the component started last ends or the wait takes too long.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"{what} did not happen; the end of {self.log}:\n{end_of(self.log)}")
            time.sleep(POLL_SECONDS)

    def _is_api_up(self) -> bool:
        try:
            return bool(call(f"{self.url}/api/v2/monitor/health")["metadatabase"]["status"] == "healthy")
        except (OSError, ValueError):
            return False

    def _query(self, sql: str, dag: str, night: datetime) -> list[Any]:
        """Return rows of Airflow's database, or nothing while it cannot be read."""
        # as Airflow writes an instant into SQLite
        stored = night.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
        try:
            with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True, timeout=5) as database:
                return database.execute(sql, (dag, stored)).fetchall()
        except sqlite3.OperationalError:
            return []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def settings(home: Path, sandbox: Sandbox, port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}"
    connection = {"conn_type": "ds", "host": sandbox.url, "password": sandbox.token}
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_DS_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        # new files are enough: no file changes
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # a day is a dozen steps, and each would wait a second
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    }
