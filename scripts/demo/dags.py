"""The example DAGs, adapted as their texts say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from scripts.processes import CHECKOUT

DAILY = "ds_warehouse_daily"


def write_daily(folder: Path, demarche: int, landing: Path, first: datetime, last: datetime) -> None:
    """Write the daily DAG, to run in each night from the first to the last."""
    nights = f'start_date={_day(first)}, tz="Europe/Paris"),\n    end_date={_day(last)},'
    replacements = {
        '"demarche": Param(1,': f'"demarche": Param({demarche},',
        '"file:///opt/airflow/landing"': f'"{landing.as_uri()}"',
        "start_date=pendulum.datetime(2026, 11, 1,": nights,
        # all nights are in the past, and each has a run
        "catchup=False": "catchup=True",
    }
    _write(folder, DAILY, replacements)


def _day(day: datetime) -> str:
    return f"pendulum.datetime({day.year}, {day.month}, {day.day}"


def _write(folder: Path, dag: str, replacements: dict[str, str]) -> None:
    text = (CHECKOUT / "dags" / f"{dag}.py").read_text()
    for example, value in replacements.items():
        assert example in text, f"the example DAG has no {example}"
        text = text.replace(example, value)
    (folder / f"{dag}.py").write_text(text)
