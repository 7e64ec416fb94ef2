"""``make demo``: play the days, explain and show the figures of each night, and answer questions in SQL."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from textwrap import dedent, indent
from typing import Any, NoReturn

import duckdb
from tabulate import tabulate

import scripts.demo
from ds_provider.constants import DEFAULT_DATASET
from scripts.demo import tables
from scripts.demo.airflow import Airflow
from scripts.demo.dags import DAG, write_dag
from scripts.demo.drift import drift, expired, true_listings
from scripts.demo.figures import EXPLANATION, HEADING, Figures, about, progress
from scripts.demo.home import DAGS, DATABASE, HOME, LANDING, PARIS, Played, alone
from scripts.processes import Sandbox, free_port, interruptible, sandbox

MAX_DAYS = 365
# on two idle cores
START_SECONDS, DAY_SECONDS = 25, 7

NEXT_STEPS = """
To go on:
  make ui                Airflow's web interface on these very runs, until Ctrl-C: graph, logs, connection, a new run
  {python} -c 'import duckdb; duckdb.connect("{database}").sql("from {dataset}.dossiers").show()'
  {landing}: the files as the service sent them; {logs}: the logs of all tasks

For the real service:
  1. a token: on the service, in an administrateur's profile, "Jetons d'API"
  2. a connection: export AIRFLOW_CONN_DS_DEFAULT='{{"conn_type": "ds", "password": "<the token>"}}'
  3. the DAG above, with your démarche's number and your storage; its first night loads everything
"""


class OneLineParser(argparse.ArgumentParser):
    """Parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main() -> None:
    parser = OneLineParser(prog="make demo", description=scripts.demo.__doc__)
    parser.add_argument("--days", required=True, help="how many days to play, up to the last night")
    days = parse_days(parser, parser.parse_args().days)
    with interruptible("make demo: stopped before its end", 130), alone(parser.prog):
        shutil.rmtree(HOME, ignore_errors=True)
        LANDING.mkdir(parents=True)
        DAGS.mkdir()
        run(Played.until(datetime.now(PARIS), days))


def parse_days(parser: argparse.ArgumentParser, text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_DAYS:
        parser.error(f"DAYS must be a whole number from 1 to {MAX_DAYS}: got {text!r}")
    return int(text)


def run(played: Played) -> None:
    days = len(played.nights)
    duration = about(START_SECONDS + DAY_SECONDS * days)
    print(f"{days} days of a démarche in a warehouse: {duration} on two idle cores. DAYS=30 plays thirty.", flush=True)
    with sandbox(HOME / "sandbox.log", **played.world) as service, ExitStack() as stack:
        print(f"\nThe sandbox: démarche {service.demarche}, groups {', '.join(map(str, service.groupes))}. The DAG:\n")
        print(indent(write_dag(DAGS, service.demarche, LANDING), "  "))
        print(f"Starting Airflow, {about(START_SECONDS)}.\n", flush=True)
        airflow = Airflow(HOME, free_port())
        airflow.start(DAG, stack)
        airflow.connect(service)
        play(airflow, service, played.nights)
        truth = service.truth()
    with tables.opened(DATABASE) as warehouse:
        print_tables(warehouse, service.demarche)
        print_verdict(truth, drift(truth, warehouse))
    played.save()
    places = {"python": sys.executable, "database": DATABASE, "landing": LANDING, "logs": HOME / "logs"}
    print(NEXT_STEPS.format(**places, dataset=DEFAULT_DATASET))


def play(airflow: Airflow, service: Sandbox, nights: list[datetime]) -> None:
    """Run the DAG each night, once the sandbox's clock stands there."""
    print(f"{EXPLANATION}\n{HEADING}", flush=True)
    before: frozenset[int] = frozenset()
    for day, night in enumerate(nights, start=1):
        clock = time.monotonic()
        figures = play_night(airflow, service, night, before)
        print(f"{figures}   {progress(day, len(nights), time.monotonic() - clock)}", flush=True)
        before = figures.after


def play_night(airflow: Airflow, service: Sandbox, night: datetime, before: frozenset[int]) -> Figures:
    began = datetime.now(timezone.utc)
    service.move_clock(night)
    airflow.run(DAG, night)
    with tables.opened(DATABASE) as warehouse:
        pending, vanished = tables.stages(warehouse)
        wrong = drift(service.truth(), warehouse)
        after, read = tables.numbers(warehouse), tables.read_since(warehouse, began)
    return Figures(night, read, before, after, pending, vanished, len(wrong))


def print_tables(warehouse: duckdb.DuckDBPyConnection, demarche: int) -> None:
    print("\n" + tabulate(tables.counts(warehouse), ("table", "rows"), "plain"))
    for question, template in tables.ANSWERS.items():
        sql = dedent(template).strip().format(dataset=DEFAULT_DATASET, demarche=demarche)
        names, rows = tables.answer(warehouse, sql)
        print(f"\n{question}:\n{indent(sql, '  > ')}\n{indent(dedent(tabulate(rows, names, 'plain')), '  ')}")


def print_verdict(truth: dict[str, Any], wrong: dict[int, str]) -> None:
    """Say how the tables and the sandbox differ at the end.

    :raises SystemExit: if they do in anything but expired dossiers.
    """
    dossiers = len(true_listings(truth))
    print(f"\ndrift: {len(wrong)} of {dossiers} dossiers, deleted ones included", end="")
    late = wrong.keys() & expired(truth)
    print(f"; {len(late)} expired since the last reconciliation: the next one finds them" if late else "")
    if unexplained := wrong.keys() - late:
        raise SystemExit("\n".join(f"{number}: {wrong[number]}" for number in sorted(unexplained)))


if __name__ == "__main__":
    main()
