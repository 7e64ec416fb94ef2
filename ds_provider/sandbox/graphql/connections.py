"""Pages of a connection: keyset cursors, exact to the microsecond, and their page info."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ds_provider.sandbox.graphql.errors import FieldError, refusal
from ds_provider.sandbox.world.clock import moment, read_moment

PAGE_LIMIT = 100
CURSOR = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z);(?P<id>\d+)")


class Key(NamedTuple):
    """Sort key of a row: an instant in microseconds since the epoch, then the row's id."""

    at: int
    id: int


class Entry(NamedTuple):
    """A row with its sort key."""

    key: Key
    row: Any


@dataclass(frozen=True)
class Page:
    """Rows in ascending order (descending under the deprecated `order: DESC`)."""

    entries: Sequence[Entry]
    has_next: bool
    has_previous: bool


def write_cursor(key: Key) -> str:
    """Return the cursor of a row."""
    at = moment(key.at).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return urlsafe_b64encode(f"{at}000Z;{key.id}".encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> Key:
    """Return the key in a cursor.

    :raises RefusalError: with HTTP 400 if the text is not a cursor
    """
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        decoded = ""
    match = CURSOR.fullmatch(decoded)
    if match is None:
        raise refusal(400, "Invalid cursor", "bad_request")
    return Key(read_moment(match["at"]), int(match["id"]))


def paginate(entries: Sequence[Entry], arguments: dict[str, Any]) -> Page:
    """Return the page of sorted entries that a connection's arguments ask for.

    :param arguments: the client's `first`, `last`, `after`, `before` and `order`; an empty cursor counts as absent
    :raises FieldError: if two of them exclude each other
    :raises RefusalError: with HTTP 400 if a cursor is garbled
    """
    _check_exclusive(arguments, "first", "last")
    _check_exclusive(arguments, "before", "after")
    if arguments.get("order") == "DESC":
        return _reversed_page(entries, arguments)
    low, high = _bounds(entries, arguments.get("after"), arguments.get("before"))
    backward = "last" in arguments or bool(arguments.get("before"))
    size = _size(arguments)
    taken = slice(max(low, high - size), high) if backward else slice(low, min(high, low + size))
    page = entries[taken]
    more = high - low > size
    return Page(page, _has_next(arguments, more, backward), bool(arguments.get("after")) or (backward and more))


def _has_next(arguments: dict[str, Any], more: bool, backward: bool) -> bool:
    return bool(arguments.get("before")) or (more and not backward)


def _check_exclusive(arguments: dict[str, Any], one: str, other: str) -> None:
    given = [name for name in (one, other) if arguments.get(name) not in (None, "")]
    if len(given) == 2:
        raise FieldError(f'Arguments "{one}" and "{other}" are exclusive', "bad_request")


def _size(arguments: dict[str, Any]) -> int:
    requested = arguments.get("first", arguments.get("last", PAGE_LIMIT))
    return max(0, min(int(requested), PAGE_LIMIT))


def _bounds(entries: Sequence[Entry], after: str | None, before: str | None) -> tuple[int, int]:
    low = bisect_right(entries, read_cursor(after), key=_key) if after else 0
    high = bisect_left(entries, read_cursor(before), key=_key) if before else len(entries)
    return low, high


def _key(entry: Entry) -> Key:
    return entry.key


def _reversed_page(entries: Sequence[Entry], arguments: dict[str, Any]) -> Page:
    """Return a page in the deprecated descending order: `after` means older than the cursor, `before` newer."""
    if "last" in arguments:
        raise FieldError('Argument "last" is not supported with order DESC', "bad_request")
    low, high = _bounds(entries, arguments.get("before"), arguments.get("after"))
    size = _size(arguments)
    page = [*reversed(entries[max(low, high - size) : high])]
    more = high - low > size
    return Page(page, more, bool(arguments.get("after")))
