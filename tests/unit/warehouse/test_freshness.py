"""How far a group is loaded, from the windows that were."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.schemas import LOADS
from ds_provider.warehouse.freshness import Freshness, freshness, unbroken

START = datetime(2026, 11, 1, tzinfo=timezone.utc)


def day(n: float) -> datetime:
    return START + timedelta(days=n)


class Loads:
    """Stands in for a warehouse."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = [
            {"groupe_instructeur_number": 7, "stream": "dossiers", "window_column": "updated", "complete": True} | row
            for row in rows
        ]

    def read(self, table: Any, columns: Any) -> pa.Table:
        assert table is LOADS
        return pa.Table.from_pylist(self._rows, schema=LOADS.schema).select(list(columns))


def window(start: float, end: float, read: float, **more: Any) -> dict[str, Any]:
    return {"window_start": day(start), "window_end": day(end), "read_started_at": day(read), **more}


def of(*rows: dict[str, Any]) -> list[Freshness]:
    return freshness(Loads(*rows))  # type: ignore[arg-type]


def test_a_gap_is_where_it_ends() -> None:
    assert of(window(0, 1, 1.1), window(2, 3, 3.1)) == [Freshness(7, day(1), day(3.1))]


def test_a_gap_that_is_made_up_for_is_none() -> None:
    assert of(window(0, 1, 1.1), window(2, 3, 3.1), window(1, 2, 4)) == [Freshness(7, day(3), day(4))]


def test_a_whole_reading_covers_all_up_to_its_beginning() -> None:
    whole = {"window_column": None, "read_started_at": day(5)}
    assert of(window(0, 1, 1.1), whole) == [Freshness(7, day(5), day(5))]


def test_windows_on_the_date_of_deposit_say_nothing_of_changes() -> None:
    assert of(window(0, 1, 9, window_column="created")) == [Freshness(7, None, day(9))]


def test_a_reading_of_some_states_only_says_nothing() -> None:
    assert of(window(0, 1, 1.1, complete=False)) == []


def test_a_window_that_was_read_before_its_end_covers_it_up_to_then() -> None:
    assert of(window(0, 1, 0.5)) == [Freshness(7, day(0.5), day(0.5))]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), min_size=1))
def test_the_stretch_is_the_first_run_of_covered_days(windows: list[tuple[int, int]]) -> None:
    covered = {n for start, length in windows for n in range(start, start + length)}
    reached = min(covered)
    while reached in covered:
        reached += 1
    assert unbroken((day(start), day(start + length)) for start, length in windows) == day(reached)
