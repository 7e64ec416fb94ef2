"""How far each group is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ds_provider.api.query.selection import DOSSIERS
from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.database.store import Warehouse

Stretch = tuple[datetime | None, datetime]


@dataclass(frozen=True)
class Freshness:
    """How far a group's dossiers are loaded.

    :param loaded_upto: every change before it is loaded, from the first window that was on; none where only windows on
        the date of deposit were loaded, since these say nothing of changes.
    :param last_read_at: when the latest of the loaded readings began.
    """

    groupe_instructeur_number: int
    loaded_upto: datetime | None
    last_read_at: datetime


class _Load(NamedTuple):
    groupe_instructeur_number: int
    stream: str
    window_column: str | None
    window_start: datetime | None
    window_end: datetime | None
    complete: bool
    read_started_at: datetime


def freshness(warehouse: Warehouse) -> list[Freshness]:
    """Of each group of which dossiers were loaded, by number.

    :raises DSWarehouseError: if the database cannot be read.
    """
    groupes: dict[int, list[_Load]] = {}
    for row in warehouse.read(LOADS, _Load._fields).to_pylist():
        load = _Load(**row)
        if load.stream == DOSSIERS.name and load.complete:
            groupes.setdefault(load.groupe_instructeur_number, []).append(load)
    return [_freshness(number, groupes[number]) for number in sorted(groupes)]


def unbroken(stretches: Iterable[Stretch]) -> datetime | None:
    """The end of the time that is covered without a gap from the first beginning on.

    :param stretches: half-open; without a beginning, from the first dossier on.
    """
    ordered = sorted(stretches, key=lambda stretch: (stretch[0] is not None, stretch[0] or stretch[1]))
    reached: datetime | None = None
    for start, end in ordered:
        if reached is not None and start is not None and start > reached:
            break
        reached = end if reached is None else max(reached, end)
    return reached


def _freshness(number: int, loads: list[_Load]) -> Freshness:
    return Freshness(number, unbroken(_stretches(loads)), max(load.read_started_at for load in loads))


def _stretches(loads: Iterable[_Load]) -> Iterator[Stretch]:
    """What each reading covers: one that was still going on when its window ended covers it up to its own beginning."""
    for load in loads:
        if load.window_column in (None, "updated"):
            end = min(load.window_end or load.read_started_at, load.read_started_at)
            if load.window_start is None or load.window_start < end:
                yield load.window_start, end
