from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from tabulate import tabulate

import scripts.demo
from ds_provider.constants import DEFAULT_DATASET
from scripts.demo import tables
from scripts.demo.airflow import Airflow
from scripts.demo.dags import DAILY, write_daily
from scripts.demo.drift import drift, true_listings
from scripts.processes import CHECKOUT, Sandbox, sandbox

HOME = CHECKOUT / ".airflow" / "demo"
LANDING = HOME / "landing"
DAGS = HOME / "dags"
DATABASE = HOME / "ds_warehouse.duckdb"
PARIS = ZoneInfo("Europe/Paris")
HEADING = "day          loaded  dossiers  pending  deleted  vanished  drift  seconds"

LEGEND = """
Between two reconciliations, drift is expired dossiers: for two weeks no list of the service holds them.
The table dossiers also holds those that are pending or vanished, deleted_dossiers a tombstone of each kind."""

NEXT_STEPS = """
The tables are in {database}
  {python} -c 'import duckdb; duckdb.connect("{database}").sql("from {dataset}.dossiers").show()'
Their files are in {landing}, the logs in {logs}.

For the real service:
  1. a token: on the service, in an administrator's profile, "Jetons d'API"
  2. a connection: export AIRFLOW_CONN_DS_DEFAULT='{{"conn_type": "ds", "password": "<the token>"}}'
  3. in dags/{daily}.py: your démarche's number in `demarche`, your storage in `destination`, your database's
     connection in `WAREHOUSE`; its first night loads everything
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
    options = {"seed": 7, "groupes": 3, "dossiers": 150, "now": first.isoformat()}
    with sandbox(HOME / "sandbox.log", **options) as service, ExitStack() as stack:
        print(f"sandbox at {service.url}: démarche {service.demarche}, groups {service.groupes}", flush=True)
        print("starting Airflow, less than a minute …", flush=True)
        airflow = Airflow(HOME, service)
        airflow.start(stack)
        play(airflow, service, first, end)
        truth = service.truth()
    with tables.opened(DATABASE) as warehouse:
        print_tables(warehouse, service.demarche)
        wrong = drift(truth, warehouse)
    places = {"python": sys.executable, "database": DATABASE, "landing": LANDING, "logs": HOME / "logs"}
    print(NEXT_STEPS.format(**places, dataset=DEFAULT_DATASET, daily=DAILY))
    print(f"drift: {len(wrong)} of {len(true_listings(truth))} dossiers, deleted ones included")
    if wrong:
        raise SystemExit("\n".join(f"{number}: {what}" for number, what in wrong.items()))


def stretch(days: int, now: datetime) -> tuple[datetime, datetime]:
    """Return the first day and the end: a Sunday, since only a Sunday's reconciliation finds expired dossiers."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = midnight - timedelta(days=midnight.isoweekday() % 7)
    return end - timedelta(days=days), end


def play(airflow: Airflow, service: Sandbox, first: datetime, end: datetime) -> None:
    """Run all days, each in the night after it, once the sandbox's clock stands there."""
    write_daily(DAGS, service.demarche, LANDING, first + timedelta(days=1), end)
    print(HEADING, flush=True)
    for day in days_of(first, end):
        began, clock = datetime.now(timezone.utc), time.monotonic()
        night = day + timedelta(days=1)
        service.move_clock(night)
        airflow.wait_for_tables(DAILY, night)
        with tables.opened(DATABASE) as warehouse:
            wrong = drift(service.truth(), warehouse)
            totals = tables.totals(warehouse, began)
        print_day(day, totals, len(wrong), time.monotonic() - clock)
    airflow.wait_for_run(DAILY, end)


def days_of(first: datetime, end: datetime) -> Iterator[datetime]:
    for number in range((end.date() - first.date()).days):
        yield first + timedelta(days=number)


def print_day(day: datetime, totals: Any, wrong: int, seconds: float) -> None:
    # a day's run is in the following night
    reconciled = "  reconciled" if day.isoweekday() == 6 else ""
    loaded, shown, pending, deleted, vanished = totals
    print(
        f"{day:%Y-%m-%d %a} {loaded:>6}  {shown:>8}  {pending:>7}  {deleted:>7}  {vanished:>8}  {wrong:>5}"
        f"  {seconds:>7.1f}{reconciled}",
        flush=True,
    )


def print_tables(warehouse: duckdb.DuckDBPyConnection, demarche: int) -> None:
    print(LEGEND)
    print("\n" + tabulate(tables.counts(warehouse), ("table", "rows"), "plain"))
    for question, sql in tables.ANSWERS.items():
        names, rows = tables.answer(warehouse, sql, demarche)
        print(f"\n{question}:\n{dedent(tabulate(rows, names, 'plain'))}")


if __name__ == "__main__":
    main()
