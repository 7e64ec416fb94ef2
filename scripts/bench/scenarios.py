"""What the contenders are put through. Each scenario has servers of its own."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ds_provider.api.query import documents
from scripts.bench.jobs import Job, Outcome
from scripts.bench.kept import digests
from scripts.bench.processes import Service, Spent, call, replay, sandbox, worker

COST = {"seconds": 0.1, "seconds_per_megabyte": 0.5}
WARM_UP_DOSSIERS = 20
REPETITIONS = 3
RATE_LIMIT = 20
# three quarters of the limit, as by default
RATE_BUDGET = 15
RATE_PAGE_SIZE = 10
# small enough for a fault that strikes now and then to strike each contender
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
    """A contender's outcome and what it cost the service.

    :ivar there: how many dossiers it should have kept
    """

    contender: Contender
    outcome: Outcome
    there: int
    spent: Spent


Case = tuple[str, str]
Cases = dict[Case, dict[Contender, Result]]


def latency(contenders: Sequence[Contender], dossiers: int, folder: Path) -> list[Result]:
    """Time where each request, and what it is asked to send, costs the service time."""
    with recorded(contenders, dossiers, folder) as (service, small):
        call(f"{service.control}/cost", COST)
        return [measure(contender, service, small, folder) for contender in contenders]


def processor(contenders: Sequence[Contender], dossiers: int, folder: Path) -> list[Result]:
    """Processor time and memory where answers cost nothing: the run of each with the least processor time."""
    runs: dict[Contender, list[Result]] = {contender: [] for contender in contenders}
    with recorded(contenders, dossiers, folder) as (service, small):
        for _ in range(REPETITIONS):
            for contender in contenders:
                runs[contender].append(measure(contender, service, small, folder))
    return [min(results, key=lambda result: result.outcome.cpu) for results in runs.values()]


def rate(contenders: Sequence[Contender], dossiers: int, folder: Path) -> list[Result]:
    """Requests refused where only so many a minute are allowed."""

    def run(contender: Contender) -> Result:
        with sandbox(folder, dossiers, rate_limit=RATE_LIMIT) as service, worker(contender.module, folder) as ready:
            job = job_for(contender, service, folder)
            job = replace(job, page_size=RATE_PAGE_SIZE, requests_per_minute=RATE_BUDGET)
            # one that began late in a minute would have two minutes' requests at once
            time.sleep(61 - time.time() % 60)
            say(f"asking too often: {contender.name}")
            return Result(contender, ready.do(job), service.there, service.spent())

    with ThreadPoolExecutor(len(contenders)) as pool:
        return list(pool.map(run, contenders))


def faults(contenders: Sequence[Contender], names: Sequence[str], dossiers: int, folder: Path) -> Cases:
    """Rows kept under each fault, in each mode."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        suffered = list(pool.map(lambda each: suffer(each, names, dossiers, folder), contenders))
    return {case: {found[case].contender: found[case] for found in suffered} for case in suffered[0]}


def suffer(contender: Contender, names: Sequence[str], dossiers: int, folder: Path) -> dict[Case, Result]:
    """One contender under all faults, one after another: which requests they strike is the same for all."""
    found = {}
    with sandbox(folder, dossiers) as service, worker(contender.module, folder) as ready:
        truth = write_truth(service, folder)
        options = fault_options(truth)
        job = replace(job_for(contender, service, folder), page_size=FAULT_PAGE_SIZE, pauses=False, truth=str(truth))
        for name, mode in itertools.product(names, MODES):
            call(f"{service.control}/faults", {name: MODES[mode] | options.get(name, {})})
            outcome = ready.do(replace(job, folder=new_folder(folder)))
            found[name, mode] = Result(contender, outcome, service.there, service.spent())
            say(f"{name}, {mode}: {contender.name}")
    return found


def fault_options(truth: Path) -> dict[str, dict[str, Any]]:
    """What some faults need to be told besides when they strike."""
    numbers = sorted(map(int, json.loads(truth.read_text())))
    return {
        "complexity": {"page_size": FAULT_PAGE_SIZE // 2},
        "poison": {"numbers": [numbers[len(numbers) // 2]]},
        "slow": {"seconds": 0.05},
    }


@contextmanager
def recorded(contenders: Sequence[Contender], dossiers: int, folder: Path) -> Iterator[tuple[Service, Service]]:
    """A replay that each contender has already been through, and a small sandbox to warm up with."""
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
    """One job in a fresh process, so that its memory and processor time are its own.

    A few dossiers are read first: what is imported and set up at the first reading is not measured.
    """
    say(f"reading: {contender.name}")
    with worker(contender.module, folder) as ready:
        ready.do(job_for(contender, small, folder))
        before = service.spent()
        outcome = ready.do(job_for(contender, service, folder))
    return Result(contender, outcome, service.there, service.spent().since(before))


def job_for(contender: Contender, service: Service, folder: Path) -> Job:
    return Job(
        url=service.url,
        token=service.token,
        groupe=service.groupe,
        folder=new_folder(folder),
        query=documents.load("dossiers"),
        concurrency=contender.concurrency,
    )


def write_truth(service: Service, folder: Path) -> Path:
    """A file of the digests of the rows, as the sandbox gives them without a fault."""
    job = job_for(Contender("truth", "floor"), service, folder)
    with worker("floor", folder) as ready:
        ready.do(job)
    found = digests(Path(job.folder))
    if len(found) != service.there:
        raise SystemExit(f"the sandbox has {service.there} dossiers and gave {len(found)}")
    truth = Path(job.folder) / "truth.json"
    truth.write_text(json.dumps(found))
    return truth


def new_folder(folder: Path) -> str:
    return str(folder / f"run-{next(_folders):04d}")


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
