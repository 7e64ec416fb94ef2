"""How fresh each group is, and an error that names those that are not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from ds_provider.exceptions import DSConfigurationError, DSStaleError
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.tables.schemas import LOADS

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def loaded(hooks):
    """Have a group's window of a day, and that a day old, be loaded."""

    def note(groupe: int, *, days_ago: float = 0, **more) -> None:
        read = NOW - days_ago * DAY
        row = {
            "manifest": f"{groupe}-{days_ago}",
            "generation": "g",
            "groupe_instructeur_number": groupe,
            "stream": "dossiers",
            "window_column": "updated",
            "window_start": read - 2 * DAY,
            "window_end": read - DAY,
            "complete": True,
            "read_started_at": read,
            **more,
        }
        hooks.warehouse.write([(LOADS, pa.Table.from_pylist([row], schema=LOADS.schema))])

    return note


def figures(groupe=None, max_age=2 * DAY, **asked):
    made = DSFreshnessOperator(task_id="t", max_age=max_age, groupe_instructeur_number=groupe, **asked)
    return made.execute({})


def test_each_group_has_its_figures(loaded):
    loaded(7)
    loaded(8, days_ago=1)
    loaded(8, days_ago=1.5, window_column="created")
    told = figures()
    newer, older = (figure.pop("age_seconds") for figure in told)
    assert older - newer == DAY.total_seconds()
    assert 0 <= newer <= (datetime.now(timezone.utc) - NOW).total_seconds() + 1
    assert told == [
        {
            "groupe_instructeur_number": groupe,
            "loaded_upto": (NOW - (days + 1) * DAY).isoformat(),
            "last_read_at": (NOW - days * DAY).isoformat(),
        }
        for groupe, days in ((7, 0), (8, 1))
    ]
    json.dumps(told)


def test_where_only_windows_of_deposit_were_loaded_no_date_is_reached(loaded):
    loaded(7, window_column="created")
    assert figures()[0]["loaded_upto"] is None


def test_groups_that_are_too_old_or_were_never_loaded_are_named(loaded):
    loaded(7, days_ago=3)
    loaded(8)
    with pytest.raises(DSStaleError, match=r"last read before that: \[7\]; never: \[9\]") as caught:
        figures([7, 8, 9])
    assert caught.value.groupes == [7, 9]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("groupes", [[8], "8", 8, [[8], [10]], "[8, 10]"], ids=repr)
def test_only_those_that_are_asked_for_count(groupes, loaded):
    loaded(7, days_ago=30)
    loaded(8)
    loaded(10)
    assert [figure["groupe_instructeur_number"] for figure in figures(groupes)] == [7, 8, 10]


@pytest.mark.parametrize("groupes", [None, "", "None"], ids=repr)
def test_without_any_all_that_were_ever_loaded_count(groupes, loaded):
    loaded(7, days_ago=30)
    loaded(8)
    with pytest.raises(DSStaleError) as caught:
        figures(groupes)
    assert caught.value.groupes == [7]


def test_groups_in_batches_are_each_looked_for(loaded):
    loaded(7)
    loaded(8)
    with pytest.raises(DSStaleError) as caught:
        figures([[7, 9], [8, 10]])
    assert caught.value.groupes == [9, 10]


def test_deletions_and_parts_of_a_group_are_no_reading_of_it(loaded):
    loaded(7, stream="deleted_dossiers")
    loaded(8, complete=False)
    assert figures() == []
    with pytest.raises(DSStaleError, match=r"never: \[7, 8\]"):
        figures([7, 8])


def test_the_figures_are_in_the_log_before_the_error(loaded, capfd, caplog):
    loaded(7, days_ago=3)
    with pytest.raises(DSStaleError):
        figures()
    said = "".join(capfd.readouterr()) + caplog.text
    assert "groupe instructeur 7: loaded up to" in said


@pytest.mark.parametrize("max_age", [None, 2, "2 days", timedelta(0), -DAY], ids=repr)
def test_an_age_that_is_none_is_named_before_anything_is_asked(max_age, hooks):
    with pytest.raises(DSConfigurationError, match=r"^max_age must be a timedelta above zero"):
        figures(max_age=max_age)
    assert hooks.asked == []


@pytest.mark.parametrize("groupe", ["sept", 0, [[]], [], ["7", None]], ids=repr)
def test_a_group_that_is_no_number_is_named_before_anything_is_asked(groupe, hooks):
    with pytest.raises(DSConfigurationError, match=r"^groupe_instructeur_number\b"):
        figures(groupe)
    assert hooks.asked == []


@pytest.mark.parametrize(("given", "conn_id"), [(None, None), ("", None), ("None", None), ("dwh", "dwh")])
def test_the_warehouse_is_the_one_that_is_named(given, conn_id, hooks):
    assert figures(warehouse_conn_id=given, dataset="ds") == []
    assert hooks.asked == [(conn_id, "ds")]
