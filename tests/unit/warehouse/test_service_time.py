"""The service's time, by what the loaded extracts know of the workers' clocks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.service_time import service_now
from tests.support.quick_warehouse import QuickWarehouse

HOUR = 3600.0
SOON = timedelta(minutes=5)


def note(warehouse, *corrections: float | None, at: datetime | None = None) -> None:
    loaded_at = at or datetime.now(timezone.utc)
    rows = [
        {"manifest": f"{at}-{n}", "generation": "g", "loaded_at": loaded_at, "clock_correction": value}
        for n, value in enumerate(corrections)
    ]
    warehouse.write([(LOADS, pa.Table.from_pylist(rows, schema=LOADS.schema))])


@pytest.mark.parametrize(
    ("corrections", "expected"),
    [([], 0.0), ([None], 0.0), ([-HOUR, None], -HOUR), ([-HOUR, 0.0], 0.0), ([9 * HOUR, -HOUR, 2 * HOUR], -HOUR)],
    ids=str,
)
def test_least_correction_counts(corrections, expected):
    warehouse = QuickWarehouse()
    note(warehouse, *corrections)
    now = datetime.now(timezone.utc) + timedelta(seconds=expected)
    assert now <= service_now(warehouse) < now + SOON


def test_loads_of_earlier_days_do_not_count():
    warehouse = QuickWarehouse()
    note(warehouse, 0.0, at=datetime.now(timezone.utc) - timedelta(days=3))
    note(warehouse, HOUR)
    now = datetime.now(timezone.utc) + timedelta(hours=1)
    assert now <= service_now(warehouse) < now + SOON
