"""A cursor that is none, or of another selection, is refused before any request."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from datetime import timedelta

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.query.cursors import parse_cursor
from ds_provider.api.query.parameters import (
    select_deleted_dossiers,
    select_dossiers,
    select_pending_deleted_dossiers,
)
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSConfigurationError
from tests.support.connection_model import Stored

NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")
CURSOR = Stored(34, NOON).cursor


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


NO_CURSORS = {
    "word": "abc",
    "number": "12345",
    "no base64": "!!!",
    "relay id": encoded("Dossier-12345"),
    "date alone": encoded("2026-09-03"),
    "date without a time": encoded("2026-09-03;3"),
    "no id": encoded("2026-09-03T10:00:00.000000000Z"),
    "empty id": encoded("2026-09-03T10:00:00.000000000Z;"),
    "id that is none": encoded("2026-09-03T10:00:00.000000000Z;x"),
    "negative id": encoded("2026-09-03T10:00:00.000000000Z;-3"),
    "no date": encoded(";3"),
    "month that is none": encoded("2026-13-03T10:00:00.000000000Z;3"),
    "no time zone": encoded("2026-09-03T10:00:00.000000000;3"),
    "trailing text": encoded("2026-09-03T10:00:00.000000000Z;3;4"),
    "space within": CURSOR[:8] + " " + CURSOR[8:],
    "cut": CURSOR[:20],
    "doubled": CURSOR + CURSOR,
    "quoted": f"'{CURSOR}'",
    "template": "{{ cursor }}",
    "plain text": "2026-09-03T10:00:00.000000000Z;3",
    "no ASCII": "curseur\u00e9",
    "encoded twice": encoded(CURSOR),
}


@pytest.mark.parametrize("value", NO_CURSORS.values(), ids=NO_CURSORS)
@pytest.mark.parametrize("select", [select_dossiers, select_deleted_dossiers, select_pending_deleted_dossiers])
def test_text_that_is_no_cursor_is_refused(select, value):
    with pytest.raises(DSConfigurationError, match="after must be a cursor"):
        select(7, after=value)


@given(st.text() | st.binary().map(lambda raw: b64encode(raw).decode()))
def test_any_text_is_refused_or_is_nothing(text):
    with suppress(DSConfigurationError):
        assert select_dossiers(7, after=text).after is None


@given(st.datetimes(min_value=pendulum.datetime(2010, 1, 1).naive(), max_value=NOON.naive()), st.integers(1, 2**62))
def test_cursor_of_any_row_is_accepted(date, number):
    cursor = Stored(number, pendulum.instance(date, tz="UTC")).cursor
    for given_as in (cursor, f" {cursor}\n", cursor + "=" * (-len(cursor) % 4)):
        assert select_dossiers(7, after=given_as).after == cursor


def test_cursor_may_have_any_fraction_of_a_second():
    for stamp in ("2026-09-03T10:00:00Z", "2026-09-03T10:00:00.123Z", "2026-09-03T10:00:00.123456Z"):
        assert parse_cursor(encoded(f"{stamp};3"), "after")


@pytest.mark.parametrize("outside", [timedelta(days=-1), timedelta(microseconds=-1), timedelta(days=1)])
def test_cursor_outside_the_window_is_of_another_selection(outside):
    window = Window("updated", NOON, NOON.add(days=1))
    cursor = Stored(3, NOON + outside).cursor
    with pytest.raises(DSConfigurationError, match="outside the window updated"):
        select_dossiers(7, window=window, after=cursor)


def test_cursor_inside_the_window_is_accepted():
    window = Window("updated", NOON, NOON.add(days=1), timedelta(minutes=5))
    for inside in (timedelta(minutes=-5), timedelta(0), timedelta(hours=23)):
        cursor = Stored(3, NOON + inside).cursor
        assert select_dossiers(7, window=window, after=cursor).after == cursor


def test_cursor_before_the_deletions_asked_for_is_refused():
    with pytest.raises(DSConfigurationError, match="outside the window deleted"):
        select_deleted_dossiers(7, deleted_since=NOON.add(seconds=1), after=CURSOR)


def test_cursor_in_the_future_is_refused():
    with pytest.raises(DSConfigurationError, match="in the future"):
        select_dossiers(7, after=Stored(3, pendulum.now("UTC").add(days=2)).cursor)
