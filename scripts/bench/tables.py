"""Results as Markdown, ratios first."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scripts.bench import scenarios
from scripts.bench.scenarios import Cases, Result

SERVICE_NAMES = ("seconds", "requests", "MB received", "rows")
PACKAGES = ("apache-airflow", "httpx", "apache-airflow-providers-http", "dlt")


def machine() -> str:
    """Return the date, the machine and the versions."""
    return (
        f"{datetime.now().astimezone():%Y-%m-%d}, {cpu_model()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}; " + ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    )


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def latency(results: Sequence[Result]) -> str:
    base, cost = results[0].outcome.wall, scenarios.COST
    head = f"### Time: {cost['seconds']} s a request and {cost['seconds_per_megabyte']} s a megabyte, {size(results)}"
    rows = [[each.contender.name, f"{each.outcome.wall / base:.2f}", *service_columns(each)] for each in results]
    return section(head, ["", "time ÷ ours", *SERVICE_NAMES], rows, results)


def processor(results: Sequence[Result]) -> str:
    base = results[0].outcome
    head = f"### Processor and memory: answers from memory, {size(results)}"
    names = ["", "CPU ÷ ours", "memory ÷ ours", "CPU s per 10,000", "peak MB", "of it at rest", *SERVICE_NAMES]
    rows = [
        [
            each.contender.name,
            f"{each.outcome.cpu / base.cpu:.2f}",
            f"{each.outcome.peak_mb / base.peak_mb:.2f}",
            f"{each.outcome.cpu / each.there * 10_000:.2f}",
            f"{each.outcome.peak_mb:.0f}",
            f"{each.outcome.idle_mb:.0f}",
            *service_columns(each),
        ]
        for each in results
    ]
    return section(head, names, rows, results)


def service_columns(result: Result) -> list[object]:
    outcome, spent = result.outcome, result.spent
    rows = outcome.rows if outcome.error is None else verdict(result)
    return [f"{outcome.wall:.1f}", spent.requests, f"{spent.megabytes:.1f}", rows]


def size(results: Sequence[Result]) -> str:
    there = results[0].there
    # the last contender reads page after page, and sends no other request
    return f"{there:,} dossiers of {results[-1].spent.megabytes / there * 1000:.1f} kB"


def rate(results: Sequence[Result]) -> str:
    head = (
        f"### Refusals: {scenarios.RATE_LIMIT} requests a minute allowed, "
        f"{results[0].there:,} dossiers in pages of {scenarios.RATE_PAGE_SIZE}"
    )
    rows = [
        [each.contender.name, each.spent.refusals, each.spent.requests, verdict(each), f"{each.outcome.wall:.0f}"]
        for each in results
    ]
    return section(head, ["", "refused", "requests", "end", "seconds"], rows, results)


def faults(cases: Cases) -> str:
    contenders = list(next(iter(cases.values())))
    there = next(iter(cases.values()))[contenders[0]].there
    summary = [[each.name, *count_ends([found[each] for found in cases.values()])] for each in contenders]
    parts = [
        f"### Rows kept under each fault: {there:,} dossiers in pages of {scenarios.FAULT_PAGE_SIZE}",
        table(["", "green with rows lost or damaged", "green and whole", "red"], summary),
    ]
    for mode in scenarios.MODES:
        rows = [[fault, *map(verdict, found.values())] for (fault, when), found in cases.items() if when == mode]
        parts += [f"Striking {mode}:", table(["", *(each.name for each in contenders)], rows)]
    return "\n\n".join(parts)


def count_ends(results: Sequence[Result]) -> tuple[int, int, int]:
    """Count the runs that ended green with a loss, green without, and red."""
    losses = sum(map(hides_a_loss, results))
    red = sum(result.outcome.error is not None for result in results)
    return losses, len(results) - losses - red, red


def hides_a_loss(result: Result) -> bool:
    outcome = result.outcome
    return outcome.error is None and (outcome.rows != result.there or outcome.damaged > 0)


def verdict(result: Result) -> str:
    """Return how a run ended and how many rows it kept."""
    outcome = result.outcome
    if outcome.error is not None:
        return f"red, {outcome.rows} kept" if outcome.rows else "red"
    if not hides_a_loss(result):
        return "all, green"
    damaged = f", {outcome.damaged} damaged" if outcome.damaged else ""
    return f"**{outcome.rows} of {result.there}{damaged}, green**"


def section(head: str, names: Sequence[str], rows: Sequence[Sequence[object]], results: Sequence[Result]) -> str:
    recorded = [f"{each.contender.name} {each.spent.recorded}" for each in results if each.spent.recorded]
    note = [f"Requests answered at the sandbox's own speed: {', '.join(recorded)}."] if recorded else []
    return "\n\n".join([head, table(names, rows), *note])


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
