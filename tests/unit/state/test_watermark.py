"""A run's window comes from its partition, or else from its data interval."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk import DAG, CronDataIntervalTimetable, CronPartitionTimetable
from hypothesis import assume, given
from hypothesis import strategies as st

from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSClockError, DSConfigurationError
from ds_provider.retry_policy import PERMANENT_ERRORS
from ds_provider.state.watermark import ensure_window_is_over, window_of_run

NONE = timedelta(0)
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")


def dag(timezone="Europe/Paris"):
    timetable = CronPartitionTimetable("0 0 * * *", timezone=timezone, key_format="%Y-%m-%d")
    return DAG("d", start_date=pendulum.datetime(2026, 1, 1), schedule=timetable)


def of_key(key: str, **context) -> tuple[str, str]:
    window = window_of_run("updated", {"partition_key": key, "dag": dag(), **context}, NONE)
    return tuple(bound.in_timezone("UTC").strftime("%Y-%m-%dT%H:%M") for bound in (window.start, window.end))


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        ("2026", "2025-12-31T23:00", "2026-12-31T23:00"),
        ("2026-02", "2026-01-31T23:00", "2026-02-28T23:00"),
        ("2026-03", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("2026-11-01", "2026-10-31T23:00", "2026-11-01T23:00"),
        ("2026-07-14", "2026-07-13T22:00", "2026-07-14T22:00"),
        ("2026-11-01T08", "2026-11-01T07:00", "2026-11-01T08:00"),
        ("2026-07-14T23", "2026-07-14T21:00", "2026-07-14T22:00"),
    ],
)
def test_partition_key_is_a_period_in_paris(key, start, end):
    assert of_key(key) == (start, end)


@pytest.mark.parametrize(("key", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
def test_day_on_which_clocks_change_has_its_own_length(key, hours):
    window = window_of_run("created", {"partition_key": key, "dag": dag()}, NONE)
    assert (window.end - window.start).total_seconds() == hours * 3600


def test_bounds_are_in_utc_from_any_source():
    paris = {"data_interval_start": NOON.in_timezone("Europe/Paris"), "data_interval_end": NOON.add(days=1)}
    for context in ({"partition_key": "2026-11-01", "dag": dag()}, paris):
        window = window_of_run("created", context, NONE)
        assert {bound.isoformat()[-6:] for bound in (window.start, window.end)} == {"+00:00"}


days = st.dates(min_value=pendulum.date(2015, 1, 1), max_value=pendulum.date(2040, 1, 1))


@given(days, st.sampled_from(["%Y-%m-%d", "%Y-%m", "%Y"]))
def test_neighbouring_keys_share_a_bound(day, shape):
    last = window_of_run("created", {"partition_key": day.strftime(shape), "dag": dag()}, NONE)
    key = last.end.in_timezone("Europe/Paris").strftime(shape)
    following = window_of_run("created", {"partition_key": key, "dag": dag()}, NONE)
    assert following.start == last.end
    assert key > day.strftime(shape)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-11-01"])
def test_hours_of_a_day_cover_the_whole_day(day):
    first, last = of_key(day)
    # an hour that the clock jumps over has no run
    hours = [of_key(f"{day}T{h:02d}") for h in range(24) if (day, h) != ("2026-03-29", 2)]
    assert (hours[0][0], hours[-1][1]) == (first, last)
    assert [end for _, end in hours[:-1]] == [start for start, _ in hours[1:]]


@pytest.mark.parametrize(
    ("timezone", "start"),
    [
        ("UTC", "2026-11-01T00:00"),
        ("Indian/Reunion", "2026-10-31T20:00"),
        (pendulum.timezone("America/Cayenne"), "2026-11-01T03:00"),
        (pendulum.timezone(2 * 3600), "2026-10-31T22:00"),
    ],
    ids=str,
)
def test_partition_key_is_in_the_time_zone_of_the_timetable(timezone, start):
    assert of_key("2026-11-01", dag=dag(timezone))[0] == start


def test_partition_key_without_a_time_zone_is_in_paris():
    paris = "2026-10-31T23:00"
    assert of_key("2026-11-01", dag=None)[0] == paris
    assert of_key("2026-11-01", dag=DAG("d", schedule=None))[0] == paris
    assert of_key("2026-11-01", dag=SimpleNamespace(timetable=SimpleNamespace(timezone=None)))[0] == paris


@pytest.mark.parametrize(
    "key",
    [
        "north",
        "2026-11-01T00:00:00",
        "2026-11-01 ",
        "26-11-01",
        "2026-W45",
        "20261101",
        "2026-13",
        "2026-02-30",
        "2026-11-01T24",
        "0000",
        "9999",
    ],
)
def test_partition_key_that_names_no_period_is_refused_with_the_remedy(key):
    with pytest.raises(DSConfigurationError, match="partition key") as caught:
        of_key(key)
    message = str(caught.value)
    assert repr(key) in message
    assert "key_format" in message
    assert "YYYY-MM-DD" in message
    assert "\n" not in message


def test_data_interval_is_the_window():
    interval = {"data_interval_start": NOON, "data_interval_end": NOON.add(hours=6)}
    window = window_of_run("created", interval, timedelta(minutes=5))
    assert (window.date_column, window.start, window.end) == ("created", NOON, NOON.add(hours=6))
    assert window.read_from == NOON.subtract(minutes=5)


def test_partition_takes_precedence_over_a_data_interval():
    context = {
        "data_interval_start": NOON,
        "data_interval_end": NOON.add(hours=6),
        "partition_key": "2026",
        "dag": dag(),
    }
    window = window_of_run("created", context, NONE)
    assert window.end - window.start == timedelta(days=365)


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"data_interval_start": None, "data_interval_end": None},
        {"data_interval_start": NOON, "data_interval_end": NOON},
        {"data_interval_start": NOON.add(microseconds=5), "data_interval_end": NOON.add(microseconds=9)},
        {"data_interval_start": NOON.add(seconds=1), "data_interval_end": NOON},
        {"partition_key": None, "data_interval_start": NOON, "data_interval_end": NOON},
        {"partition_key": "", "data_interval_start": NOON, "data_interval_end": NOON},
    ],
    ids=str,
)
def test_empty_interval_is_no_window(context):
    assert window_of_run("updated", context, NONE) is None


moments = st.integers(0, 10_000_000).map(lambda n: NOON.add(microseconds=n))


@given(moments, moments, moments)
def test_consecutive_intervals_neither_overlap_nor_leave_a_gap(a, b, c):
    a, b, c = sorted((a, b, c))
    windows = [
        window_of_run("updated", {"data_interval_start": start, "data_interval_end": end}, NONE)
        for start, end in ((a, b), (b, c))
    ]
    assume(any(windows))
    found = [window for window in windows if window]
    assert all(bound.microsecond == 0 for window in found for bound in (window.start, window.end))
    assert found[0].start == a.replace(microsecond=0)
    assert found[-1].end == c.replace(microsecond=0)
    assert found[0].end == found[-1].start or len(found) == 1


def test_interval_timetable_needs_no_partition():
    timetable = CronDataIntervalTimetable("@daily", timezone="Europe/Paris")
    context = {
        "dag": DAG("d", start_date=pendulum.datetime(2026, 1, 1), schedule=timetable),
        "data_interval_start": pendulum.datetime(2026, 10, 25, tz="Europe/Paris"),
        "data_interval_end": pendulum.datetime(2026, 10, 26, tz="Europe/Paris"),
    }
    window = window_of_run("updated", context, NONE)
    assert (window.end - window.start).total_seconds() == 25 * 3600


class TestEndOfARunsWindow:
    """A run is due when its window ends, by another machine's clock."""

    @pytest.fixture
    def slept(self, monkeypatch) -> list[float]:
        slept: list[float] = []
        monkeypatch.setattr("ds_provider.state.watermark.time.sleep", slept.append)
        return slept

    def test_is_passed_without_a_wait(self, slept):
        ensure_window_is_over(Window("updated", NOON, NOON.add(days=1)), due())
        ensure_window_is_over(Window("updated", NOON), due())
        assert slept == []

    @pytest.mark.parametrize("seconds", [1, 40, 61, 299])
    @pytest.mark.parametrize("is_due", [True, False])
    def test_is_awaited_where_a_workers_clock_is_slow(self, slept, caplog, seconds, is_due):
        end = pendulum.now("UTC").add(seconds=seconds)
        ensure_window_is_over(Window("updated", end.subtract(days=1), end), due(end if is_due else None))
        assert [seconds - 1 < each <= seconds for each in slept] == [True]
        assert "for the end of the run's window" in caplog.text
        assert "this worker's clock" in caplog.text

    @pytest.mark.parametrize("early", [None, timedelta(days=1), timedelta(seconds=1)])
    def test_is_an_error_where_it_is_far_and_the_run_is_not_due(self, slept, early):
        end = pendulum.now("UTC").add(hours=1)
        with pytest.raises(DSConfigurationError, match="is not over"):
            ensure_window_is_over(Window("updated", end.subtract(days=1), end), due(early and end - early))
        assert slept == []

    @pytest.mark.parametrize("minutes", [6, 60, 600])
    def test_is_worth_another_try_where_the_run_is_due(self, slept, minutes):
        end = pendulum.now("UTC").add(minutes=minutes)
        with pytest.raises(DSClockError, match="clock is slow") as caught:
            ensure_window_is_over(Window("updated", end.subtract(days=1), end), due(end))
        assert not isinstance(caught.value, PERMANENT_ERRORS)
        assert slept == []


def due(at=None):
    return {"dag_run": SimpleNamespace(run_after=at)} if at else {}
