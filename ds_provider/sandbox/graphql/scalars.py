"""The API's scalars as it reads them from a client: what it takes, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

from ds_provider.sandbox.world.clock import PARIS, micros

MAX_INT = 1 << 31
ZONE = r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?"
DATE = r"\s*(?P<year>-?\d+)-(?P<month>\d\d)-(?P<day>\d\d)"
TIME = r"T(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>\.\d+)?"
INSTANT = re.compile(DATE + TIME + ZONE + r"\s*", re.IGNORECASE | re.ASCII)
DAY = re.compile(DATE + ZONE + r"\s*", re.IGNORECASE | re.ASCII)
# shorter forms of a day's beginning
MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)T00:00", re.ASCII)


def read_instant(value: Any) -> int:
    """Read an ISO8601DateTime: microseconds since the epoch.

    A day means its midnight, a time without an offset that of Paris. A day that its month has not is counted on from
    the month's beginning.

    :raises ValueError: if it has none of the forms that the API takes
    """
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    match = INSTANT.fullmatch(value) or DAY.fullmatch(value)
    return _instant(match.groupdict()) if match else _instant(dict(_short_form(value), zone=None))


def _short_form(text: str) -> dict[str, str]:
    """Return the year, month and day of a form that names neither seconds nor an offset."""
    for form in (MONTH, DIGITS):
        if match := form.fullmatch(text):
            found = dict(zip(("year", "month", "day"), (*match.groups(), "01"), strict=False))
            date(*map(int, found.values()))
            return found
    if match := MIDNIGHT.fullmatch(text):
        return dict(zip(("year", "month", "day"), date.fromisoformat(match[1]).isoformat().split("-"), strict=True))
    raise ValueError(f"{text!r} is no date")


def _instant(parts: dict[str, str | None]) -> int:
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    day = int(parts["day"] or 0)
    if not 1 <= day <= 31 or (hour, minute, second) > (24, 0, 0) or minute > 59 or second > 60:
        raise ValueError("argument out of range")
    month = datetime(min(max(int(parts["year"] or 0), 1), 9_998), int(parts["month"] or 0), 1)  # noqa: DTZ001
    fraction = int(f"{(parts.get('fraction') or '.')[1:7]:0<6}")
    local = month + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    return micros(local.replace(tzinfo=_zone(parts["zone"])))


def _zone(text: str | None) -> Any:
    if text is None:
        return PARIS
    if text.upper() == "Z":
        return timezone.utc
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:].replace(":", "") or 0))
    return timezone(-offset if text[0] == "-" else offset)


def read_day(value: Any) -> str:
    """Read an ISO8601Date.

    :raises ValueError: if it is no text of a date
    """
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return date.fromisoformat(value).isoformat()


def _read_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no integer")
    return value


def _read_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _read_id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is no id")
    return str(value)


def _of_type(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return read


SCALARS: dict[str, Callable[[Any], Any]] = {
    "Int": _read_int,
    "Float": _read_float,
    "ID": _read_id,
    "String": _of_type(str),
    "Boolean": _of_type(bool),
    "ISO8601DateTime": read_instant,
    "ISO8601Date": read_day,
}
