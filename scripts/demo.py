"""The fan-out DAG over several days, against the sandbox, in a real Airflow of its own below ``.airflow/demo``.

Airflow's scheduler makes up for the days one by one, and the sandbox's clock moves along: each day is read as it was
at its end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".airflow" / "demo"
LANDING = HOME / "landing"
BIN = Path(sys.executable).parent
PARIS = ZoneInfo("Europe/Paris")
DAG = "ds_groupes_fan_out"
TASKS = f"""
    select task_instance.state, count(*) from task_instance join dag_run using (dag_id, run_id)
    where dag_id = '{DAG}' and task_id in ('dossiers', 'deletions') and dag_run.logical_date = ?
    group by task_instance.state
"""
PATIENCE_SECONDS = 300

NEXT_STEPS = """
The rows are below {landing}
(gzipped JSON lines, listed by the manifest.json beside them). The logs are in {logs}

For the real service:
  1. a token: on the service, in an administrator's profile, "Jetons d'API"
  2. a connection: export AIRFLOW_CONN_DS_DEFAULT='{{"conn_type": "ds", "password": "<the token>"}}'
  3. in dags/{dag}.py: your group numbers in `groupes`, your storage in `destination`, your first day in `start_date`
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: list[str], log: Path, env: dict[str, str], stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its children, ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=stdout or output, stderr=output, env=env, start_new_session=True)
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def wait_for(what: str, ready: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := ready():
            return found
        if process.poll() is not None:
            break
        time.sleep(0.3)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise SystemExit(f"{what} did not come about; the end of {log}:\n{tail}")


class Sandbox:
    """The stand-in for the API, and its clock."""

    def __init__(self, stack: ExitStack, start: datetime) -> None:
        options = ["--port", str(free_port()), "--seed", "7", "--groupes", "3", "--dossiers", "150"]
        command = [sys.executable, "-m", "ds_provider.sandbox", *options, "--now", start.isoformat()]
        # through a pipe: the line holds the token, which is to be on no disk
        process = stack.enter_context(running(command, HOME / "sandbox.log", dict(os.environ), stdout=subprocess.PIPE))
        ready = process.stdout.readline() if process.stdout else b""
        if not ready:
            raise SystemExit(f"the sandbox did not start: see {HOME / 'sandbox.log'}")
        world = json.loads(ready)
        self.url, self.token, self.groupes = world["url"], world["token"], world["groupes"]

    def move_clock(self, now: datetime) -> None:
        body = json.dumps({"now": now.isoformat()}).encode()
        url = self.url.removesuffix("/api/v2/graphql") + "/sandbox/clock"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).close()


class Airflow:
    """A real Airflow on SQLite: scheduler, triggerer, DAG processor and API server."""

    def __init__(self, stack: ExitStack, sandbox: Sandbox) -> None:
        port = free_port()
        self.sandbox = sandbox
        self.url = f"http://127.0.0.1:{port}"
        self.log = HOME / "airflow.log"
        self.env = os.environ | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(HOME),
            "AIRFLOW_CONN_DS_DEFAULT": json.dumps({"conn_type": "ds", "host": sandbox.url, "password": sandbox.token}),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        }
        self.process = stack.enter_context(running([str(BIN / "airflow"), "standalone"], self.log, self.env))
        wait_for("Airflow", self._is_up, self.process, self.log)

    def wait_for_day(self, day: datetime) -> None:
        """Wait until the scheduler has had the groups read for a day."""
        wait_for(f"the run of {day:%Y-%m-%d}", lambda: self._is_read(day), self.process, self.log)

    def wait_for_end(self, days: int) -> None:
        """Wait until all runs, their summaries included, are over."""
        query = "select count(*) from dag_run where dag_id = ? and state = 'success'"
        wait_for("the end of the last run", lambda: self._query(query, DAG) == [(days,)], self.process, self.log)

    def _is_read(self, day: datetime) -> bool:
        states = dict(self._query(TASKS, day.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")) or ())
        if states.keys() & {"failed", "upstream_failed"}:
            raise SystemExit(f"a task of {day:%Y-%m-%d} failed: see {HOME / 'logs'}")
        return states == {"success": 2 * len(self.sandbox.groupes)}

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=2) as answer:
                health = json.load(answer)
        except (OSError, ValueError):
            return False
        return health["scheduler"]["status"] == "healthy"

    def _query(self, sql: str, *values: str) -> list[Any] | None:
        try:
            with sqlite3.connect(f"file:{HOME / 'airflow.db'}?mode=ro", uri=True, timeout=5) as database:
                return database.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            return None


def write_dag(first: datetime, groupes: list[int]) -> None:
    """The example DAG, made one's own as its text tells, and one day at a time for the sandbox's clock."""
    text = (CHECKOUT / "dags" / f"{DAG}.py").read_text()
    for example, own in {
        "Param([1, 2, 3],": f"Param({groupes},",
        '"file:///opt/airflow/landing"': f'"{LANDING.as_uri()}"',
        "start_date=pendulum.datetime(2026, 11, 1,": f"start_date=pendulum.datetime({first:%Y, %-m, %-d},",
        "max_active_runs=2": "max_active_runs=1",
    }.items():
        assert example in text, f"the example DAG has no {example}"
        text = text.replace(example, own)
    (HOME / "dags" / f"{DAG}.py").write_text(text)


def landed_since(moment: datetime) -> dict[int, dict[str, dict[str, Any]]]:
    """The manifests that were written since, by group and stream."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for path in sorted(LANDING.glob("groupe-*/*/*/manifest.json")):
        manifest = json.loads(path.read_text())
        if instant(manifest["read_started_at"]) >= moment:
            manifest["folder"] = path.parent.relative_to(LANDING)
            found.setdefault(manifest["groupe_instructeur_number"], {})[manifest["stream"]] = manifest
    return found


def instant(text: str) -> datetime:
    """Python 3.10 does not read a trailing Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_of(manifest: dict[str, Any]) -> float:
    return (instant(manifest["read_finished_at"]) - instant(manifest["read_started_at"])).total_seconds()


def print_day(day: datetime, landed: dict[int, dict[str, dict[str, Any]]]) -> None:
    for number, streams in sorted(landed.items()):
        dossiers = streams["dossiers"]
        files = sum(len(manifest["parts"]) for manifest in streams.values())
        seconds = sum(seconds_of(manifest) for manifest in streams.values())
        counts = [streams[name]["rows"] for name in ("dossiers", "deleted_dossiers", "pending_deleted_dossiers")]
        print(
            f"{day:%Y-%m-%d}  {number:>7}  {counts[0]:>8}  {counts[1]:>9}  {counts[2]:>7}  {files:>5}  {seconds:>7.2f}"
            f"  {dossiers['folder']}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=5, help="how many days to play, up to yesterday")
    days = parser.parse_args().days

    shutil.rmtree(HOME, ignore_errors=True)
    LANDING.mkdir(parents=True)
    (HOME / "dags").mkdir()
    today = datetime.now(PARIS).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days)
    with ExitStack() as stack:
        sandbox = Sandbox(stack, first)
        print(f"sandbox at {sandbox.url}, groupes instructeurs {sandbox.groupes}", flush=True)
        sandbox.move_clock(first + timedelta(days=1, minutes=10))
        print("starting Airflow, half a minute …", flush=True)
        began = datetime.now(timezone.utc)
        airflow = Airflow(stack, sandbox)
        # only now: a task that starts before the API server is there fails, and its retry comes minutes later
        write_dag(first, sandbox.groupes)
        print("day          groupe  dossiers  deletions  pending  files  seconds  dossiers in", flush=True)
        for day in (first + timedelta(days=n) for n in range(days)):
            airflow.wait_for_day(day)
            print_day(day, landed_since(began))
            began = datetime.now(timezone.utc)
            sandbox.move_clock(day + timedelta(days=2, minutes=10))
        airflow.wait_for_end(days)
    print(NEXT_STEPS.format(landing=LANDING, logs=HOME / "logs", dag=DAG))


if __name__ == "__main__":
    main()
