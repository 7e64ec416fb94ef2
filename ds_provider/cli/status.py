"""``airflow ds status``: from when to when each group is loaded into the warehouse."""

from __future__ import annotations

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ds_provider.cli.command import Row, command, print_rows
from ds_provider.exceptions import DSConfigurationError, DSStaleError
from ds_provider.hooks.warehouse import DSWarehouseHook

if TYPE_CHECKING:
    from ds_provider.warehouse.coverage import Coverage
    from ds_provider.warehouse.database.store import Warehouse

_AGE = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@command
def status(args: Namespace) -> None:
    """Print a row for each group that was ever loaded."""
    max_age = parse_age(args.max_age) if args.max_age else None
    warehouse = DSWarehouseHook(args.warehouse_conn_id, args.dataset).warehouse()
    ensure_made(warehouse)
    from ds_provider.warehouse.coverage import read_coverage, unread_numbers
    from ds_provider.warehouse.service_time import service_now

    with warehouse.connected():
        groups, unread, now = read_coverage(warehouse), unread_numbers(warehouse), service_now(warehouse)
        labels, counts = _labels(warehouse), _counts(warehouse)
    if not groups:
        raise DSStaleError(f"no group is loaded into {warehouse}: see the tasks that load, and --dataset", [])
    print_rows(
        [
            _row(group, labels.get(number), counts[number], unread.get(number, []), now)
            for number, group in groups.items()
        ],
        args.output,
    )
    if max_age:
        _check(groups, now - max_age, args.max_age)


def parse_age(text: str) -> timedelta:
    """Return a duration such as ``90m``, ``26h`` or ``3d``.

    :raises DSConfigurationError: if it is none.
    """
    found = _AGE.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise DSConfigurationError(f"max-age must be a duration such as 90m, 26h or 3d: got {text!r}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def ensure_made(warehouse: Warehouse) -> None:
    """Raise if the warehouse is a file that does not exist: reading it would make it.

    :raises DSStaleError: naming the file.
    """
    destination = warehouse.destination
    if destination.kind == "duckdb" and not Path(str(destination.credentials)).exists():
        raise DSStaleError(f"there is no warehouse yet at {destination.credentials}: the first load makes it", [])


def _labels(warehouse: Warehouse) -> dict[int, str]:
    from ds_provider.tables.schemas import GROUPES_INSTRUCTEURS

    rows = warehouse.read(GROUPES_INSTRUCTEURS, ["number", "label"]).to_pylist()
    return {row["number"]: row["label"] for row in rows}


def _counts(warehouse: Warehouse) -> Counter[int]:
    """Return how many dossiers the tables hold of each group."""
    from ds_provider.tables.schemas import DOSSIERS

    column = warehouse.read(DOSSIERS, ["groupe_instructeur_number"])["groupe_instructeur_number"]
    return Counter({row["values"]: row["counts"] for row in column.value_counts().to_pylist()})


def _row(group: Coverage, label: str | None, dossiers: int, unread: Sequence[int], now: datetime) -> Row:
    since, until = group.iso_bounds
    age = now - (group.covered_until or group.last_read_at)
    return {
        "number": group.groupe_instructeur_number,
        "label": label,
        "dossiers": dossiers,
        "covered_since": since,
        "covered_until": until,
        "full_history": group.has_full_history,
        "age_hours": round(age / timedelta(hours=1), 1),
        "unread": list(unread),
    }


def _check(groups: Mapping[int, Coverage], horizon: datetime, max_age: str) -> None:
    """Raise if a group ends too early or lacks its beginning, as the freshness operator does."""
    stale = [number for number, one in groups.items() if (one.covered_until or one.last_read_at) < horizon]
    partial = [number for number, one in groups.items() if not one.has_full_history]
    problems = {f"not loaded for more than {max_age}": stale, "beginning not loaded": partial}
    if named := [f"{problem}: {numbers}" for problem, numbers in problems.items() if numbers]:
        raise DSStaleError(f"{'; '.join(named)}: see the runs of their tasks", sorted({*stale, *partial}))
