"""A task wakes what waits for an asset when it changed the asset, and only then."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pendulum
import pytest
from airflow.sdk import Asset, BaseOperator, XComArg
from airflow.sdk.execution_time.context import OutletEventAccessors
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.asset_events import (
    Change,
    advance_loaded_upto,
    changes_of,
    declare,
    emit,
    is_plain,
    loaded_upto,
    span,
)
from ds_provider.assets import deleted_dossiers_asset, dossiers_asset, table_asset

DOSSIERS, CHAMPS = table_asset("dossiers"), table_asset("champs")
WIDE = table_asset("demarche_7")
MINE = Asset("mine")
NIGHT = ("2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00")


class Loading(BaseOperator):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        declare(self, [DOSSIERS, CHAMPS])


class Store(dict):
    def set(self, key, value):
        self[key] = value


def told(operator, *changes):
    """What Airflow is given at the end of a task: the events of the outlets that are left."""
    events = OutletEventAccessors()
    emit(operator, {"outlet_events": events}, changes)
    return {asset.uri: events[asset].extra for asset in operator.outlets}


def test_an_operator_declares_what_it_may_change_besides_what_its_user_gives():
    assert Loading(task_id="t").outlets == [DOSSIERS, CHAMPS]
    assert Loading(task_id="t", outlets=[MINE]).outlets == [MINE, DOSSIERS, CHAMPS]
    assert Loading(task_id="t", outlets=MINE).outlets == [MINE, DOSSIERS, CHAMPS]


def test_an_asset_that_the_user_gives_too_is_there_once():
    given_by_user = Asset(DOSSIERS.uri, extra={"owner": "us"})
    assert Loading(task_id="t", outlets=[given_by_user]).outlets == [given_by_user, CHAMPS]


def test_what_changed_is_told_and_what_did_not_is_not():
    changes = (DOSSIERS, Change(3, groupes=2, window=NIGHT)), (CHAMPS, Change(0))
    extra = {"rows": 3, "erased": 0, "groupes_instructeurs": 2, "window": list(NIGHT)}
    assert told(Loading(task_id="t"), *changes) == {DOSSIERS.uri: extra}


def test_what_nobody_asked_for_is_not_told_until_it_is_among_the_outlets():
    assert told(Loading(task_id="t"), (WIDE, Change(3))) == {}
    assert list(told(Loading(task_id="t", outlets=[WIDE]), (WIDE, Change(3)))) == [WIDE.uri]


def test_where_nothing_came_only_the_users_own_asset_is_told():
    assert told(Loading(task_id="t", outlets=[MINE]), (DOSSIERS, Change(0))) == {MINE.uri: {}}


def test_an_erased_dossier_is_a_change():
    assert told(Loading(task_id="t"), (DOSSIERS, Change(0, erased=1)))[DOSSIERS.uri]["erased"] == 1


def test_the_next_try_of_the_same_operator_has_its_outlets_again():
    operator = Loading(task_id="t")
    running = operator.prepare_for_execution()
    told(running, (DOSSIERS, Change(0)))
    assert running.outlets == []
    assert operator.outlets == [DOSSIERS, CHAMPS]


def test_another_service_than_the_one_that_was_declared_is_not_told_as_it():
    operator = BaseOperator(task_id="t", outlets=[dossiers_asset(7)])
    assert told(operator, (dossiers_asset(7, "http://127.0.0.1:9999"), Change(5))) == {}


def test_called_by_hand_a_task_tells_nobody():
    emit(Loading(task_id="t"), {}, [(DOSSIERS, Change(1))])


def test_readings_tell_of_their_groups():
    summaries = [
        {"groupe_instructeur_number": 1, "rows": 5, "window": list(NIGHT)},
        {"groupe_instructeur_number": 2, "rows": 0, "rows_pending": 4, "window": None},
    ]
    assert list(changes_of(summaries, deleted_dossiers_asset)) == [
        (deleted_dossiers_asset(1), Change(5, window=NIGHT)),
        (deleted_dossiers_asset(2), Change(4)),
    ]


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
def test_the_span_of_windows_holds_them_all(windows, expected):
    assert span(windows) == expected


INSTANTS = st.integers(0, 2_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, timezone.utc))


@given(st.lists(st.tuples(INSTANTS, INSTANTS).map(sorted), min_size=1))
def test_no_instant_of_a_window_is_outside_the_span(windows):
    start, end = span([tuple(bound.isoformat() for bound in window) for window in windows])
    assert datetime.fromisoformat(start) == min(window[0] for window in windows)
    assert datetime.fromisoformat(end) == max(window[1] for window in windows)


@given(st.integers(0), st.integers(0), st.integers(0))
def test_what_an_event_says_is_small_and_json(rows, erased, groupes):
    extra = Change(rows, erased, groupes, NIGHT).extra
    assert json.loads(json.dumps(extra)) == extra
    assert set(extra) == {"rows", "erased", "groupes_instructeurs", "window"}


@pytest.mark.parametrize(
    ("value", "plain"), [(None, True), ("warehouse", True), ("{{ x }}", False), ("{% x %}", False)]
)
def test_a_parameter_is_plain_where_its_value_is_known(value, plain):
    assert is_plain(value) is plain


def test_the_result_of_another_task_is_not_plain():
    assert not is_plain(XComArg(BaseOperator(task_id="t")))


@given(st.lists(INSTANTS, min_size=1))
def test_how_far_a_group_is_loaded_only_moves_forward(instants):
    store = Store()
    context = {"asset_state_store": {DOSSIERS: store}}
    for instant in instants:
        advance_loaded_upto(context, DOSSIERS, {7: pendulum.instance(instant)})
    assert loaded_upto(context, DOSSIERS, 7).get() == max(instants)
    assert loaded_upto(context, DOSSIERS, 8).get() is None


@pytest.mark.parametrize("context", [{}, {"asset_state_store": {CHAMPS: Store()}}])
def test_a_task_without_the_asset_among_its_outlets_remembers_nothing_and_goes_on(context):
    assert loaded_upto(context, DOSSIERS, 7) is None
    advance_loaded_upto(context, DOSSIERS, {7: pendulum.now("UTC")})
