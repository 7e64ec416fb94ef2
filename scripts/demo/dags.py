"""The example DAGs, adapted as their texts say."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from scripts.processes import CHECKOUT

BACKFILL, DAILY = "ds_warehouse_backfill", "ds_warehouse_daily"


def write_backfill(folder: Path, demarche: int, landing: Path) -> None:
    _write(folder, BACKFILL, _settings(demarche, landing))


def write_daily(folder: Path, demarche: int, landing: Path, first: datetime, end: datetime) -> None:
    """Write the daily DAG.

    :param end: days that begin then or later are not run.
    """
    last = end - timedelta(days=1)
    days = f'start_date={_day(first)}, tz="Europe/Paris"),\n    end_date={_day(last)},'
    _write(folder, DAILY, _settings(demarche, landing) | {"start_date=pendulum.datetime(2026, 11, 1,": days})


def _settings(demarche: int, landing: Path) -> dict[str, str]:
    return {
        '"demarche": Param(1,': f'"demarche": Param({demarche},',
        '"file:///opt/airflow/landing"': f'"{landing.as_uri()}"',
    }


def _day(day: datetime) -> str:
    return f"pendulum.datetime({day.year}, {day.month}, {day.day}"


def _write(folder: Path, dag: str, replacements: dict[str, str]) -> None:
    text = (CHECKOUT / "dags" / f"{dag}.py").read_text()
    for example, value in replacements.items():
        assert example in text, f"the example DAG has no {example}"
        text = text.replace(example, value)
    (folder / f"{dag}.py").write_text(text)
