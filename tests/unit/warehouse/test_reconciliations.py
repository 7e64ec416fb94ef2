"""A reconciliation is due by the days of Paris, counted from the last one or from the first load."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.reconciliations import last_reconciliations, next_due, record_reconciliation
from tests.support.quick_warehouse import QuickWarehouse

WEEK = timedelta(days=7)
EARLY, LATE = (datetime(2026, 11, day, 2, tzinfo=timezone.utc) for day in (2, 9))


def load(warehouse, group, *read):
    rows = [
        {
            "manifest": f"{group}-{at}",
            "generation": "g",
            "groupe_instructeur_number": group,
            "read_started_at": at,
            "loaded_at": at,
        }
        for at in read
    ]
    warehouse.write([(LOADS, pa.Table.from_pylist(rows, schema=LOADS.schema))])


def test_group_that_was_never_reconciled_counts_from_its_first_load():
    warehouse = QuickWarehouse()
    load(warehouse, 7, LATE, EARLY)
    load(warehouse, 8, LATE)
    load(warehouse, 9, EARLY)
    assert last_reconciliations(warehouse, [7, 8, 10]) == {7: EARLY, 8: LATE}


def test_latest_reconciliation_of_a_group_counts():
    warehouse = QuickWarehouse()
    load(warehouse, 7, EARLY)
    for began in (EARLY, LATE):
        record_reconciliation(warehouse, [7], began)
    assert last_reconciliations(warehouse, [7, 8]) == {7: LATE}


@pytest.mark.parametrize(
    ("last", "due"),
    [
        # an hour before midnight in Paris, and an hour after it
        ("2026-11-02T22:00:00+00:00", "2026-11-09T00:00:00+01:00"),
        ("2026-11-02T23:30:00+00:00", "2026-11-10T00:00:00+01:00"),
        # over the end of summer time
        ("2026-10-20T03:00:00+02:00", "2026-10-27T00:00:00+01:00"),
    ],
)
def test_reconciliation_is_due_from_the_start_of_the_day_on(last, due):
    assert next_due([datetime.fromisoformat(last)], WEEK, LATE) == datetime.fromisoformat(due)


def test_group_that_was_reconciled_longest_ago_decides():
    assert next_due([LATE, EARLY], WEEK, LATE) == next_due([EARLY], WEEK, LATE)


def test_reconciliation_of_groups_that_are_not_loaded_is_due_at_once():
    assert next_due([], WEEK, LATE) is None


def test_date_of_a_clock_that_was_far_ahead_puts_no_reconciliation_off():
    assert next_due([EARLY, LATE + timedelta(days=3650)], WEEK, LATE) is None
