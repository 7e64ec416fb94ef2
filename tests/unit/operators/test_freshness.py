"""Freshness of each group, and an error that names groups that are too old or lack their beginning."""

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
    """Have a full group, read so many days ago, be loaded."""

    def note(groupe: int, *, days_ago: float = 0, **more) -> None:
        read = NOW - days_ago * DAY
        row = {
            "manifest": f"{groupe}-{days_ago}",
            "generation": "g",
            "groupe_instructeur_number": groupe,
            "stream": "dossiers",
            "date_column": None,
            "complete": True,
            "read_started_at": read,
            **more,
        }
        hooks.warehouse.create_tables()
        hooks.warehouse.write([(LOADS, pa.Table.from_pylist([row], schema=LOADS.schema))])

    return note


def figures(groupe=None, max_age=2 * DAY, **asked):
    made = DSFreshnessOperator(task_id="t", max_age=max_age, groupe_instructeur_number=groupe, **asked)
    return made.execute({})


def test_freshness_returns_figures_for_each_group(loaded):
    loaded(7)
    loaded(8, days_ago=1)
    loaded(8, days_ago=0.5, date_column="created")
    returned = figures()
    newer, older = (figure.pop("age_seconds") for figure in returned)
    assert older - newer == DAY.total_seconds()
    assert 0 <= newer <= (datetime.now(timezone.utc) - NOW).total_seconds() + 1
    assert returned == [
        {
            "groupe_instructeur_number": groupe,
            "covered_since": None,
            "covered_until": (NOW - until * DAY).isoformat(),
            "full_history": True,
            "last_read_at": (NOW - read * DAY).isoformat(),
            "unread": [],
        }
        for groupe, until, read in ((7, 0, 0), (8, 1, 0.5))
    ]
    json.dumps(returned)


def test_bounds_are_null_if_only_windows_of_deposit_were_loaded(loaded):
    loaded(7, days_ago=1, date_column="created")
    (figure,) = figures(require_full_history=False)
    assert (figure["covered_since"], figure["covered_until"], figure["full_history"]) == (None, None, False)
    assert datetime.fromisoformat(figure["last_read_at"]) == NOW - DAY
    assert figure["age_seconds"] >= DAY.total_seconds()


@pytest.mark.parametrize(
    "row",
    [
        {"date_column": "created"},
        {"date_column": "created", "window_end": NOW},
        {"date_column": "updated", "window_start": NOW - 30 * DAY},
    ],
    ids=["created", "created until", "updated since"],
)
def test_group_whose_beginning_is_not_loaded_fails(row, loaded):
    loaded(7, **row)
    loaded(8)
    with pytest.raises(DSStaleError, match=r"\(their beginning not loaded: 7\).*window='incremental'") as caught:
        figures()
    assert caught.value.groupes == [7]
    for accepts in (False, "false"):
        assert len(figures(require_full_history=accepts)) == 2


def test_group_that_is_covered_up_to_a_gap_alone_fails_by_its_age(loaded):
    loaded(7, days_ago=9)
    loaded(7, days_ago=0, date_column="updated", window_start=NOW - DAY)
    with pytest.raises(DSStaleError, match=r"not loaded up to .*: 7\)"):
        figures()
    loaded(7, days_ago=0.1, date_column="updated", window_start=NOW - 9 * DAY)
    assert len(figures()) == 1


def test_error_names_groups_that_are_too_old_or_were_never_loaded(loaded):
    loaded(7, days_ago=3)
    loaded(8)
    with pytest.raises(DSStaleError, match=r"never loaded: 9; not loaded up to \S+\+0[12]:00: 7\)") as caught:
        figures([7, 8, 9])
    assert caught.value.groupes == [7, 9]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("groupes", [[8], "8", 8, [[8], [10]], "[8, 10]"], ids=repr)
def test_only_the_given_groups_must_be_fresh(groupes, loaded):
    loaded(7, days_ago=30)
    loaded(8)
    loaded(10)
    assert [figure["groupe_instructeur_number"] for figure in figures(groupes)] == [7, 8, 10]


def test_all_loaded_groups_must_be_fresh_by_default(loaded):
    loaded(7, days_ago=30)
    loaded(8)
    with pytest.raises(DSStaleError) as caught:
        figures()
    assert caught.value.groupes == [7]


def test_groups_in_batches_are_each_checked(loaded):
    loaded(7)
    loaded(8)
    with pytest.raises(DSStaleError) as caught:
        figures([[7, 9], [8, 10]])
    assert caught.value.groupes == [9, 10]


def test_extracts_of_deletions_and_of_some_rows_do_not_count(loaded):
    loaded(7, stream="deleted_dossiers")
    loaded(8, complete=False)
    with pytest.raises(DSStaleError, match=r"^no group is loaded into "):
        figures()
    with pytest.raises(DSStaleError, match=r"never loaded: 7, 8\)"):
        figures([7, 8])


def test_dossiers_that_could_not_be_read_are_among_the_figures(loaded, lines):
    loaded(7, quarantined=2, quarantined_numbers="71,72")
    loaded(8)
    assert [figure["unread"] for figure in figures()] == [[71, 72], []]
    said = lines()
    (seven,) = [line for line in said if "group 7" in line]
    assert "group 7: loaded from its first dossier to 20" in seven
    assert "ago, last read at 20" in seven
    assert seven.endswith("; 2 dossiers could not be read: 71, 72")
    assert [line for line in said if "fresh: 2 groups, loaded up to 20" in line]


def test_figures_are_logged_before_the_error(loaded, capfd, caplog):
    loaded(7, days_ago=3)
    with pytest.raises(DSStaleError):
        figures()
    said = "".join(capfd.readouterr()) + caplog.text
    assert "group 7: loaded from its first dossier to" in said


@pytest.mark.parametrize("max_age", [None, 2, "2 days", timedelta(0), -DAY], ids=repr)
def test_invalid_max_age_is_refused_before_the_warehouse_is_opened(max_age, hooks):
    with pytest.raises(DSConfigurationError, match=r"^max_age must be a timedelta above zero"):
        figures(max_age=max_age)
    assert hooks.asked == []


@pytest.mark.parametrize("groupe", ["sept", 0, [[]], [], ["7", None]], ids=repr)
def test_invalid_group_is_refused_before_the_warehouse_is_opened(groupe, hooks):
    with pytest.raises(DSConfigurationError, match=r"^groupe_instructeur_number\b"):
        figures(groupe)
    assert hooks.asked == []


@pytest.mark.parametrize(("given", "conn_id"), [(None, None), ("dwh", "dwh")])
def test_operator_opens_the_named_warehouse(given, conn_id, hooks):
    with pytest.raises(DSStaleError, match=r"^no group is loaded into "):
        figures(warehouse_conn_id=given, dataset="ds")
    assert hooks.asked == [(conn_id, "ds")]
