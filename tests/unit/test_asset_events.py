"""Asset events: a task emits one for an asset if it changed the asset, and only then."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pendulum
import pytest
from airflow.sdk import Asset, BaseOperator
from airflow.sdk.execution_time.context import OutletEventAccessors
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.asset_events import (
    MAX_GROUPS_IN_EVENT,
    AssetChange,
    add_outlets,
    advance_loaded_watermarks,
    change_of,
    emit_changes,
    loaded_watermark,
    span,
)
from ds_provider.assets import dossiers_asset, table_asset

DOSSIERS, CHAMPS = table_asset("dossiers"), table_asset("champs")
WIDE = table_asset("demarche_7")
MINE = Asset("mine")
NIGHT = ("2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00")


class Loading(BaseOperator):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        add_outlets(self, [DOSSIERS, CHAMPS])


class Store(dict):
    def set(self, key, value):
        self[key] = value


def emitted(operator, *changes):
    """Return the events of the outlets that are left at the end of a task."""
    events = OutletEventAccessors()
    emit_changes(operator, {"outlet_events": events}, changes)
    return {asset.uri: events[asset].extra for asset in operator.outlets}


def test_add_outlets_keeps_the_outlets_of_the_user():
    assert Loading(task_id="t").outlets == [DOSSIERS, CHAMPS]
    assert Loading(task_id="t", outlets=[MINE]).outlets == [MINE, DOSSIERS, CHAMPS]
    assert Loading(task_id="t", outlets=MINE).outlets == [MINE, DOSSIERS, CHAMPS]


def test_asset_that_the_user_gives_too_is_an_outlet_once():
    given_by_user = Asset(DOSSIERS.name, DOSSIERS.uri, extra={"owner": "us"})
    assert Loading(task_id="t", outlets=[given_by_user]).outlets == [given_by_user, CHAMPS]


def test_only_changed_assets_get_events():
    changes = (DOSSIERS, AssetChange(3, groupes=2, window=NIGHT)), (CHAMPS, AssetChange(0))
    extra = {"rows": 3, "erased": 0, "groupes_instructeurs": 2, "window": list(NIGHT)}
    assert emitted(Loading(task_id="t"), *changes) == {DOSSIERS.uri: extra}


def test_event_says_from_when_and_up_to_when_each_group_is_loaded():
    start, early, late = NIGHT[0], "2026-11-02T00:00:00+00:00", "2026-11-03T00:00:00+00:00"
    extra = AssetChange(3, coverage={8: (start, late), 7: (None, early)}).extra
    assert (extra["covered_since"], extra["covered_until"]) == (start, early), "what holds for all of them"
    assert extra["coverage"] == {"7": [None, early], "8": [start, late]}
    assert json.loads(json.dumps(extra)) == extra


def test_event_has_no_bounds_if_a_group_is_not_covered():
    extra = AssetChange(3, coverage={7: (None, NIGHT[1]), 8: (None, None)}).extra
    assert (extra["covered_since"], extra["covered_until"]) == (None, None)


def test_event_of_very_many_groups_has_only_the_bounds_of_all():
    coverage = dict.fromkeys(range(MAX_GROUPS_IN_EVENT + 1), (None, NIGHT[1]))
    extra = AssetChange(3, coverage=coverage).extra
    assert "coverage" not in extra
    assert extra["covered_until"] == NIGHT[1]


def test_asset_gets_an_event_only_if_it_is_an_outlet():
    assert emitted(Loading(task_id="t"), (WIDE, AssetChange(3))) == {}
    assert list(emitted(Loading(task_id="t", outlets=[WIDE]), (WIDE, AssetChange(3)))) == [WIDE.uri]


def test_task_without_changes_emits_only_the_events_of_other_assets():
    assert emitted(Loading(task_id="t", outlets=[MINE]), (DOSSIERS, AssetChange(0))) == {MINE.uri: {}}


def test_erased_dossier_is_a_change():
    assert emitted(Loading(task_id="t"), (DOSSIERS, AssetChange(0, erased=1)))[DOSSIERS.uri]["erased"] == 1


def test_next_try_of_an_operator_has_its_outlets_again():
    operator = Loading(task_id="t")
    running = operator.prepare_for_execution()
    emitted(running, (DOSSIERS, AssetChange(0)))
    assert running.outlets == []
    assert operator.outlets == [DOSSIERS, CHAMPS]


def test_change_on_another_service_emits_no_event():
    operator = BaseOperator(task_id="t", outlets=[dossiers_asset(7)])
    assert emitted(operator, (dossiers_asset(7, "http://127.0.0.1:9999"), AssetChange(5))) == {}


def test_task_outside_of_airflow_emits_no_event():
    emit_changes(Loading(task_id="t"), {}, [(DOSSIERS, AssetChange(1))])


def test_change_of_an_extraction_counts_both_lists_of_deletions():
    summaries = [
        {"groupe_instructeur_number": 1, "rows": 5, "window": list(NIGHT)},
        {"groupe_instructeur_number": 2, "rows": 0, "rows_pending": 4, "window": None},
    ]
    assert [change_of(summary) for summary in summaries] == [AssetChange(5, window=NIGHT), AssetChange(4)]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([], None),
        ([NIGHT], NIGHT),
        ([NIGHT, None], None),
        ([NIGHT, (None, NIGHT[1])], (None, NIGHT[1])),
        (
            [("2026-11-01T00:00:00+01:00", NIGHT[1]), ("2026-11-01T00:30:00+02:00", NIGHT[0])],
            ("2026-10-31T22:30:00+00:00", NIGHT[1]),
        ),
    ],
)
def test_span_holds_all_windows(windows, expected):
    assert span(windows) == expected


INSTANTS = st.integers(0, 2_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, timezone.utc))


@given(st.lists(st.tuples(INSTANTS, INSTANTS).map(sorted), min_size=1))
def test_span_holds_every_instant_of_its_windows(windows):
    start, end = span([tuple(bound.isoformat() for bound in window) for window in windows])
    assert datetime.fromisoformat(start) == min(window[0] for window in windows)
    assert datetime.fromisoformat(end) == max(window[1] for window in windows)


@given(st.integers(0), st.integers(0), st.integers(0))
def test_extra_of_an_event_is_small_json(rows, erased, groupes):
    extra = AssetChange(rows, erased, groupes, NIGHT).extra
    assert json.loads(json.dumps(extra)) == extra
    assert set(extra) == {"rows", "erased", "groupes_instructeurs", "window"}


@given(st.lists(INSTANTS, min_size=1))
def test_loaded_watermark_only_moves_forward(instants):
    store = Store()
    context = {"asset_state_store": {DOSSIERS: store}}
    for instant in instants:
        advance_loaded_watermarks(context, DOSSIERS, {7: pendulum.instance(instant)})
    assert loaded_watermark(context, DOSSIERS, 7).get() == max(instants)
    assert loaded_watermark(context, DOSSIERS, 8).get() is None


@pytest.mark.parametrize("context", [{}, {"asset_state_store": {CHAMPS: Store()}}])
def test_task_without_the_outlet_saves_no_watermark(context):
    assert loaded_watermark(context, DOSSIERS, 7) is None
    advance_loaded_watermarks(context, DOSSIERS, {7: pendulum.now("UTC")})
