"""Processes of the benchmark: sandbox, replay, and a worker for each contender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import msgspec

from scripts import processes
from scripts.bench.jobs import Job, Outcome

# a clock that stands still: the same query has the same answer, byte by byte
NOW = "2026-11-20T12:00:00+01:00"
# the share of the deposited dossiers that the API still shows at that time
VISIBLE_SHARE = 0.83


@dataclass(frozen=True)
class Spent:
    """Counts of a service's requests and answers.

    :ivar requests: all requests
    :ivar refusals: answers with an HTTP status of 400 or more; a replay has none
    :ivar recorded: requests that a replay had to pass on, at the sandbox's own speed
    :ivar megabytes: the size of a replay's answers before compression
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
    :ivar there: the number of dossiers in the group
    """

    url: str
    control: str
    token: str
    groupe: int
    there: int

    def spent(self) -> Spent:
        """Return its counts so far."""
        return msgspec.convert(processes.call(f"{self.control}/state"), Spent)


@contextmanager
def sandbox(folder: Path, dossiers: int, *, rate_limit: int = 0) -> Iterator[Service]:
    """Run a sandbox with one group that shows about this number of dossiers."""
    deposited = round(dossiers / VISIBLE_SHARE)
    log = folder / "sandbox.log"
    with processes.sandbox(log, groupes=1, dossiers=deposited, now=NOW, rate_limit=rate_limit) as served:
        (groupe,) = served.truth()["groupes"]
        yield Service(served.url, served.control, served.token, groupe["number"], len(groupe["dossiers"]))


@contextmanager
def replay(folder: Path, upstream: Service) -> Iterator[Service]:
    """Run a replay of a sandbox's answers."""
    log = folder / "replay.log"
    command = [sys.executable, "-m", "scripts.bench.replay", upstream.url]
    with processes.running(command, log, pipe=subprocess.PIPE) as process:
        url = json.loads(processes.read_line(process, log))["url"]
        yield replace(upstream, url=url, control=url.removesuffix("/api/v2/graphql") + "/replay")


@contextmanager
def worker(contender: str, folder: Path) -> Iterator[Callable[[Job], Outcome]]:
    """Run a worker that has imported all that its contender needs. Yield what does a job in it.

    It gets the token through its input, not through its arguments or a file. Its homes are thrown away.
    """
    log = folder / f"{contender}.log"
    homes = {"AIRFLOW_HOME": str(folder / "airflow"), "DLT_DATA_DIR": str(folder / "dlt")}
    env = os.environ | homes | {"RUNTIME__DLTHUB_TELEMETRY": "false"}
    command = [sys.executable, "-m", "scripts.bench.worker", contender]
    with processes.running(command, log, env, subprocess.PIPE) as process:
        processes.read_line(process, log)
        stdin: IO[bytes] = process.stdin  # type: ignore[assignment]

        def do(job: Job) -> Outcome:
            stdin.write(msgspec.json.encode(job) + b"\n")
            stdin.flush()
            return msgspec.json.decode(processes.read_line(process, log), type=Outcome)

        yield do
