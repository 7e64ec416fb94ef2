"""The demo runs its nights in a real Airflow. ``make ui`` shows them, can run another, and leaves no process."""

from __future__ import annotations

import base64
import gzip
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ds_provider.sandbox import Sandbox
from scripts.demo.home import HOME, alone
from scripts.demo.tables import ANSWERS
from scripts.processes import CHECKOUT, call

pytestmark = pytest.mark.integration

DAYS = 2
ROW = re.compile(r"^\w{3} \d{4}-\d\d-\d\d" + 8 * r" +(\d+)" + rf" +day \d of {DAYS}", re.MULTILINE)
TIMEOUT_SECONDS = 400


@pytest.fixture(scope="module")
def demo() -> str:
    command = [sys.executable, "-m", "scripts.demo", "--days", str(DAYS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS, cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def forms_of(token: str) -> set[bytes]:
    secret = base64.urlsafe_b64decode(token).partition(b";")[2]
    plain = token.encode()
    return {plain, plain.rstrip(b"="), urllib.parse.quote(token).encode(), base64.b64encode(plain), secret}


def test_demo_shows_figures_that_add_up(demo):
    rows = [[int(figure) for figure in row] for row in ROW.findall(demo)]
    assert len(rows) == DAYS
    yesterday = 0
    for read, before, new, erased, after, pending, vanished, _ in rows:
        assert before == yesterday
        assert before + new - erased == after
        assert read > 0
        assert pending + vanished < after
        yesterday = after
    counts = dict(re.findall(r"^(\w+) +(\d+)$", demo, re.MULTILINE))
    assert int(counts["dossiers"]) == yesterday > 300
    assert int(counts["champs"]) > 10 * yesterday


def test_demo_ends_without_an_unexplained_difference(demo):
    drift = ROW.findall(demo)[-1][-1]
    (late,) = re.findall(rf"^drift: {drift} of [1-9]\d\d dossiers, deleted ones included(.*)$", demo, re.MULTILINE)
    assert late == ("" if drift == "0" else f"; {drift} expired since the last reconciliation: the next one finds them")


def test_demo_explains_its_columns_and_what_is_next(demo):
    before_the_table, _, after = demo.partition("\nnight ")
    for column in ("read", "yesterday", "new", "erased", "today", "pending", "vanished", "drift"):
        assert re.search(rf"^ +[+=-]? ?{column} ", before_the_table, re.MULTILINE)
    for question in ANSWERS:
        assert re.search(rf"^{re.escape(question)}:\n  > \w.*\n(  > .*\n)*  \w.*\n *\w", after, re.MULTILINE)
    assert "make ui" in after
    assert "For the real service" in after


def test_demo_leaves_the_token_in_no_file(demo):
    with Sandbox(seed=7) as sandbox:
        forms = forms_of(sandbox.token)
    files = [path for path in HOME.rglob("*") if path.is_file()]
    assert {HOME / "airflow.db", HOME / "ds_warehouse.duckdb"} <= set(files)
    assert len([path for path in files if path.suffix == ".log"]) > 6
    for path in files:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert not [form for form in forms if form in content], path
    assert not [form for form in forms if form.decode(errors="replace") in demo]


def test_web_interface_shows_the_runs_runs_the_dag_again_and_ends_what_it_started(demo):
    command = [sys.executable, "-m", "scripts.demo.ui"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        try:
            pages = Pages(process)
            assert list(pages.runs().values()) == DAYS * ["success"]
            (connection,) = pages.api("/connections")["connections"]
            assert (connection["connection_id"], connection["conn_type"]) == ("ds_default", "ds")
            with pytest.raises(SystemExit, match="is running in this checkout"), alone("make demo"):
                pytest.fail("the demo would remove what is shown")

            call(pages.clock, {"advance_seconds": 86_400})
            triggered = pages.api("/dags/my_warehouse/dagRuns", {"logical_date": None})["dag_run_id"]
            wait_until(lambda: pages.runs()[triggered] == "success")
            started = descendants(process.pid)
            assert len(started) > 4
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_SECONDS) == 0
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


class Pages:
    """Airflow's web interface, as the lines that it prints describe it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        told = ""
        while "Ctrl-C" not in told:
            line = process.stdout.readline()
            assert line, f"it ended: {told}"
            told += line
        self.url, user, password, self.clock = (
            re.search(pattern, told, re.MULTILINE)[1]
            for pattern in (r"^Airflow is at (\S+)$", r"^ +user +(\S+)$", r"^ +password +(\S+)$", r"curl -s (\S+)")
        )
        self.token = call(f"{self.url}/auth/token", {"username": user, "password": password})["access_token"]

    def api(self, path: str, content: Any = None) -> Any:
        return call(f"{self.url}/api/v2{path}", content, token=self.token)

    def runs(self) -> dict[str, str]:
        """Return the state of each run."""
        return {run["dag_run_id"]: run["state"] for run in self.api("/dags/my_warehouse/dagRuns")["dag_runs"]}


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def descendants(ancestor: int) -> set[int]:
    """Return the processes that a process has started, and those that these have started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    while new := {pid for pid, parent in parents.items() if parent in found | {ancestor}} - found:
        found |= new
    return found
