"""The service's time, where no request is sent: ages of what is loaded are measured by the clock that dated it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.database.store import Warehouse

RECENT = timedelta(days=1)


def service_now(warehouse: Warehouse) -> datetime:
    """Return the service's time now: this worker's clock, corrected as others needed it that read of late.

    The least correction of the latest loads counts: a worker's clock that is right says that no correction is needed.

    :raises DSWarehouseError: if the database cannot be read.
    """
    loads = warehouse.read(LOADS, ["clock_correction", "loaded_at"], "clock_correction IS NOT NULL").to_pylist()
    latest = max((load["loaded_at"] for load in loads), default=None)
    corrections = [load["clock_correction"] for load in loads if latest - load["loaded_at"] <= RECENT]
    return datetime.now(timezone.utc) + timedelta(seconds=min(corrections, key=abs, default=0.0))
