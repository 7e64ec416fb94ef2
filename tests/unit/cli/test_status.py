"""The warehouse's state is shown by group, and one that is too old ends with code 1."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from ds_provider.cli.status import MAX_AGE, parse_age
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.tables.schemas import DOSSIERS, GROUPES_INSTRUCTEURS, LOADS, Table
from ds_provider.warehouse.database.destinations import Destination
from tests.support.command_line import Run
from tests.support.operator_warehouse import Hooks
from tests.support.quick_warehouse import QuickWarehouse

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def rows(table: Table, *values: dict[str, object]) -> tuple[Table, pa.Table]:
    return table, pa.Table.from_pylist([{"_erased": False, **row} for row in values], schema=table.schema)


def extract(groupe: int, read: datetime, **more: object) -> dict[str, object]:
    return {
        "manifest": f"file:///zone/groupe-{groupe}/dossiers/{read:%H%M}/manifest.json",
        "generation": f"{read:%Y%m%dT%H%M%S}-0",
        "groupe_instructeur_number": groupe,
        "stream": "dossiers",
        "complete": True,
        "rows": 2,
        "quarantined": 0,
        "read_started_at": read,
        "loaded_at": read,
        **more,
    }


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> QuickWarehouse:
    """Group 7 is loaded in full an hour ago and lacks one dossier; of group 8 the beginning is not loaded."""
    made = QuickWarehouse()
    made.create_tables()
    made.destination = Destination("postgres", "a database", "")  # type: ignore[attr-defined]
    monkeypatch.setattr("ds_provider.cli.status.DSWarehouseHook", Hooks(made))
    window = {"date_column": "updated", "window_start": NOW - timedelta(days=9), "window_end": NOW - timedelta(days=3)}
    unread = {"quarantined": 1, "quarantined_numbers": "703"}
    made.write(
        [rows(LOADS, extract(7, NOW - timedelta(hours=1), **unread), extract(8, NOW - timedelta(days=3), **window))]
    )
    numbers = {701: 7, 702: 7, 801: 8}
    made.write(
        [
            rows(DOSSIERS, *({"number": one, "groupe_instructeur_number": of} for one, of in numbers.items())),
            rows(GROUPES_INSTRUCTEURS, {"number": 7, "label": "Finistère", "read_at": NOW}),
        ]
    )
    return made


def test_status_shows_from_when_to_when_each_group_is_loaded(ds: Run, warehouse: QuickWarehouse) -> None:
    ran = ds("status", "-o", "json")
    assert ran.code == 0
    seven, eight = ran.rows
    assert seven == {
        "number": 7,
        "label": "Finistère",
        "dossiers": 2,
        "covered_since": None,
        "covered_until": (NOW - timedelta(hours=1)).isoformat(),
        "full_history": True,
        "age_hours": pytest.approx(1.0, abs=0.2),
        "unread": [703],
    }
    assert (eight["label"], eight["dossiers"], eight["full_history"], eight["unread"]) == (None, 1, False, [])
    assert eight["covered_since"] == (NOW - timedelta(days=9)).isoformat()


def test_group_that_is_too_old_or_lacks_its_beginning_ends_with_code_1(ds: Run, warehouse: QuickWarehouse) -> None:
    ran = ds("status", "--max-age", "26h", "-o", "json")
    assert ran.code == 1
    assert len(ran.rows) == 2
    assert re.search(r"\(not loaded up to \S+: 8; their beginning not loaded: 8\)", ran.error)
    assert re.search(r"\(not loaded up to \S+: 7, 8;", ds("status", "--max-age", "30m").error)


def test_status_of_a_dataset_without_loads_says_so(ds: Run) -> None:
    DSWarehouseHook().warehouse().write(
        [rows(GROUPES_INSTRUCTEURS, {"number": 7, "label": "Finistère", "read_at": NOW})]
    )
    ran = ds("status", "--dataset", "another")
    assert (ran.code, ran.out) == (1, "")
    assert "--dataset" in ran.error


def test_age_beyond_the_calendar_is_an_error_of_the_parameter(ds: Run, warehouse: QuickWarehouse) -> None:
    ran = ds("status", "--max-age", "999999d")
    assert (ran.code, ran.out) == (2, "")
    assert "max-age must be" in ran.error
    assert "at most 36500d" in ran.error
    assert ds("status", "--max-age", "36500d", "-o", "json").code == 1  # group 8 lacks its beginning


@pytest.mark.parametrize(
    ("text", "age"),
    [("90m", timedelta(minutes=90)), ("26h", timedelta(hours=26)), (" 3d ", timedelta(days=3)), ("36500d", MAX_AGE)],
)
def test_age_is_a_number_with_a_unit(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "3", "0h", "-1h", "1w", "1.5h", "9999999d", "999999d", "h"])
def test_age_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DSConfigurationError, match="max-age"):
        parse_age(text)
