"""Windows are half-open and made of instants, in whatever time zone they are written."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.query.windows import Window, parse_instant
from ds_provider.exceptions import DSConfigurationError

PARIS = ZoneInfo("Europe/Paris")
START = pendulum.datetime(2026, 11, 1)

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
places: st.SearchStrategy[tzinfo] = st.one_of(
    offsets, st.sampled_from([PARIS, timezone.utc, ZoneInfo("America/St_Johns"), pendulum.timezone("Indian/Reunion")])
)
instants = st.datetimes(datetime(1971, 1, 1), datetime(2199, 12, 31), timezones=places)  # noqa: DTZ001


def refusal(value: object) -> str:
    with pytest.raises(DSConfigurationError) as caught:
        parse_instant(value, "created_since")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("created_since ")
    return text


@given(instants)
def test_instant_is_kept_to_the_microsecond(instant):
    assert parse_instant(instant, "x") == instant.astimezone(timezone.utc)


@given(instants)
def test_text_of_an_instant_is_that_instant(instant):
    assert parse_instant(instant.isoformat(), "x") == instant.astimezone(timezone.utc)
    assert parse_instant(str(instant), "x") == instant.astimezone(timezone.utc)


@given(instants)
def test_parsed_instant_is_in_utc_and_parsing_is_idempotent(instant):
    parsed = parse_instant(instant, "x")
    assert parsed.utcoffset() == timedelta(0)
    assert parse_instant(parsed, "x") == parse_instant(parsed.isoformat(), "x") == parsed


@given(st.text(max_size=30) | st.text("0123456789-+:TZ. ", max_size=30))
def test_any_text_is_an_instant_or_refused_by_name(text):
    try:
        instant = parse_instant(text, "created_since")
    except DSConfigurationError:
        refusal(text)
    else:
        assert instant is None or instant.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"])
def test_instant_outside_the_calendar_is_refused_by_name(text):
    refusal(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-01T00:00:00+01:00", "2026-10-31T23:00:00+00:00"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01 00:00:00+00:00", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T00:00:00+0100", "2026-10-31T23:00:00+00:00"),
        ("2026-11-01T00:00+01:00", "2026-10-31T23:00:00+00:00"),
        ("  2026-11-01T00:00:00Z\n", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T00:00:00.123456Z", "2026-11-01T00:00:00.123456+00:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00+00:00"),
    ],
)
def test_text_is_parsed_as_an_instant(text, utc):
    assert parse_instant(text, "x").isoformat() == utc


def test_hour_that_clocks_skip_is_the_one_after_it():
    """Half past two of that night is half past three, in Python and in pendulum."""
    instant = datetime(2026, 3, 29, 2, 30, tzinfo=PARIS)
    assert parse_instant(instant, "x") == pendulum.datetime(2026, 3, 29, 1, 30)


@pytest.mark.parametrize("fold", [0, 1])
def test_hour_that_comes_twice_keeps_its_fold(fold):
    instant = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=fold)
    assert parse_instant(instant, "x") == pendulum.datetime(2026, 10, 25, fold, 30)


@pytest.mark.parametrize("value", [None, "", "  ", "None", " None "])
def test_absent_instant_is_none(value):
    assert parse_instant(value, "x") is None


@pytest.mark.parametrize(
    "value", ["2026-11-01T00:00:00", "2026-11-01", "2026-11-01 08:00", pendulum.naive(2026, 11, 1)]
)
def test_instant_without_a_time_zone_is_refused(value):
    assert "needs a time zone" in refusal(value)


@pytest.mark.parametrize(
    "value",
    [
        date(2026, 11, 1),
        20261101,
        1_795_000_000.0,
        True,
        ["2026-11-01T00:00:00Z"],
        b"2026-11-01T00:00:00Z",
        "yesterday",
        "now",
        "2026-13-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-01T25:00:00Z",
        "P1D",
        "2026-11-01T00:00Z/2026-11-02T00:00Z",
        "{{ data_interval_start }}",
    ],
    ids=repr,
)
def test_invalid_instant_is_refused_with_an_example(value):
    assert "2026-11-01T00:00:00+01:00" in refusal(value)


@pytest.mark.parametrize("text", ["10:00Z", "12:00+01:00"])
def test_time_without_a_day_is_refused(text):
    refusal(text)


@given(instants, instants)
def test_window_begins_before_it_ends(start, end):
    start, end = pendulum.instance(start), pendulum.instance(end)
    if start < end:
        assert Window("created", start, end).read_from == start
        return
    with pytest.raises(DSConfigurationError, match=r"created_since .* must be before created_until"):
        Window("created", start, end)


def test_bounds_are_compared_as_instants():
    paris = START.in_timezone("Europe/Paris")
    with pytest.raises(DSConfigurationError):
        Window("updated", paris, START)
    assert Window("updated", paris, START.add(microseconds=1))


def test_lookback_moves_the_beginning_of_the_read_only():
    window = Window("updated", START, START.add(days=1), lookback=timedelta(minutes=5))
    assert window.read_from == START.subtract(minutes=5)
    assert window.start == START


def test_open_window_is_read_from_the_first_row():
    assert Window("created", None, START, lookback=timedelta(minutes=5)).read_from is None


def test_window_s_text_shows_its_open_sides():
    assert str(Window("created", None, START)) == "created […, 2026-11-01T01:00:00+01:00)"
    assert str(Window("updated", START)) == "updated [2026-11-01T01:00:00+01:00, …)"


def test_window_is_shown_by_the_clock_of_paris_through_the_year():
    window = Window("created", pendulum.datetime(2026, 6, 30, 22), pendulum.datetime(2026, 12, 31, 23))
    assert str(window) == "created [2026-07-01T00:00:00+02:00, 2027-01-01T00:00:00+01:00)"
    assert window.iso_bounds == ("2026-06-30T22:00:00+00:00", "2026-12-31T23:00:00+00:00")


def test_window_that_has_an_offset_is_shown_with_it():
    start = pendulum.datetime(2026, 11, 1, tz="Indian/Reunion")
    assert str(Window("created", start)) == "created [2026-11-01T00:00:00+04:00, …)"


def test_end_of_time_is_shown_in_utc():
    assert str(Window("created", None, pendulum.datetime(9999, 12, 31, 23, 30))).endswith("9999-12-31T23:30:00+00:00)")
