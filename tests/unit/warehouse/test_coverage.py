"""Coverage of a group, by the extracts that were loaded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.query.parameters import DELETIONS_OVERLAP
from ds_provider.api.query.selection import DELETED_DOSSIERS
from ds_provider.api.query.windows import BEGINNING
from ds_provider.tables.schemas import CHAMP_COLUMNS, DOSSIERS, LOADS
from ds_provider.tables.schemas import DELETED_DOSSIERS as DELETED_DOSSIERS_TABLE
from ds_provider.warehouse.coverage import Coverage, covered, read_coverage, unread_numbers
from tests.support.quick_warehouse import QuickWarehouse

START = datetime(2026, 11, 1, tzinfo=timezone.utc)
FULL = {"date_column": None, "window_start": None, "window_end": None}


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def window(start: float | None, end: float | None, read: float, **more: Any) -> dict[str, Any]:
    bounds = {"window_start": start and day(start), "window_end": end and day(end)}
    if start == 0:
        bounds["window_start"] = START
    return {**bounds, "read_started_at": day(read), **more}


def full(read: float, **more: Any) -> dict[str, Any]:
    return {**FULL, "read_started_at": day(read), **more}


def warehouse_of(*rows: dict[str, Any]) -> QuickWarehouse:
    default = {
        "groupe_instructeur_number": 7,
        "stream": "dossiers",
        "parts": "champs,messages",
        "date_column": "updated",
        "complete": True,
    }
    loads = [default | {"manifest": str(n), "generation": "g"} | row for n, row in enumerate(rows)]
    warehouse = QuickWarehouse()
    warehouse.create_tables()
    warehouse.write([(LOADS, pa.Table.from_pylist(loads, schema=LOADS.schema))])
    return warehouse


def of(*rows: dict[str, Any], **asked: Any) -> Coverage | None:
    return read_coverage(warehouse_of(*rows), **asked).get(7)  # type: ignore[arg-type]


def bounds(*rows: dict[str, Any], **asked: Any) -> tuple[datetime | None, datetime | None]:
    found = of(*rows, **asked)
    assert found
    return found.covered_since, found.covered_until


def test_coverage_ends_at_a_gap() -> None:
    assert of(window(0, 1, 1.1), window(2, 3, 3.1)) == Coverage(7, day(0), day(1), day(3.1))


def test_coverage_passes_a_gap_that_was_filled_later() -> None:
    assert bounds(window(0, 1, 1.1), window(2, 3, 3.1), window(1, 2, 4)) == (day(0), day(3))


def test_full_extract_covers_all_before_its_start() -> None:
    found = of(window(0, 1, 1.1), full(5))
    assert found == Coverage(7, None, day(5), day(5))
    assert found.has_full_history


def test_open_windows_extend_a_full_extract() -> None:
    assert bounds(full(5), window(5, None, 6), window(6, None, 9)) == (None, day(9))


def test_windows_from_the_beginning_of_all_dossiers_cover_the_full_history() -> None:
    first = window(None, 1, 1.1) | {"window_start": BEGINNING}
    assert bounds(first, window(1, 2, 2.1)) == (None, day(2))
    assert bounds(window(None, 1, 1.1)) == (None, day(1))


def test_windows_that_begin_somewhere_do_not_cover_the_full_history() -> None:
    found = of(window(0, 1, 1.1), window(1, 2, 2.1))
    assert found
    assert not found.has_full_history


def test_windows_of_deposit_cover_no_time() -> None:
    found = of(window(0, 1, 9, date_column="created"))
    assert found == Coverage(7, None, None, day(9))
    assert not found.has_full_history
    assert found.iso_bounds == (None, None)


def test_extract_of_some_rows_covers_nothing() -> None:
    assert of(full(1, complete=False)) is None


def test_window_read_before_its_end_is_covered_until_the_read() -> None:
    assert bounds(window(0, 1, 0.5)) == (day(0), day(0.5))


def test_only_extracts_with_the_wanted_parts_count() -> None:
    rows = full(1), full(3, parts="champs"), full(4, parts=None)
    assert bounds(*rows, parts=["champs", "messages"]) == (None, day(1))
    assert bounds(*rows, parts=["champs"]) == (None, day(3))
    assert bounds(*rows) == (None, day(4))
    assert of(*rows, parts=["avis"]) is None


def test_only_the_given_groups_are_read() -> None:
    warehouse = warehouse_of(full(1), full(2, groupe_instructeur_number=8), full(3, groupe_instructeur_number=9))
    assert list(read_coverage(warehouse)) == [7, 8, 9]  # type: ignore[arg-type]
    assert list(read_coverage(warehouse, {9, 8, 10})) == [8, 9]  # type: ignore[arg-type]
    assert list(read_coverage(warehouse, [])) == []  # type: ignore[arg-type]


def test_deletions_are_covered_from_the_overlap_after_their_first_date() -> None:
    overlap = DELETIONS_OVERLAP.days
    deletions = [
        full(1, stream="deleted_dossiers", parts=None),
        window(1 - overlap, None, 4, stream="deleted_dossiers", date_column="deleted", parts=None),
    ]
    assert bounds(*deletions, full(9), stream=DELETED_DOSSIERS) == (None, day(4))
    # a day too late: a deletion of the day between may be missing
    deletions[1] |= {"window_start": day(2 - overlap)}
    assert bounds(*deletions, stream=DELETED_DOSSIERS) == (None, day(1))


def test_extract_that_is_dated_far_ahead_covers_nothing() -> None:
    ahead = {"read_started_at": datetime.now(timezone.utc) + timedelta(days=3)}
    assert bounds(full(1), full(2) | ahead) == (None, day(1))


@pytest.mark.parametrize("dropped", ["dossiers", "champs", "demarche_12"])
def test_nothing_is_covered_once_a_table_was_dropped(dropped: str) -> None:
    warehouse = warehouse_of(full(1))
    registered = [{"relation": "demarche_12", "column_name": "nom"}]
    warehouse.write([(CHAMP_COLUMNS, pa.Table.from_pylist(registered, schema=CHAMP_COLUMNS.schema))])
    warehouse.create_table("demarche_12")
    assert list(read_coverage(warehouse)) == [7]  # type: ignore[arg-type]
    warehouse.drop_table(dropped)
    assert read_coverage(warehouse) == {}  # type: ignore[arg-type]


def quarantined(read: float, numbers: str, **more: Any) -> dict[str, Any]:
    return full(read, quarantined=1 + numbers.count(","), quarantined_numbers=numbers, **more)


def test_dossier_is_unread_until_a_later_extract_has_brought_it_or_it_is_deleted() -> None:
    warehouse = warehouse_of(quarantined(2, "71,72,73,74"), quarantined(1, "75"), full(9))
    held = [{"number": 71, "read_at": day(1)}, {"number": 72, "read_at": day(3)}]
    warehouse.write([(DOSSIERS, pa.Table.from_pylist(held, schema=DOSSIERS.schema))])
    gone = [{"number": 73, "stage": "deleted", "read_at": day(3)}]
    warehouse.write([(DELETED_DOSSIERS_TABLE, pa.Table.from_pylist(gone, schema=DELETED_DOSSIERS_TABLE.schema))])
    assert unread_numbers(warehouse) == {7: [71, 74, 75]}  # type: ignore[arg-type]
    assert unread_numbers(warehouse, [8]) == {}  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), min_size=1))
def test_coverage_is_the_first_unbroken_run_of_days(windows: list[tuple[int, int]]) -> None:
    days = {n for start, length in windows for n in range(start, start + length)}
    reached = min(days)
    while reached in days:
        reached += 1
    intervals = ((day(start), day(start + length)) for start, length in windows)
    assert covered(intervals) == (day(min(days)), day(reached))
