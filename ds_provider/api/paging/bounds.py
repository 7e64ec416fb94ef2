"""Bounds of a read: the position at which a page begins, and where a window ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pendulum

from ds_provider.api.paging.rows import read_connection, read_row
from ds_provider.api.query.selection import Selection
from ds_provider.api.transport.flows import SubFlow
from ds_provider.api.transport.retry import send_with_retry


@dataclass(frozen=True)
class Position:
    """Position at which a page begins: after a cursor, or at a date; with neither, where the selection begins.

    :param since: ISO 8601, inclusive.
    """

    cursor: str | None = None
    since: str | None = None


@dataclass(frozen=True)
class UpperBound:
    """End of a selection's rows: a date, the first dossier after it, or the end of the connection.

    :param estimated_end: estimated date of the last row. It spaces the probes, and never ends a read.
    :param date: the window's exclusive end.
    :param first_number_after: the first dossier after the end, where rows alone do not tell.
    """

    estimated_end: datetime
    date: datetime | None = None
    first_number_after: int | None = None

    def is_past_end(self, number: int, date: datetime) -> bool:
        """Return true if a row is no longer in the selection."""
        return number == self.first_number_after or (self.date is not None and date >= self.date)


def find_bounds(selection: Selection) -> SubFlow[tuple[Position, UpperBound]]:
    """Find where to begin and where to end, with one request where rows alone do not tell.

    The server's cursors are exact to the microsecond, while the dates in its JSON are cut to the second. So the end of
    an ascending read that lies within a second is asked for, and so is the beginning of a descending one.
    """
    window, begin = selection.window, Position(cursor=selection.after)
    now = pendulum.now("UTC")
    if window is None or window.end is None:
        return begin, UpperBound(now)
    bound = UpperBound(min(window.end, now), window.end)
    if selection.after if selection.is_descending else window.end.microsecond == 0:
        return begin, bound
    # a failure is of the window that is read, not of what follows it
    request = replace(selection.after_window(window).page_request(1, light=True), context=selection.context())
    page = yield from send_with_retry(
        lambda: request, lambda exchange: read_connection(exchange, selection.stream.connection)
    )
    if not page.nodes:
        return begin, bound
    if selection.is_descending:
        return Position(cursor=page.page_info.start_cursor), bound
    return begin, replace(bound, first_number_after=read_row(page.nodes[0]).head.number)


def density(dates: Sequence[datetime]) -> float:
    """Return rows a second, for the dates of consecutive rows."""
    return len(dates) / max(1.0, (dates[-1] - dates[0]).total_seconds())
