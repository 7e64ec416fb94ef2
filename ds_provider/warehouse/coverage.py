"""Coverage: from when and up to when each group is loaded, by the extracts in the table ``loads``.

An extract of a full group covers everything before it was read. A window on the date of last change covers its time, up
to the moment it was read. A window on the date of deposit covers no time: it says nothing about later changes of the
dossiers in it. Extracts of some rows only (a state, a revision) cover nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from ds_provider.api.query.parameters import DELETIONS_OVERLAP
from ds_provider.api.query.selection import DOSSIERS, Stream
from ds_provider.api.query.windows import BEGINNING, shown
from ds_provider.exceptions import DSStaleError
from ds_provider.tables import schemas
from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.service_time import service_now
from ds_provider.wording import listed

log = logging.getLogger(__name__)

MAX_AHEAD = timedelta(days=1)

Interval = tuple[datetime | None, datetime]


@dataclass(frozen=True)
class Coverage:
    """Time for which everything that happened in a group is loaded, without a gap.

    :param covered_since: the start of that time; null if it begins with the group's first dossier, and if it is empty.
    :param covered_until: its end; null if it is empty: only windows on the date of deposit are loaded.
    :param last_read_at: when the latest loaded extraction began.
    """

    groupe_instructeur_number: int
    covered_since: datetime | None
    covered_until: datetime | None
    last_read_at: datetime

    @property
    def has_full_history(self) -> bool:
        """True if nothing that happened before ``covered_until`` is missing."""
        return self.covered_until is not None and self.covered_since is None

    @property
    def end(self) -> datetime:
        """Up to when the group is loaded; by date of deposit only, when it was read last."""
        return self.covered_until or self.last_read_at

    @property
    def iso_bounds(self) -> tuple[str | None, str | None]:
        """Both bounds as ISO 8601, in UTC."""
        since, until = (bound and bound.astimezone(timezone.utc) for bound in (self.covered_since, self.covered_until))
        return (since.isoformat() if since else None, until.isoformat() if until else None)

    def __str__(self) -> str:
        if self.covered_until is None:
            return "by date of deposit only"
        since = shown(self.covered_since) if self.covered_since else "its first dossier"
        return f"from {since} to {shown(self.covered_until)}"


class _Load(NamedTuple):
    groupe_instructeur_number: int
    stream: str
    parts: str | None
    date_column: str | None
    window_start: datetime | None
    window_end: datetime | None
    complete: bool
    quarantined: int | None
    read_started_at: datetime


def read_coverage(
    warehouse: Warehouse,
    groups: Collection[int] | None = None,
    *,
    stream: Stream = DOSSIERS,
    parts: Iterable[str] = (),
) -> dict[int, Coverage]:
    """Return the coverage of each group of which something is loaded, in the order of their numbers.

    :param groups: only these; all by default.
    :param stream: dossiers or definitive deletions.
    :param parts: only extracts that hold these parts of the dossiers count.
    :raises DSWarehouseError: if the database cannot be read.
    """
    with warehouse.connected():
        if missing := _dropped_tables(warehouse):
            tables = ", ".join(sorted(missing))
            log.warning("nothing counts as loaded, so all is read again: %s has no table %s", warehouse, tables)
            return {}
        latest = service_now(warehouse) + MAX_AHEAD
        rows_of_loads = warehouse.read(LOADS, _Load._fields, loads_of(stream, groups)).to_pylist()
    wanted = set(parts)
    loads: dict[int, list[_Load]] = {}
    for row in rows_of_loads:
        load = _Load(**row)
        # what is dated by a clock that was far ahead covers nothing
        if load.complete and load.read_started_at <= latest and wanted <= set((load.parts or "").split(",")):
            loads.setdefault(load.groupe_instructeur_number, []).append(load)
    intervals = _intervals if stream is DOSSIERS else _intervals_of_deletions
    return {
        number: Coverage(number, *covered(intervals(rows)), max(load.read_started_at for load in rows))
        for number, rows in sorted(loads.items())
    }


def ensure_fresh(
    groups: Mapping[int, Coverage],
    expected: Collection[int],
    horizon: datetime,
    *,
    requires_full_history: bool = True,
    remedy: str = "see the runs of their tasks",
) -> None:
    """Raise if a group is not fresh or not complete.

    :param expected: the groups that are looked at.
    :param horizon: up to when each must be loaded, with a time zone.
    :param remedy: the end of the message.
    :raises DSStaleError: naming the groups.
    """
    found = {number: group for number in expected if (group := groups.get(number))}
    never = [number for number in expected if number not in groups]
    stale = [number for number, group in found.items() if group.end < horizon]
    partial = [number for number, group in found.items() if requires_full_history and not group.has_full_history]
    problems = {
        "never loaded": never,
        f"not loaded up to {shown(horizon)}": stale,
        "their beginning not loaded": partial,
    }
    if named := "; ".join(f"{problem}: {listed(numbers)}" for problem, numbers in problems.items() if numbers):
        raise DSStaleError(
            f"groups are missing from the warehouse in part or in whole ({named}): {remedy}",
            sorted({*never, *stale, *partial}),
        )


def unread_numbers(warehouse: Warehouse, groups: Collection[int] | None = None) -> dict[int, list[int]]:
    """Return, by group, the dossiers that a loaded extract could not read and none has brought since.

    :param groups: only these; all by default.
    :raises DSWarehouseError: if the database cannot be read.
    """
    columns = ["groupe_instructeur_number", "quarantined_numbers", "read_started_at"]
    loads = warehouse.read(LOADS, columns, f"{loads_of(DOSSIERS, groups)} AND quarantined > 0").to_pylist()
    tried = {
        int(number): (load["groupe_instructeur_number"], load["read_started_at"])
        for load in sorted(loads, key=lambda load: load["read_started_at"])
        for number in (load["quarantined_numbers"] or "").split(",")
        if number
    }
    among = f"number IN ({_listed(tried)})"
    rows = warehouse.read(schemas.DOSSIERS, ["number", "read_at"], among).to_pylist() if tried else []
    gone = warehouse.read(schemas.DELETED_DOSSIERS, ["number"], among)["number"].to_pylist() if tried else []
    read = {row["number"] for row in rows if row["read_at"] > tried[row["number"]][1]}
    unread: dict[int, list[int]] = {}
    for number in sorted(tried.keys() - read - set(gone)):
        unread.setdefault(tried[number][0], []).append(number)
    return unread


def read_labels(warehouse: Warehouse) -> dict[int, str]:
    """Return the labels of the groups, by number, as far as they are loaded.

    :raises DSWarehouseError: if the database cannot be read.
    """
    groups = warehouse.read(schemas.GROUPES_INSTRUCTEURS, ["number", "label"]).to_pylist()
    return {group["number"]: group["label"] for group in groups if group["label"]}


def covered(intervals: Iterable[Interval]) -> tuple[datetime | None, datetime | None]:
    """Return the bounds of the time that is covered without a gap from the first start on; no end if there is none.

    :param intervals: half-open; one without a start begins with the first dossier.
    """
    ordered = sorted(intervals, key=lambda interval: (interval[0] is not None, interval[0] or interval[1]))
    reached: datetime | None = None
    for start, end in ordered:
        if reached is not None and start is not None and start > reached:
            break
        reached = end if reached is None else max(reached, end)
    return (ordered[0][0] if ordered else None), reached


def _intervals(loads: Iterable[_Load]) -> Iterator[Interval]:
    """Yield the interval that each extraction covers: up to the end of its window, but never past its own start."""
    for load in loads:
        if load.date_column in (None, "updated"):
            end = min(load.window_end or load.read_started_at, load.read_started_at)
            start = load.window_start
            if start is None or start <= BEGINNING:
                yield None, end
            elif start < end:
                yield start, end


def _intervals_of_deletions(loads: Iterable[_Load]) -> Iterator[Interval]:
    """Yield the interval in which each extraction saw the deletions become definitive: their dates lie before it."""
    for load in loads:
        # a deletion that could not be read is not asked for by its number: its time counts as not read
        if load.quarantined:
            continue
        start = load.window_start and load.window_start + DELETIONS_OVERLAP
        if start is None or start < load.read_started_at:
            yield start, load.read_started_at


def _dropped_tables(warehouse: Warehouse) -> set[str]:
    """Return the tables that loads have filled and that are there no more: somebody wants them filled again."""
    names = warehouse.table_names()
    if LOADS.name not in names:
        return set()
    relations = set(warehouse.read(schemas.CHAMP_COLUMNS, ["relation"])["relation"].to_pylist())
    return ({table.name for table in (schemas.DOSSIERS, *schemas.CHILD_TABLES)} | relations) - names


def loads_of(stream: Stream, groups: Collection[int] | None) -> str:
    """Return the condition in SQL for the rows of ``loads`` of a stream, and of groups if any are given."""
    condition = f"stream = '{stream.name}'"
    # the numbers are parsed ones: nothing of a user's is in the text
    return condition if groups is None else f"{condition} AND groupe_instructeur_number IN ({_listed(groups)})"


def _listed(groups: Collection[int]) -> str:
    return ", ".join(str(int(number)) for number in groups) or "NULL"
