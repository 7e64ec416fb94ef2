"""Pages of a connection: keyset cursors, exact to the microsecond, and their page info."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ds_provider.sandbox.graphql.cursors import Key, read_cursor, write_cursor
from ds_provider.sandbox.graphql.errors import FieldError

PAGE_LIMIT = 100


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


class Connection:
    """A list with a client's arguments. Its page is taken when a field of it is answered, which then has its errors.

    :param entries: all rows, sorted
    :param arguments: see :func:`paginate`
    """

    def __init__(self, entries: Sequence[Entry], arguments: dict[str, Any]) -> None:
        self._entries = entries
        self._arguments = arguments

    @cached_property
    def page(self) -> Page:
        """The page that the arguments ask for."""
        return paginate(self._entries, self._arguments)

    @property
    def page_info(self) -> PageInfo:
        """The place of the page in the list."""
        return PageInfo(self)


class PageInfo:
    """The fields of a connection's `pageInfo` by their names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getitem__(self, name: str) -> bool | str | None:
        page = self._connection.page
        if name in ("hasNextPage", "hasPreviousPage"):
            return page.has_next if name == "hasNextPage" else page.has_previous
        edge = 0 if name == "startCursor" else -1
        return write_cursor(page.entries[edge].key) if page.entries else None


def paginate(entries: Sequence[Entry], arguments: dict[str, Any]) -> Page:
    """Return the page of sorted entries that a connection's arguments ask for.

    :param arguments: the client's `first`, `last`, `after`, `before` and `order`; an empty cursor counts as absent
    :raises FieldError: if two of them exclude each other, or a cursor is no base64
    :raises RefusalError: see :func:`read_cursor`
    """
    arguments = {name: value for name, value in arguments.items() if value not in (None, "")}
    _check_exclusive(arguments, "first", "last")
    _check_exclusive(arguments, "before", "after")
    if arguments.get("order") == "DESC":
        return _reversed_page(entries, arguments)
    low, high = _bounds(entries, arguments.get("after"), arguments.get("before"))
    backward = "last" in arguments or "before" in arguments
    size = _size(arguments)
    taken = slice(max(low, high - size), high) if backward else slice(low, min(high, low + size))
    page = entries[taken]
    more = high - low > size
    return Page(page, _has_next(arguments, more, backward), "after" in arguments or (backward and more))


def _has_next(arguments: dict[str, Any], more: bool, backward: bool) -> bool:
    return "before" in arguments or (more and not backward)


def _check_exclusive(arguments: dict[str, Any], one: str, other: str) -> None:
    if one in arguments and other in arguments:
        raise FieldError(f'Arguments "{one}" and "{other}" are exclusive', "bad_request")


def _size(arguments: dict[str, Any]) -> int:
    requested = arguments.get("first", arguments.get("last", PAGE_LIMIT))
    return max(0, min(int(requested), PAGE_LIMIT))


def _bounds(entries: Sequence[Entry], after: str | None, before: str | None) -> tuple[int, int]:
    """Return where the rows begin and end that lie after one cursor and before another."""
    low, high = 0, len(entries)
    if after:
        key = read_cursor(after)
        low = high if key is None else bisect_right(entries, key, key=_key)
    if before:
        key = read_cursor(before)
        high = low if key is None else bisect_left(entries, key, key=_key)
    return low, high


def _key(entry: Entry) -> Key:
    return entry.key


def _reversed_page(entries: Sequence[Entry], arguments: dict[str, Any]) -> Page:
    """Return a page in the deprecated descending order: `after` means older than the cursor, `before` newer.

    With `before` it is the newest rows of all, not those next to the cursor.
    """
    if "last" in arguments:
        raise FieldError('Argument "last" is not supported with order "desc"', "bad_request")
    low, high = _bounds(entries, arguments.get("before"), arguments.get("after"))
    size = _size(arguments)
    page = [*reversed(entries[max(low, high - size) : high])]
    more = high - low > size
    return Page(page, more or "before" in arguments, "after" in arguments)
