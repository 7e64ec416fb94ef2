"""A contender's process. Each line of its input is a job, each line of its output an outcome."""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from scripts.bench.jobs import Job, Outcome
from scripts.bench.kept import count

MEGABYTE = 1024 * 1024
# Linux counts in kilobytes, macOS in bytes
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def main(name: str) -> None:
    # anything that the libraries print goes to the log
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    read = importlib.import_module(f"scripts.bench.contenders.{name}").read
    answers.write(b"ready\n")
    for line in sys.stdin:
        outcome = run(read, msgspec.json.decode(line, type=Job))
        answers.write(msgspec.json.encode(outcome) + b"\n")


def run(read: Callable[[Job], None], job: Job) -> Outcome:
    folder, truth = Path(job.folder), Path(job.truth) if job.truth else None
    folder.mkdir()
    idle, began, spent = peak_mb(), time.perf_counter(), cpu_seconds()
    error = attempt(read, job)
    wall, cpu, peak = time.perf_counter() - began, cpu_seconds() - spent, peak_mb()
    rows, damaged = count(folder, truth)
    return Outcome(error, rows, damaged, wall, cpu, peak, idle)


def attempt(read: Callable[[Job], None], job: Job) -> str | None:
    """Return the error, if there is one. Any exception makes a task red."""
    try:
        with nullcontext() if job.pauses else short_pauses():
            read(job)
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}".replace(job.token, "***")
    return None


@contextmanager
def short_pauses() -> Iterator[None]:
    """Shorten all pauses: which rows are kept does not depend on the time between attempts."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(seconds / 1000)
    try:
        yield
    finally:
        time.sleep = sleep


def peak_mb() -> float:
    resident: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return resident * RSS_UNIT / MEGABYTE


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1])
