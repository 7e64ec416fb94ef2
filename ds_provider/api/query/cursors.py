"""Cursors that a person gives: the service takes any text for one, and answers a wrong one with an empty page."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import timedelta

import pendulum

from ds_provider.api.query.windows import Window, parse_instant
from ds_provider.exceptions import DSConfigurationError

# a row's date and id, as the service writes them
_KEY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z);\d{1,19}", re.ASCII)
# clocks differ by less, and nothing is dated later than now
_TOMORROW = timedelta(days=1)


def parse_cursor(value: str, parameter: str, window: Window | None = None) -> str:
    """Return a cursor, checked to be one that the service may have given for a selection.

    It says neither its connection nor the date that it is about: one of another sort order is found only if no row of
    the selection can have its date.

    :param parameter: the name that an error gives.
    :param window: the selection's window.
    :raises DSConfigurationError: if it is none, or its date is in the future or outside the window.
    """
    text = value.strip().rstrip("=")
    date = _date_of(text)
    if date is None:
        raise DSConfigurationError(
            f"{parameter} must be a cursor of this selection, as the service gives it in pageInfo.endCursor (base64 of "
            f"a date and an id): got {value!r:.100}; the service would answer it with no rows"
        )
    if window and not _is_in(window, date):
        raise DSConfigurationError(
            f"{parameter} is a cursor at {date.isoformat()}, outside the window {window}: give a cursor of the same "
            "selection, sorted by the same date, or leave it out"
        )
    if date > pendulum.now("UTC") + _TOMORROW:
        raise DSConfigurationError(f"{parameter} is a cursor at {date.isoformat()}, and no row is dated in the future")
    return text


def _date_of(text: str) -> pendulum.DateTime | None:
    """Return the date in a cursor, or None if the text is none."""
    try:
        key = _KEY.fullmatch(b64decode(text + "=" * (-len(text) % 4), validate=True).decode("ascii"))
        return parse_instant(key[1], "the cursor's date") if key else None
    except ValueError:
        return None


def _is_in(window: Window, date: pendulum.DateTime) -> bool:
    begin = window.read_from
    return (begin is None or date >= begin) and (window.end is None or date < window.end)
