"""Cursors: base64 of an instant and an id. Other texts are read as the API reads them, which is seldom an error."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from ds_provider.sandbox.graphql.errors import FieldError, ServerError, refusal
from ds_provider.sandbox.graphql.variables import serialize
from ds_provider.sandbox.world.clock import PARIS, micros, moment

DATE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d?)(?:-(?P<day>\d\d?))?"
    r"(?:[T ]+(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>[.,]\d+)?)?)?"
    r"\s*(?P<zone>Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)
# a date of digits alone, by their number
DIGITS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
NUMBER = re.compile(r"\s*[+-]?\d+", re.ASCII)
MAX_DATE_LENGTH = 128


class Key(NamedTuple):
    """Sort key of a row: an instant in microseconds since the epoch, then the row's id."""

    at: int
    id: int


def write_cursor(key: Key) -> str:
    """Return the cursor of a row."""
    at = moment(key.at).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return urlsafe_b64encode(f"{at}000Z;{key.id}".encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> Key | None:
    """Return the key in a cursor, None if it holds no date: no row lies before or after that.

    A cursor without an id is one of the id 0, one without a time or an offset means midnight or the time in Paris.

    :raises FieldError: if the text is not base64
    :raises RefusalError: with HTTP 400 if it holds a date that no calendar has
    :raises ServerError: if it holds neither a date nor an id
    """
    parts = _decode(text).rstrip(";").split(";")
    if parts == [""]:
        raise ServerError("cursor without a date")
    at = _read_date(parts[0])
    number = NUMBER.match(parts[1]) if len(parts) > 1 else None
    return None if at is None else Key(at, int(number[0]) if number else 0)


def _decode(text: str) -> str:
    padded = text if text.endswith("=") else text + "=" * (-len(text) % 4)
    try:
        raw = b64decode(padded.translate({45: "+", 95: "/"}), validate=True)
    except (Error, ValueError):
        raw = b""
    # bits that belong to no byte are not ignored
    if not raw or urlsafe_b64encode(raw).decode().rstrip("=") != padded.rstrip("=").translate({43: "-", 47: "_"}):
        raise FieldError(f"Invalid input: {serialize(text)}", None)
    return raw.decode("latin-1")


def _read_date(text: str) -> int | None:
    if len(text) > MAX_DATE_LENGTH:
        message = f"string length ({len(text)}) exceeds the limit {MAX_DATE_LENGTH}"
        raise refusal(400, message, "bad_request")
    match = DATE.search(text)
    try:
        if match is not None:
            return _instant(match)
        if text.isdecimal() and (form := DIGITS.get(len(text))):
            return micros(datetime.strptime(text, form).replace(tzinfo=PARIS))
    except (ValueError, OverflowError) as problem:
        raise refusal(400, "argument out of range", "bad_request") from problem
    return None


def _instant(match: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (
        int(match[name] or default)
        for name, default in (("year", 1), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    fraction = int(f"{(match['fraction'] or '.')[1:7]:0<6}")
    return micros(datetime(year, month, day, hour, minute, second, fraction, tzinfo=_zone(match["zone"])))


def _zone(text: str | None) -> tzinfo:
    if text is None:
        return PARIS
    if text.upper() == "Z":
        return timezone.utc
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
