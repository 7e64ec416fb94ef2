"""The processes of the benchmark: sandbox, replay, and a worker for each contender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

from scripts.bench.jobs import Job, Outcome, to_line

CHECKOUT = Path(__file__).resolve().parents[2]
# a clock that stands still: the same question has the same answer, byte by byte
NOW = "2026-11-20T12:00:00+01:00"
# of the dossiers deposited, those that the API still shows at that time
VISIBLE_SHARE = 0.83


@dataclass(frozen=True)
class Spent:
    """What a service was asked, and gave.

    :ivar requests: all of them
    :ivar refusals: those answered with an HTTP status of 400 or more; a replay has none
    :ivar recorded: those that a replay had to pass on, which take the sandbox's own time
    :ivar megabytes: what a replay sent, before compression
    """

    requests: int = 0
    refusals: int = 0
    recorded: int = 0
    megabytes: float = 0.0

    def since(self, before: Spent) -> Spent:
        return Spent(**{name: value - getattr(before, name) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Service:
    """A server that answers as the API does.

    :ivar url: its GraphQL endpoint
    :ivar control: the base of its own controls
    :ivar there: how many dossiers the group has
    """

    url: str
    control: str
    token: str
    groupe: int
    there: int

    def spent(self) -> Spent:
        """What was asked of it so far."""
        state = call(f"{self.control}/state")
        return Spent(**{field.name: state.get(field.name, 0) for field in fields(Spent)})


@contextmanager
def sandbox(folder: Path, dossiers: int, *, rate_limit: int = 0) -> Iterator[Service]:
    """A sandbox with one group that shows about so many dossiers."""
    deposited = str(round(dossiers / VISIBLE_SHARE))
    options = ["--port", "0", "--groupes", "1", "--dossiers", deposited, "--now", NOW, "--rate-limit", str(rate_limit)]
    with running(["ds_provider.sandbox", *options], folder / "sandbox.log") as process:
        world = read_line(process, folder / "sandbox.log")
        control = world["url"].removesuffix("/api/v2/graphql") + "/sandbox"
        there = len(call(f"{control}/truth")["groupes"][0]["dossiers"])
        yield Service(world["url"], control, world["token"], world["groupes"][0], there)


@contextmanager
def replay(folder: Path, upstream: Service) -> Iterator[Service]:
    """A sandbox's answers, recorded."""
    with running(["scripts.bench.replay", upstream.url], folder / "replay.log") as process:
        url = read_line(process, folder / "replay.log")["url"]
        control = url.removesuffix("/api/v2/graphql") + "/replay"
        yield Service(url, control, upstream.token, upstream.groupe, upstream.there)


class Worker:
    """A contender's process. The token goes through its input, not through its arguments or a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._answer()

    def do(self, job: Job) -> Outcome:
        stdin: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        stdin.write(to_line(job))
        stdin.flush()
        return Outcome(**json.loads(self._answer()))

    def _answer(self) -> bytes:
        return read_answer(self._process, self._log)


@contextmanager
def worker(contender: str, folder: Path) -> Iterator[Worker]:
    """A worker that has imported what its contender needs."""
    log = folder / f"{contender}.log"
    with running(["scripts.bench.worker", contender], log, environment(folder)) as process:
        yield Worker(process, log)


def environment(folder: Path) -> dict[str, str]:
    """Homes that are thrown away, and no telemetry."""
    own = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    return os.environ | own


@contextmanager
def running(module: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module as a process, ended with the block."""
    command = [sys.executable, "-m", *module]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=CHECKOUT, env=env
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def read_answer(process: subprocess.Popen[bytes], log: Path) -> bytes:
    """The next line of its output.

    :raises SystemExit: if it ended instead, with the end of its log
    """
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise SystemExit(f"{' '.join(map(str, process.args))} ended:\n{tail}")  # type: ignore[arg-type]
    return line


def read_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(read_answer(process, log))
    return told


def call(url: str, orders: dict[str, Any] | None = None) -> Any:
    """GET, or POST with orders."""
    body = None if orders is None else json.dumps(orders).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
        return json.load(answer)
