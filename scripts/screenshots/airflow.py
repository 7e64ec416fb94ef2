"""A real Airflow with all its parts, which lets everyone on this machine in, and its runs."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from scripts.processes import Sandbox, airflow_environment, call, end_of, running

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
TIMEOUT_SECONDS = 300
RUN = "select state from dag_run where dag_id = ?"
TASK = "select state from task_instance where dag_id = ?"


class Airflow:
    """An Airflow with its own home, which has one run of each DAG at most."""

    def __init__(self, home: Path, sandbox: Sandbox, port: int) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self._log = home / "airflow.log"
        self._env = airflow_environment(home, self.url, settings(sandbox))

    def start(self, stack: ExitStack) -> None:
        """Run all parts of Airflow until the stack ends."""
        self._process = stack.enter_context(running([AIRFLOW, "standalone"], self._log, self._env))
        self.wait_for("Airflow's API server", self._is_up)

    def run(self, dag: str) -> str:
        """Start the one run of a DAG, and return its id."""
        self.wait_for(f"the DAG {dag}", lambda: bool(self._query("select 1 from serialized_dag where dag_id = ?", dag)))
        command = [AIRFLOW, "dags", "trigger", "--run-id", "first", dag]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{dag} could not be started:\n{done.stderr[-2000:]}")
        return "first"

    def wait_for_state(self, query: str, dag: str, wanted: str) -> None:
        """Wait until the run or the only task of a DAG is in a state."""

        def reached() -> bool:
            states = {state for (state,) in self._query(query, dag)}
            if "failed" in states - {wanted}:
                raise SystemExit(f"{dag} failed: see {self.home / 'logs'}")
            return states == {wanted}

        self.wait_for(f"{wanted!r} of {dag}", reached)

    def wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until ``ready`` returns true.

        :raises SystemExit: if Airflow ends before, or it takes too long.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit(f"{what} did not happen; the end of {self._log}:\n{end_of(self._log)}")
            time.sleep(0.5)

    def _is_up(self) -> bool:
        try:
            return bool(call(f"{self.url}/api/v2/monitor/health")["metadatabase"]["status"] == "healthy")
        except (OSError, ValueError):
            return False

    def _query(self, sql: str, dag: str) -> list[tuple[str]]:
        try:
            with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True, timeout=5) as database:
                return database.execute(sql, (dag,)).fetchall()
        except sqlite3.OperationalError:
            return []


def settings(sandbox: Sandbox) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_DS_DEFAULT": json.dumps({"conn_type": "ds", "host": sandbox.url, "password": sandbox.token}),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
