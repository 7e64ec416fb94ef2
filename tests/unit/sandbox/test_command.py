"""The command line, as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ds_provider.sandbox.__main__ import main
from tests.support.sandbox_client import HTTP

CHECKOUT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "ds_provider.sandbox"]


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen([*COMMAND, "--port=0", *options], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def ask(ready: dict[str, Any], query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {ready['token']}"}
    return HTTP.post(ready["url"], json={"query": query, "variables": variables}, headers=headers).json()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_command_prints_a_ready_line_serves_and_stops_on_a_signal(stop: signal.Signals) -> None:
    with serving("--groupes=2", "--dossiers=5", "--seed=9") as (process, ready):
        assert set(ready) == {"url", "token", "demarche", "groupes"}
        assert ready["url"].endswith("/api/v2/graphql")
        query = "query($n: Int!) { demarche(number: $n) { groupeInstructeurs { number } } }"
        groups = ask(ready, query, n=ready["demarche"])["data"]["demarche"]["groupeInstructeurs"]
        assert sorted(group["number"] for group in groups) == sorted(ready["groupes"])
        process.send_signal(stop)
        rest, _ = process.communicate(timeout=10)
        assert (process.returncode, rest) == (0, "")


def test_option_now_stops_the_clock_at_an_instant() -> None:
    with serving("--groupes=1", "--dossiers=3", "--now=2026-03-29T01:00:00+01:00", "--rate-limit=0") as (_, ready):
        state = HTTP.get(httpx.URL(ready["url"]).join("/sandbox/state")).json()
        assert (state["now"], state["running"]) == ("2026-03-29T00:00:00+00:00", False)


def test_option_server_gives_a_server_of_january() -> None:
    with serving("--groupes=1", "--dossiers=3", "--server=2026-01") as (_, ready):
        answer = ask(ready, "{ demarcheDescriptors { nodes { number } } }")
    assert answer["errors"][0]["extensions"]["code"] == "undefinedField"


@pytest.mark.parametrize(
    "option",
    [
        "--port=x",
        "--port=99999999",
        "--groupes=0",
        "--dossiers=0",
        "--seed=-1",
        "--rate-limit=-1",
        "--now=noon",
        "--now=2026-01-01",
        "--server=2025-01",
        "--nope",
    ],
)
def test_command_reports_a_wrong_option_in_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([option])
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out) == (2, "")
    (line,) = printed.err.splitlines()
    assert line.startswith("sandbox: ")


def test_command_names_a_port_that_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as stopped:
            main([f"--port={port}"])
    assert stopped.value.code == 1
    assert capsys.readouterr().err == f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_command_without_the_extra_says_how_to_install_it() -> None:
    done = run_python(
        "import sys; sys.modules['graphql'] = None; from ds_provider.sandbox.__main__ import main; main([])"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "the sandbox needs graphql-core: pip install 'airflow-provider-demarches-simplifiees[sandbox]'"
    ]


def test_package_needs_no_airflow_and_imports_no_dependency() -> None:
    done = run_python(
        "import sys; sys.modules['airflow'] = None\n"
        "import ds_provider.sandbox\n"
        "assert 'graphql' not in sys.modules and 'uvicorn' not in sys.modules\n"
        "with ds_provider.sandbox.Sandbox(groupes=1, dossiers=3) as sandbox: print(sandbox.url)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")
