"""The demo's folder, one user of it at a time, and the record from which ``make ui`` finds its sandbox again."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scripts.processes import CHECKOUT

HOME = CHECKOUT / ".airflow" / "demo"
LANDING = HOME / "landing"
DAGS = HOME / "dags"
DATABASE = HOME / "ds_warehouse.duckdb"
PARIS = ZoneInfo("Europe/Paris")
# as the pipeline's own schedule: in the night, and not at midnight, when a second decides of which day it is
HOUR = 4
# written last: without it the demo did not end
RECORD = HOME / "demo.json"


@dataclass(frozen=True)
class Played:
    """Time that the demo plays: the sandbox begins at an instant, and a run of the DAG follows each day later."""

    first: datetime
    days: int

    @classmethod
    def until(cls, now: datetime, days: int) -> Played:
        """Return the days up to the last night's run."""
        today = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
        last = today if today <= now else today - timedelta(days=1)
        return cls(last - timedelta(days=days), days)

    @classmethod
    def recorded(cls) -> Played | None:
        """Return what the demo played last, or nothing if it did not end."""
        if not RECORD.exists():
            return None
        record = json.loads(RECORD.read_text())
        return cls(datetime.fromisoformat(record["first"]).astimezone(PARIS), record["days"])

    def save(self) -> None:
        RECORD.write_text(json.dumps({"first": self.first.isoformat(), "days": self.days}))

    @property
    def nights(self) -> list[datetime]:
        """The instants of the runs."""
        return [self.first + timedelta(days=day) for day in range(1, self.days + 1)]

    @property
    def world(self) -> dict[str, Any]:
        """The options of the sandbox: the same ones make the same dossiers and the same days."""
        return {"seed": 7, "groupes": 3, "dossiers": 150, "now": self.first.isoformat()}


@contextmanager
def alone(command: str) -> Iterator[None]:
    """Keep the demo and its pages from using the folder at the same time.

    :raises SystemExit: if another does.
    """
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "demo.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"{command}: make demo or make ui is running in this checkout: end it first") from None
        yield
