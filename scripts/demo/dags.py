"""The example DAGs, made one's own as their texts tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BACKFILL, DAILY = "ds_warehouse_backfill", "ds_warehouse_daily"


def write_backfill(folder: Path, demarche: int, landing: Path) -> None:
    """Paused, until its runs are made."""
    paused = {"    catchup=False,\n": "    catchup=False,\n    is_paused_upon_creation=True,\n"}
    _write(folder, BACKFILL, _own(demarche, landing) | paused)


def write_daily(folder: Path, demarche: int, landing: Path, first: datetime, end: datetime) -> None:
    """:param end: no day that begins then or later is run."""
    last = end - timedelta(days=1)
    days = f'start_date={_day(first)}, tz="Europe/Paris"),\n    end_date={_day(last)},'
    _write(folder, DAILY, _own(demarche, landing) | {"start_date=pendulum.datetime(2026, 11, 1,": days})


def _own(demarche: int, landing: Path) -> dict[str, str]:
    return {
        '"demarche": Param(1,': f'"demarche": Param({demarche},',
        '"file:///opt/airflow/landing"': f'"{landing.as_uri()}"',
    }


def _day(day: datetime) -> str:
    return f"pendulum.datetime({day.year}, {day.month}, {day.day}"


def _write(folder: Path, dag: str, replacements: dict[str, str]) -> None:
    text = (CHECKOUT / "dags" / f"{dag}.py").read_text()
    for example, own in replacements.items():
        assert example in text, f"the example DAG has no {example}"
        text = text.replace(example, own)
    (folder / f"{dag}.py").write_text(text)
