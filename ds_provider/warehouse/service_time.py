"""The service's time, where no request is sent: ages of what is loaded are measured by the clock that dated it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.database.store import Warehouse


def service_now(warehouse: Warehouse) -> datetime:
    """Return the service's time now, by this worker's clock and what loaded extracts know of the clocks of workers.

    The least correction counts: if any worker's clock was right, this one's is taken to be.

    :raises DSWarehouseError: if the database cannot be read.
    """
    corrections = warehouse.read(LOADS, ["clock_correction"])["clock_correction"].drop_null().to_pylist()
    return datetime.now(timezone.utc) + timedelta(seconds=min(corrections, key=abs, default=0.0))
