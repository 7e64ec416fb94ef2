"""Days that the demo runs, and months that it loads before them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scripts.demo.__main__ import PARIS, PAST, days_of, months_until, stretch

moments = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis wants its bounds naive
    datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(PARIS),
)


@given(moments, st.integers(1, 90))
def test_days_end_on_a_sunday_and_begin_in_a_month_that_is_over(now, days):
    first, end = stretch(days, now)
    assert end <= now
    assert end.isoweekday() == 7
    assert (first.year, first.month) < (now.year, now.month)
    days_run = list(days_of(first, end))
    assert len(days_run) == days
    assert all((day.hour, day.minute) == (0, 0) for day in days_run)
    assert days_run[-1].date() + timedelta(days=1) == end.date()


@given(moments)
def test_months_cover_the_past_in_full(first):
    months = months_until(first)
    assert all(month.day == 1 for month in months)
    assert months[0] <= first - PAST
    assert (months[-1].year, months[-1].month) == (first.year, first.month)
    beginnings = [date(month.year, month.month, 1) for month in months]
    assert all((later - earlier).days in range(28, 32) for earlier, later in pairwise(beginnings))
