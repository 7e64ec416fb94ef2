"""Processes that end with the script that started them, the sandbox among them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
# of a terminal, of a supervisor, and of a terminal that is closed
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(message: str, code: int) -> Iterator[None]:
    """End with a message once somebody interrupts the script, after the blocks within have ended what they started.

    :raises SystemExit: then, with this exit code.
    """
    for number in INTERRUPTIONS:
        signal.signal(number, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print(f"\n{message}", flush=True)
        raise SystemExit(code) from None


def _interrupt(number: int, frame: Any) -> None:
    # a second one must not keep a process from being ended
    for each in INTERRUPTIONS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def running(
    command: list[str], log: Path, env: Mapping[str, str] | None = None, pipe: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and terminate it and its children at the end of the block.

    :param pipe: ``subprocess.PIPE`` to write to it and to read its output; by default this goes to the log
    """
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe or output, stderr=output, cwd=CHECKOUT, env=env, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            _terminate(process)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def airflow_environment(home: Path, url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an Airflow on this machine, without what this process knows of another one.

    :param url: of its API server, with the port
    :param settings: what it has beside, by the names of variables
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    return {
        **others,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # runs begin when they are asked for, and not by the clock
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        **settings,
    }


def free_port(preferred: int = 0) -> int:
    """Return a port of this machine that is free: the preferred one if it is."""
    for port in (preferred, 0):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
            return int(probe.getsockname()[1])
    raise SystemExit("no port of this machine is free")


def end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def read_line(process: subprocess.Popen[bytes], log: Path) -> bytes:
    """Return the next line of a process's output.

    :raises SystemExit: with the end of its log, if the process ended instead
    """
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise SystemExit(f"{process.args!r} ended; the end of {log}:\n{end_of(log)}")
    return line


@dataclass(frozen=True)
class Sandbox:
    """A sandbox in a process of its own."""

    url: str
    token: str
    demarche: int
    groupes: list[int]

    @property
    def control(self) -> str:
        """The base of its own controls."""
        return self.url.removesuffix("/api/v2/graphql") + "/sandbox"

    def move_clock(self, now: datetime) -> None:
        call(f"{self.control}/clock", {"now": now.isoformat()})

    def truth(self) -> dict[str, Any]:
        """Return the dossiers of each list at this moment."""
        truth: dict[str, Any] = call(f"{self.control}/truth")
        return truth


@contextmanager
def sandbox(log: Path, **options: object) -> Iterator[Sandbox]:
    """Run a sandbox with these options of its command line."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "ds_provider.sandbox", "--port=0", *given]
    # through a pipe: the line holds the token, which must be on no disk
    with running(command, log, pipe=subprocess.PIPE) as process:
        yield Sandbox(**json.loads(read_line(process, log)))


def call(url: str, content: Any = None, method: str | None = None, token: str | None = None) -> Any:
    """Send a GET, or a POST if there is content, or another method; with a bearer token if there is one."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
