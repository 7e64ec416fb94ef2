"""Scenarios of the benchmark. Each has servers of its own."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ds_provider.api.query import documents
from ds_provider.sandbox.http.faults import NAMES
from scripts.bench.jobs import Job, Outcome
from scripts.bench.kept import digests
from scripts.bench.processes import Service, Spent, replay, sandbox, worker
from scripts.processes import call

COST = {"seconds": 0.1, "seconds_per_megabyte": 0.5}
WARM_UP_DOSSIERS = 20
REPETITIONS = 3
RATE_LIMIT = 20
# three quarters of the limit, as by default
RATE_BUDGET = 15
RATE_PAGE_SIZE = 10
# small enough that a fault at random strikes each contender
FAULT_PAGE_SIZE = 50
MODES: Mapping[str, dict[str, Any]] = {
    "20 % of requests": {"probability": 0.2},
    "from page 2 on": {"probability": 1.0, "from": 2},
}

_folders = itertools.count()


class Contender(NamedTuple):
    """:ivar module: below ``scripts.bench.contenders``"""

    name: str
    module: str
    concurrency: int = 1


@dataclass(frozen=True)
class Result:
    """A contender's outcome and its cost to the service.

    :ivar there: the number of dossiers that it should have kept
    """

    contender: Contender
    outcome: Outcome
    there: int
    spent: Spent


Case = tuple[str, str]
Cases = dict[Case, dict[Contender, Result]]


def latency(contenders: Sequence[Contender], dossiers: int, folder: Path) -> list[Result]:
    """Measure time. Each request and each megabyte costs the service time."""
    with recorded(contenders, dossiers, folder) as (service, small):
        call(f"{service.control}/cost", COST)
        return [measure(contender, service, small, folder) for contender in contenders]


def processor(contenders: Sequence[Contender], dossiers: int, folder: Path) -> list[Result]:
    """Measure processor time and memory. Answers cost nothing, and each contender's best run counts."""
    runs: dict[Contender, list[Result]] = {contender: [] for contender in contenders}
    with recorded(contenders, dossiers, folder) as (service, small):
        for _ in range(REPETITIONS):
            for contender in contenders:
                runs[contender].append(measure(contender, service, small, folder))
    return [min(results, key=lambda result: result.outcome.cpu) for results in runs.values()]


def rate(contenders: Sequence[Contender], dossiers: int, folder: Path) -> list[Result]:
    """Count refused requests. The service allows a few a minute."""

    def run(contender: Contender) -> Result:
        options = {"page_size": RATE_PAGE_SIZE, "requests_per_minute": RATE_BUDGET}
        with sandbox(folder, dossiers, rate_limit=RATE_LIMIT) as service, worker(contender.module, folder) as do:
            # a contender that began late in a minute would have two minutes' requests at once
            time.sleep(61 - time.time() % 60)
            say(f"rate limit: {contender.name}")
            return Result(contender, do(job_for(contender, service, folder, **options)), service.there, service.spent())

    with ThreadPoolExecutor(len(contenders)) as pool:
        return list(pool.map(run, contenders))


def faults(contenders: Sequence[Contender], dossiers: int, folder: Path, names: Sequence[str] = NAMES) -> Cases:
    """Count the rows kept under each fault, in each mode."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda each: run_faults(each, dossiers, folder, names), contenders))
    return {case: {found[case].contender: found[case] for found in results} for case in results[0]}


def run_faults(contender: Contender, dossiers: int, folder: Path, names: Sequence[str]) -> dict[Case, Result]:
    """Run one contender under all faults, one after another. They strike the same requests of every contender."""
    found = {}
    with sandbox(folder, dossiers) as service, worker(contender.module, folder) as do:
        truth = write_truth(service, folder)
        options = fault_options(truth)
        job_options = {"page_size": FAULT_PAGE_SIZE, "pauses": False, "truth": str(truth)}
        for name, mode in itertools.product(names, MODES):
            call(f"{service.control}/faults", {name: MODES[mode] | options.get(name, {})})
            outcome = do(job_for(contender, service, folder, **job_options))
            found[name, mode] = Result(contender, outcome, service.there, service.spent())
            say(f"{name}, {mode}: {contender.name}")
    return found


def fault_options(truth: Path) -> dict[str, dict[str, Any]]:
    """Return the settings that some faults need besides their mode."""
    numbers = sorted(map(int, json.loads(truth.read_text())))
    return {
        "complexity": {"page_size": FAULT_PAGE_SIZE // 2},
        "poison": {"numbers": [numbers[len(numbers) // 2]]},
        "slow": {"seconds": 0.05},
    }


@contextmanager
def recorded(contenders: Sequence[Contender], dossiers: int, folder: Path) -> Iterator[tuple[Service, Service]]:
    """Run a replay that has recorded each contender's requests, and a small sandbox to warm up with."""
    with (
        sandbox(folder, WARM_UP_DOSSIERS) as small,
        sandbox(folder, dossiers) as upstream,
        replay(folder, upstream) as service,
    ):
        for contender in contenders:
            say(f"recording: {contender.name}")
            measure(contender, service, small, folder)
        yield service, small


def measure(contender: Contender, service: Service, small: Service, folder: Path) -> Result:
    """Measure one job in a fresh process, so that its memory and processor time are its own.

    A few dossiers are read first, so that imports and set-up are not measured.
    """
    say(f"measuring: {contender.name}")
    with worker(contender.module, folder) as do:
        do(job_for(contender, small, folder))
        before = service.spent()
        outcome = do(job_for(contender, service, folder))
    return Result(contender, outcome, service.there, service.spent().since(before))


def job_for(contender: Contender, service: Service, folder: Path, **options: Any) -> Job:
    return Job(
        url=service.url,
        token=service.token,
        groupe=service.groupe,
        folder=str(folder / f"run-{next(_folders):04d}"),
        query=documents.load("dossiers"),
        concurrency=contender.concurrency,
        **options,
    )


def write_truth(service: Service, folder: Path) -> Path:
    """Write a file of the digests of all rows, as the sandbox sends them without a fault."""
    job = job_for(Contender("truth", "floor"), service, folder)
    with worker("floor", folder) as do:
        do(job)
    found = digests(Path(job.folder))
    if len(found) != service.there:
        raise SystemExit(f"the sandbox has {service.there} dossiers and gave {len(found)}")
    truth = Path(job.folder) / "truth.json"
    truth.write_text(json.dumps(found))
    return truth


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
