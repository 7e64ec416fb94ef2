"""``airflow ds status``: from when to when each group is loaded into the warehouse."""

from __future__ import annotations

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ds_provider.cli.command import Row, command, print_rows
from ds_provider.cli.warehouses import connected
from ds_provider.exceptions import DSConfigurationError, DSStaleError
from ds_provider.hooks.warehouse import DSWarehouseHook

if TYPE_CHECKING:
    from ds_provider.warehouse.coverage import Coverage
    from ds_provider.warehouse.database.store import Warehouse

_AGE = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
# so long ago there was no dossier; and thousands of years ago there is no date to compare with
MAX_AGE = timedelta(days=36_500)


@command
def status(args: Namespace) -> None:
    """Print a row for each group that was ever loaded."""
    max_age = parse_age(args.max_age) if args.max_age else None
    hook = DSWarehouseHook(args.warehouse_conn_id, args.dataset)
    with connected(hook) as warehouse:
        from ds_provider.warehouse.coverage import ensure_fresh, read_coverage, read_labels, unread_numbers
        from ds_provider.warehouse.service_time import service_now

        groups, unread, now = read_coverage(warehouse), unread_numbers(warehouse), service_now(warehouse)
        labels, counts = read_labels(warehouse), _counts(warehouse)
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
        ensure_fresh(groups, groups, now - max_age)


def parse_age(text: str) -> timedelta:
    """Return a duration such as ``90m``, ``26h`` or ``3d``.

    :raises DSConfigurationError: if it is none, or longer than a century.
    """
    found = _AGE.fullmatch(text.strip())
    age = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < age <= MAX_AGE:
        raise DSConfigurationError(
            f"max-age must be a duration such as 90m, 26h or 3d, and at most {MAX_AGE.days}d: got {text!r}"
        )
    return age


def _counts(warehouse: Warehouse) -> Counter[int]:
    """Return how many dossiers the tables hold of each group."""
    from ds_provider.tables.schemas import DOSSIERS

    column = warehouse.read(DOSSIERS, ["groupe_instructeur_number"])["groupe_instructeur_number"]
    return Counter({row["values"]: row["counts"] for row in column.value_counts().to_pylist()})


def _row(group: Coverage, label: str | None, dossiers: int, unread: Sequence[int], now: datetime) -> Row:
    since, until = group.iso_bounds
    age = now - group.end
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
