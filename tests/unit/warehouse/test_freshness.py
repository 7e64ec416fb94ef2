"""Freshness of a group, by the windows that were loaded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.freshness import Freshness, covered_until, freshness

START = datetime(2026, 11, 1, tzinfo=timezone.utc)


def day(n: float) -> datetime:
    return START + timedelta(days=n)


class Loads:
    """Stands in for a warehouse."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = [
            {"groupe_instructeur_number": 7, "stream": "dossiers", "date_column": "updated", "complete": True} | row
            for row in rows
        ]

    def read(self, table: Any, columns: Any) -> pa.Table:
        assert table is LOADS
        return pa.Table.from_pylist(self._rows, schema=LOADS.schema).select(list(columns))


def window(start: float, end: float, read: float, **more: Any) -> dict[str, Any]:
    return {"window_start": day(start), "window_end": day(end), "read_started_at": day(read), **more}


def of(*rows: dict[str, Any]) -> list[Freshness]:
    return freshness(Loads(*rows))  # type: ignore[arg-type]


def test_freshness_ends_at_a_gap() -> None:
    assert of(window(0, 1, 1.1), window(2, 3, 3.1)) == [Freshness(7, day(1), day(3.1))]


def test_freshness_passes_a_gap_that_was_filled_later() -> None:
    assert of(window(0, 1, 1.1), window(2, 3, 3.1), window(1, 2, 4)) == [Freshness(7, day(3), day(4))]


def test_full_extraction_covers_all_before_its_start() -> None:
    whole = {"date_column": None, "read_started_at": day(5)}
    assert of(window(0, 1, 1.1), whole) == [Freshness(7, day(5), day(5))]


def test_created_windows_cover_no_changes() -> None:
    assert of(window(0, 1, 9, date_column="created")) == [Freshness(7, None, day(9))]


def test_incomplete_extraction_covers_nothing() -> None:
    assert of(window(0, 1, 1.1, complete=False)) == []


def test_window_read_before_its_end_is_covered_until_the_read() -> None:
    assert of(window(0, 1, 0.5)) == [Freshness(7, day(0.5), day(0.5))]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), min_size=1))
def test_coverage_is_the_first_unbroken_run_of_days(windows: list[tuple[int, int]]) -> None:
    covered = {n for start, length in windows for n in range(start, start + length)}
    reached = min(covered)
    while reached in covered:
        reached += 1
    assert covered_until((day(start), day(start + length)) for start, length in windows) == day(reached)
