"""Incremental windows: of each group, what the warehouse lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum

from ds_provider.api.query.parameters import DELETIONS_OVERLAP
from ds_provider.api.query.selection import DELETED_DOSSIERS
from ds_provider.api.query.windows import Window, shown
from ds_provider.warehouse.coverage import read_coverage, unread_numbers
from ds_provider.wording import counted

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from ds_provider.api.query.selection import Selection
    from ds_provider.warehouse.database.store import Warehouse


def in_incremental_windows(
    selections: Sequence[Selection], warehouse: Warehouse, lookback: timedelta, log: Logger
) -> list[Selection]:
    """Return selections of full groups, each from where its group is loaded up to.

    A group stays whole if nothing of it is loaded, if its beginning is not, or if what is loaded lacks a part of the
    dossiers that is to be read. Dossiers that could not be read and are not in the tables yet are tried again.

    :param selections: of all dossiers of different groups, of the same parts of them, without windows.
    :param lookback: see :class:`~ds_provider.api.query.windows.Window`.
    :raises DSWarehouseError: if the database cannot be read.
    """
    parts = [name for name, is_included in vars(selections[0].includes).items() if is_included]
    with warehouse.connected():
        ends = _ends_of_full_history(selections, warehouse, parts)
        unread = unread_numbers(warehouse, [selection.groupe_instructeur_number for selection in selections])
    return [
        replace(
            selection,
            window=Window("updated", start=end, lookback=lookback) if end else None,
            unread=tuple(unread.get(selection.groupe_instructeur_number, ())),
        )
        for selection, end in zip(selections, _logged(selections, ends, log), strict=True)
    ]


def in_incremental_windows_of_deletions(
    selections: Sequence[Selection], warehouse: Warehouse, log: Logger
) -> list[Selection]:
    """Return selections of all definitive deletions, each from 45 days before its group's are loaded up to.

    The service dates a deletion back by 14 days or more. A group's stay whole if their beginning is not loaded.

    :param selections: of different groups, without windows.
    :raises DSWarehouseError: if the database cannot be read.
    """
    ends = _ends_of_full_history(selections, warehouse)
    return [
        replace(selection, window=Window("deleted", start=end - DELETIONS_OVERLAP)) if end else selection
        for selection, end in zip(selections, _logged(selections, ends, log), strict=True)
    ]


def _ends_of_full_history(
    selections: Sequence[Selection], warehouse: Warehouse, parts: Sequence[str] = ()
) -> dict[int, pendulum.DateTime]:
    numbers = [selection.groupe_instructeur_number for selection in selections]
    coverage = read_coverage(warehouse, numbers, stream=selections[0].stream, parts=parts)
    return {
        number: pendulum.instance(group.covered_until).in_timezone("UTC")
        for number, group in coverage.items()
        if group.covered_until and group.has_full_history
    }


def _logged(
    selections: Sequence[Selection], ends: dict[int, pendulum.DateTime], log: Logger
) -> list[pendulum.DateTime | None]:
    """Return the end of each selection's group, or None, after a line about all of them."""
    found = [ends.get(selection.groupe_instructeur_number) for selection in selections]
    what = "deletions" if selections[0].stream is DELETED_DOSSIERS else "dossiers"
    ways = []
    if known := [end for end in found if end]:
        ways.append(f"{counted(len(known), 'group')} from where loaded up to, {shown(min(known))} or later")
    if full := found.count(None):
        ways.append(f"{counted(full, 'group')} in full, since nothing, not the beginning or not all parts are loaded")
    log.info("reading %s: %s", what, "; ".join(ways))
    return found
