"""A real Airflow on SQLite: scheduler, DAG processor and API server. No task of the demo needs a triggerer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts.processes import Sandbox, airflow_environment, call, end_of, running

BIN = Path(sys.executable).parent
COMMANDS = {
    "dag-processor": [str(BIN / "airflow"), "dag-processor"],
    "api-server": [str(BIN / "airflow"), "api-server"],
    "scheduler": [sys.executable, "-m", "scripts.demo.scheduler"],
}
USER = "admin"
TIMEOUT_SECONDS = 300
POLL_SECONDS = 0.3
SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "6",
    # the button Test of a connection
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
    # a night is half a dozen steps, and each would wait a second
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    # a task that has ended holds its slot for up to three quarters of this
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}


class Airflow:
    """An Airflow with its own home, on this machine alone."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.env = airflow_environment(home, self.url, SETTINGS)

    def start(self, dag: str, stack: ExitStack) -> None:
        """Run Airflow until the stack ends; return once it can run the DAG."""
        if not (self.home / "airflow.db").exists():
            self._create_database()
        self.processes = {
            name: stack.enter_context(running(command, self._log(name), self.env)) for name, command in COMMANDS.items()
        }
        # all at once, before each is waited for
        stack.callback(self._terminate)
        # the first request to each takes seconds: better ours than a task's
        for path in ("/api/v2/version", "/execution/health"):
            self._wait_for("Airflow's API server", lambda path=path: self._is_up(path))
        self.token = call(f"{self.url}/auth/token", {"username": USER, "password": self.password})["access_token"]
        self._wait_for(f"the DAG {dag}", lambda: self._is_up(f"/api/v2/dags/{dag}/details"))

    def _create_database(self) -> None:
        migrate = [str(BIN / "airflow"), "db", "migrate"]
        done = subprocess.run(migrate, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"Airflow could not create its database:\n{done.stderr}")

    @property
    def password(self) -> str:
        """The password of the user, made by Airflow when it first starts."""
        passwords = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        return str(passwords[USER])

    def connect(self, sandbox: Sandbox) -> None:
        """Make the connection ``ds_default`` lead to a sandbox."""
        connection = {"connection_id": "ds_default", "conn_type": "ds", "host": sandbox.url, "password": sandbox.token}
        create = {"action": "create", "action_on_existence": "overwrite", "entities": [connection]}
        self.api("/connections", {"actions": [create]}, "PATCH")

    def run(self, dag: str, night: datetime) -> None:
        """Run a DAG for a night, and wait until the run has ended.

        :raises SystemExit: if it fails.
        """
        name, at = f"night_{night:%Y-%m-%d}", night.isoformat()
        self.api(f"/dags/{dag}/dagRuns", {"dag_run_id": name, "logical_date": at, "run_after": at})
        run = f"/dags/{dag}/dagRuns/{name}"
        self._wait_for(f"the end of the run {name}", lambda: self.api(run)["state"] in ("success", "failed"))
        if self.api(run)["state"] == "failed":
            tasks = self.api(f"{run}/taskInstances?state=failed")["task_instances"]
            failed = ", ".join(sorted(task["task_id"] for task in tasks))
            raise SystemExit(f"the run {name} of {dag} failed in {failed}: see {self.home / 'logs'}")

    def api(self, path: str, content: Any = None, method: str | None = None) -> Any:
        """Send a request to Airflow's REST API."""
        return call(f"{self.url}/api/v2{path}", content, method, self.token)

    def check(self) -> None:
        """Raise if a process of Airflow has ended.

        :raises SystemExit: with the end of its log.
        """
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise SystemExit(f"Airflow's {name} ended; the end of {self._log(name)}:\n{end_of(self._log(name))}")

    def _terminate(self) -> None:
        for process in self.processes.values():
            process.terminate()

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise SystemExit(f"{what} did not happen in {TIMEOUT_SECONDS // 60} minutes: see {self.home}")
            time.sleep(POLL_SECONDS)

    def _is_up(self, path: str) -> bool:
        try:
            call(self.url + path, token=getattr(self, "token", None))
        except (OSError, ValueError):
            return False
        return True
