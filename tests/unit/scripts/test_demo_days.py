"""Days that the demo runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scripts.demo.__main__ import PARIS, days_of, stretch

moments = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis wants its bounds naive
    datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(PARIS),
)


@given(moments, st.integers(1, 90))
def test_days_end_on_a_sunday(now, days):
    first, end = stretch(days, now)
    assert end <= now
    assert end.isoweekday() == 7
    days_run = list(days_of(first, end))
    assert len(days_run) == days
    assert all((day.hour, day.minute) == (0, 0) for day in days_run)
    assert days_run[-1].date() + timedelta(days=1) == end.date()
