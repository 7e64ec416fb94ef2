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


@pytest.mark.parametrize(
    ("corrections", "expected"),
    [([], 0.0), ([None], 0.0), ([-HOUR, None], -HOUR), ([-HOUR, 0.0], 0.0), ([9 * HOUR, -HOUR, 2 * HOUR], -HOUR)],
    ids=str,
)
def test_least_correction_counts(corrections, expected):
    warehouse = QuickWarehouse()
    rows = [{"manifest": str(n), "generation": "g", "clock_correction": value} for n, value in enumerate(corrections)]
    warehouse.write([(LOADS, pa.Table.from_pylist(rows, schema=LOADS.schema))])
    now = datetime.now(timezone.utc) + timedelta(seconds=expected)
    assert now <= service_now(warehouse) < now + SOON
