"""A real Airflow on SQLite: scheduler, triggerer, DAG processor and API server."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from scripts.demo.processes import free_port, running, wait_for
from scripts.demo.service import Sandbox

BIN = Path(sys.executable).parent
ATTEMPTS = 4
RUN_STATE = "select state from dag_run where dag_id = ? and logical_date = ?"
TASK_STATES = """
    select task_id, task_instance.state from task_instance join dag_run using (dag_id, run_id)
    where dag_id = ? and dag_run.logical_date = ?
"""
FAILED = {"failed", "upstream_failed"}


class Airflow:
    """Airflow with a home of its own, in which the sandbox is its connection ``ds_default``."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        port = free_port()
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.log = home / "airflow.log"
        self.env = os.environ | settings(home, sandbox, port)

    def backfill(self, dag: str, months: list[datetime], conf: dict[str, Any]) -> None:
        """Have runs made for past months of a paused DAG, by Airflow's own commands.

        To be called before Airflow is started: on SQLite, a scheduler that is at work gets in the way.
        """
        self._command("db", "migrate")
        self._command("dags", "reserialize")
        bounds = ["--from-date", months[0].isoformat(), "--to-date", months[-1].isoformat()]
        # one month at a time: Airflow fails one of two tasks that are the first to name an asset, at the same moment
        create = ["backfill", "create", "--dag-id", dag, *bounds, "--max-active-runs", "1"]
        self._command(*create, "--dag-run-conf", json.dumps(conf))

    def start(self, stack: ExitStack) -> None:
        self.process = stack.enter_context(running([str(BIN / "airflow"), "standalone"], self.log, self.env))
        self._wait_for("Airflow", self._is_up)

    def unpause(self, dag: str) -> None:
        self._command("dags", "unpause", dag)

    def _command(self, *arguments: str) -> None:
        for _ in range(ATTEMPTS):
            command = [str(BIN / "airflow"), *arguments]
            done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            # SQLite refuses one who has read and would write, where another has written meanwhile
            if "database is locked" not in done.stderr:
                break
        raise SystemExit(f"airflow {' '.join(arguments)} failed:\n{done.stderr}")

    def wait_for_tables(self, dag: str, day: datetime) -> None:
        """Wait until a day's run has nothing more to ask of the service, nor to load."""

        def are_done() -> bool:
            states = self._states(dag, day)
            return states.get("load") == "success" and states.get("reconcile") in ("success", "skipped")

        self._wait_for(f"the run of {day:%Y-%m-%d}", are_done)

    def wait_for_run(self, dag: str, day: datetime) -> None:
        self._wait_for(f"the end of the run of {day:%Y-%m-%d}", lambda: self._has_run(dag, day))

    def _has_run(self, dag: str, start: datetime) -> bool:
        """Whether the run of an interval is over.

        :raises SystemExit: if it failed.
        """
        states = {state for (state,) in self._query(RUN_STATE, dag, stored(start))}
        if states & FAILED:
            raise SystemExit(f"a run of {dag} failed: see {self.home / 'logs'}")
        return states == {"success"}

    def _states(self, dag: str, start: datetime) -> dict[str, str]:
        states = dict(self._query(TASK_STATES, dag, stored(start)))
        if failed := sorted(task for task, state in states.items() if state in FAILED):
            raise SystemExit(f"{failed} of {dag} failed on {start:%Y-%m-%d}: see {self.home / 'logs'}")
        return states

    def _wait_for(self, what: str, ready: Any) -> None:
        wait_for(what, ready, self.process, self.log)

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=2) as answer:
                health = json.load(answer)
        except (OSError, ValueError):
            return False
        return bool(health["scheduler"]["status"] == "healthy")

    def _query(self, sql: str, *values: str) -> list[Any]:
        """Rows of Airflow's database; none while it cannot be read."""
        try:
            with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True, timeout=5) as database:
                return database.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            return []


def stored(instant: datetime) -> str:
    """An instant as Airflow writes it into SQLite."""
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")


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
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # a day is a dozen steps, and each would wait for a second
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    }
