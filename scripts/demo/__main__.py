from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

import scripts.demo
from ds_provider.hooks.warehouse import DATASET
from scripts.demo import tables
from scripts.demo.airflow import Airflow
from scripts.demo.dags import BACKFILL, CHECKOUT, DAILY, write_backfill, write_daily
from scripts.demo.drift import drift, true_fates
from scripts.demo.service import Sandbox

HOME = CHECKOUT / ".airflow" / "demo"
LANDING = HOME / "landing"
DAGS = HOME / "dags"
DATABASE = HOME / "ds_warehouse.duckdb"
PARIS = ZoneInfo("Europe/Paris")
# the sandbox's world begins so long before its clock
PAST = timedelta(days=90)
HEADING = "day            read  dossiers  pending  deleted  vanished  drift  seconds"

LEGEND = """
Between two reconciliations, drift is dossiers that have expired: for two weeks the service shows them in no list."""

NEXT_STEPS = """
The tables are in {database}
  {python} -c 'import duckdb; duckdb.connect("{database}").sql("from {dataset}.dossiers").show()'
The files that they were loaded from are below {landing}, the logs in {logs}.

For the real service:
  1. a token: on the service, in an administrator's profile, "Jetons d'API"
  2. a connection: export AIRFLOW_CONN_DS_DEFAULT='{{"conn_type": "ds", "password": "<the token>"}}'
  3. in dags/{daily}.py and dags/{backfill}.py: your démarche's number in `demarche`, your storage in
     `destination`, your database's connection in `WAREHOUSE`, and your first day in `start_date`
  4. the past, once: airflow backfill create --dag-id {backfill}, as its text tells
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=scripts.demo.__doc__)
    parser.add_argument("--days", type=int, default=30, help="how many days to play, up to a Sunday")
    days = parser.parse_args().days
    if days < 1:
        parser.error("--days must be 1 or more")

    shutil.rmtree(HOME, ignore_errors=True)
    LANDING.mkdir(parents=True)
    DAGS.mkdir()
    first, end = stretch(days, datetime.now(PARIS))
    with ExitStack() as stack:
        sandbox = Sandbox(stack, HOME / "sandbox.log", first)
        print(f"sandbox at {sandbox.url}: démarche {sandbox.demarche}, groupes {sandbox.groupes}", flush=True)
        print("starting Airflow, less than a minute …", flush=True)
        airflow = Airflow(HOME, sandbox)
        load_the_past(airflow, stack, sandbox, months_until(first))
        play(airflow, sandbox, first, end)
        truth = sandbox.truth()
    with tables.opened(DATABASE) as warehouse:
        print_tables(warehouse, sandbox.demarche)
        wrong = drift(truth, warehouse)
    places = {"python": sys.executable, "database": DATABASE, "landing": LANDING, "logs": HOME / "logs"}
    print(NEXT_STEPS.format(**places, dataset=DATASET, daily=DAILY, backfill=BACKFILL))
    print(f"drift: {len(wrong)} of {len(true_fates(truth))} dossiers")
    if wrong:
        raise SystemExit("\n".join(f"{number}: {what}" for number, what in wrong.items()))


def stretch(days: int, now: datetime) -> tuple[datetime, datetime]:
    """The first day and the end: a Sunday, since expired dossiers are only told apart by a Sunday's reconciliation.

    The first day is of a month that is over, so that whole months hold all that was deposited before.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = midnight - timedelta(days=midnight.isoweekday() % 7)
    while end - timedelta(days=days) >= midnight.replace(day=1):
        end -= timedelta(days=7)
    return end - timedelta(days=days), end


def months_until(end: datetime) -> list[datetime]:
    """The beginnings of the months in which the past lies."""
    months = [end.replace(day=1)]
    while months[0] > end - PAST:
        months.insert(0, (months[0] - timedelta(days=1)).replace(day=1))
    return months


def load_the_past(airflow: Airflow, stack: ExitStack, sandbox: Sandbox, months: list[datetime]) -> None:
    """Have the backfill run, and with it start Airflow."""
    write_backfill(DAGS, sandbox.demarche, LANDING)
    airflow.backfill(BACKFILL, months, {"demarche": sandbox.demarche})
    airflow.start(stack)
    print(f"the past, by month of deposit: {', '.join(f'{month:%Y-%m}' for month in months)} …", flush=True)
    # only now: a task that starts before the API server is there fails, and its retry comes minutes later
    airflow.unpause(BACKFILL)
    for month in months:
        airflow.wait_for_run(BACKFILL, month)


def play(airflow: Airflow, sandbox: Sandbox, first: datetime, end: datetime) -> None:
    """Have all days run, each once the sandbox's clock stands at its end."""
    write_daily(DAGS, sandbox.demarche, LANDING, first, end)
    print(HEADING, flush=True)
    for day in days_of(first, end):
        began, clock = datetime.now(timezone.utc), time.monotonic()
        sandbox.move_clock(day + timedelta(days=1))
        airflow.wait_for_tables(DAILY, day)
        with tables.opened(DATABASE) as warehouse:
            wrong = drift(sandbox.truth(), warehouse)
            standing = tables.standing(warehouse, began)
        print_day(day, standing, len(wrong), time.monotonic() - clock)
    airflow.wait_for_run(DAILY, end - timedelta(days=1))


def days_of(first: datetime, end: datetime) -> Iterator[datetime]:
    for number in range((end.date() - first.date()).days):
        yield first + timedelta(days=number)


def print_day(day: datetime, standing: Any, wrong: int, seconds: float) -> None:
    # the night in which a day is read is the next day's
    reconciled = "  reconciled" if day.isoweekday() == 6 else ""
    read, shown, pending, deleted, vanished = standing
    print(
        f"{day:%Y-%m-%d %a} {read:>5}  {shown:>8}  {pending:>7}  {deleted:>7}  {vanished:>8}  {wrong:>5}"
        f"  {seconds:>7.1f}{reconciled}",
        flush=True,
    )


def print_tables(warehouse: duckdb.DuckDBPyConnection, demarche: int) -> None:
    print(LEGEND)
    print("\n" + tables.laid_out(("table", "rows"), tables.counts(warehouse)))
    for question, sql in tables.ANSWERS.items():
        print(f"\n{question}:\n{tables.laid_out(*tables.answer(warehouse, sql, demarche))}")


if __name__ == "__main__":
    main()
