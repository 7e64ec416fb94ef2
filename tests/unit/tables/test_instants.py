"""Instants: microseconds since the epoch and back, without loss."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.instants import EPOCH, from_microseconds, to_microseconds

PARIS_WINTER = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("instant", "microseconds"),
    [
        (EPOCH, 0),
        (datetime(1970, 1, 1, 1, 0, 1, tzinfo=PARIS_WINTER), 1_000_000),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc), -1),
        (datetime(2026, 11, 23, 2, 59, 59, tzinfo=PARIS_WINTER), 1_795_399_199_000_000),
    ],
)
def test_instant_is_microseconds_since_the_epoch(instant: datetime, microseconds: int) -> None:
    assert to_microseconds(instant) == microseconds
    assert from_microseconds(microseconds) == instant


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_instant_round_trips_to_the_microsecond(instant: datetime) -> None:
    assert from_microseconds(to_microseconds(instant)) == instant


def test_missing_value_has_no_instant() -> None:
    assert from_microseconds(None) is None
