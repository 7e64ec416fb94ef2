"""When each group was last reconciled with the service, and which are due again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import pendulum
import pyarrow as pa

from ds_provider.api.query.windows import PARIS
from ds_provider.tables.schemas import LOADS, RECONCILIATIONS
from ds_provider.warehouse.coverage import MAX_AHEAD
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.database.waiting import wait_out


def last_reconciliations(warehouse: Warehouse, groups: Collection[int]) -> dict[int, datetime]:
    """Return when each group was last reconciled; when it was first read if it never was. Others are left out.

    :raises DSWarehouseError: if the database cannot be read.
    """
    wanted = f"groupe_instructeur_number IN ({', '.join(map(str, groups))})"
    reads = warehouse.read(LOADS, ["groupe_instructeur_number", "read_started_at"], wanted)
    latest = dict(_pairs(reads.group_by("groupe_instructeur_number").aggregate([("read_started_at", "min")])))
    return latest | dict(_pairs(warehouse.read(RECONCILIATIONS, list(RECONCILIATIONS.columns), wanted)))


def next_due(last: Collection[datetime], every: timedelta, now: datetime) -> datetime | None:
    """Return the start of the day, in Paris, on which a reconciliation is due; None for at once.

    Days are counted, and not hours: a run that begins a little earlier than the last one did is not put off by a day.

    :param last: the latest reconciliation of each group. One that lies ahead was dated by a clock that was wrong, and
        says nothing.
    :param now: the service's time.
    """
    if not last or max(last) > now + MAX_AHEAD:
        return None
    return pendulum.instance(min(last)).in_timezone(PARIS).start_of("day").add(days=every.days)


def record_reconciliation(warehouse: Warehouse, groups: Collection[int], began: datetime) -> None:
    """Note that groups were reconciled.

    :param began: when it began, by the service's clock.
    :raises DSWarehouseError: if the database refuses.
    """
    rows = [{"groupe_instructeur_number": group, "reconciled_at": began} for group in groups]
    table = pa.Table.from_pylist(rows, schema=RECONCILIATIONS.schema)

    def write() -> None:
        with warehouse.locked():
            warehouse.write([(RECONCILIATIONS, table)])

    wait_out(write)


def _pairs(rows: pa.Table) -> zip[tuple[int, datetime]]:
    return zip(*rows.to_pydict().values(), strict=True)
