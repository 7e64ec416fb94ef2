"""Freshness: up to which time each group is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ds_provider.api.query.selection import DOSSIERS
from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.database.store import Warehouse

Interval = tuple[datetime | None, datetime]


@dataclass(frozen=True)
class Freshness:
    """Time up to which a group's dossiers are loaded.

    :param loaded_upto: all changes between the first loaded window and this time are loaded. It is null if only windows
        on the date of deposit were loaded, since they do not cover changes.
    :param last_read_at: when the latest loaded extraction began.
    """

    groupe_instructeur_number: int
    loaded_upto: datetime | None
    last_read_at: datetime


class _Load(NamedTuple):
    groupe_instructeur_number: int
    stream: str
    date_column: str | None
    window_start: datetime | None
    window_end: datetime | None
    complete: bool
    read_started_at: datetime


def freshness(warehouse: Warehouse) -> list[Freshness]:
    """Return the freshness of each group with a loaded extraction of dossiers, in the order of the numbers.

    :raises DSWarehouseError: if the database cannot be read.
    """
    groups: dict[int, list[_Load]] = {}
    for row in warehouse.read(LOADS, _Load._fields).to_pylist():
        load = _Load(**row)
        if load.stream == DOSSIERS.name and load.complete:
            groups.setdefault(load.groupe_instructeur_number, []).append(load)
    return [
        Freshness(number, covered_until(_intervals(loads)), max(load.read_started_at for load in loads))
        for number, loads in sorted(groups.items())
    ]


def covered_until(intervals: Iterable[Interval]) -> datetime | None:
    """Return the end of the time that is covered without a gap since the first start.

    :param intervals: half-open; one without a start begins with the first dossier.
    """
    ordered = sorted(intervals, key=lambda interval: (interval[0] is not None, interval[0] or interval[1]))
    reached: datetime | None = None
    for start, end in ordered:
        if reached is not None and start is not None and start > reached:
            break
        reached = end if reached is None else max(reached, end)
    return reached


def _intervals(loads: Iterable[_Load]) -> Iterator[Interval]:
    """Yield the interval that each extraction covers: up to the end of its window, but never past its own start."""
    for load in loads:
        if load.date_column in (None, "updated"):
            end = min(load.window_end or load.read_started_at, load.read_started_at)
            if load.window_start is None or load.window_start < end:
                yield load.window_start, end
