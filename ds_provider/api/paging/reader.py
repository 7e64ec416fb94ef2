"""One connection of one group, from its first row to its last.

The server's cursors are exact keysets on (date, id) to the microsecond, while the dates in its JSON are cut to the
second. So pages follow cursors, and a window's end is found on whole seconds in the rows, or, where it lies within a
second or is walked towards from above, by asking once for the first row behind it.

A few pages are read one after another. Where more lie ahead, they are read side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pendulum

from ds_provider.api.paging.iterator import PageIterator, Position, RawPage, locate
from ds_provider.api.paging.number_set import NumberSet
from ds_provider.api.paging.page_size import AdaptivePageSize
from ds_provider.api.paging.pages import Page, PageFilter, to_the_end
from ds_provider.api.paging.parallel.plan import Gap, RangePlan, UpperBound, density
from ds_provider.api.paging.parallel.reader import ParallelReader
from ds_provider.api.paging.rows import Connection, read_connection, read_row
from ds_provider.api.query import documents
from ds_provider.api.query.selection import DOSSIERS, MAX_PAGE, Selection
from ds_provider.api.transport.messages import Request
from ds_provider.api.transport.retry import ConcurrentFlow, SubFlow, send_with_retry
from ds_provider.exceptions import DSError

# a survey costs a request, so it must spare the time of several
ROWS_WORTH_A_SURVEY = 2 * MAX_PAGE


def read(
    selection: Selection, *, concurrency: int = 1, landed: Mapping[int, datetime] | None = None
) -> ConcurrentFlow[Page]:
    """The schedule that gives each page of a selection, at least one.

    Each dossier is given once. Where several requests are in flight, pages come in any order.

    :param concurrency: requests in flight at most. Only dossiers in ascending order are read side by side.
    :param landed: dossiers that an earlier try landed, with their dates on the sort column: they are not given again.
    :raises DSError: with the group, stream, window and cursor at which reading ended.
    """
    reading = _Reading(selection, concurrency, landed or {})
    try:
        yield from reading.pages()
    except DSError as error:
        raise locate(error, selection, None) from None


class _Reading:
    """The state of one reading."""

    def __init__(self, selection: Selection, concurrency: int, landed: Mapping[int, datetime]) -> None:
        self._selection = selection
        self._concurrency = concurrency
        self._landed = landed
        self._forward = selection.order == "ASC"
        self._in_any_order = selection.stream is DOSSIERS and self._forward and selection.after is None
        self._pace = AdaptivePageSize(selection.page_size)
        self._requests = 0

    def pages(self) -> ConcurrentFlow[Page]:
        start, edge = yield from self._find_edge()
        sieve = PageFilter(self._selection, edge, NumberSet(self._landed))
        if self._landed and self._in_any_order:
            yield from self._side_by_side(self._all(), sieve)
            return
        walk = PageIterator(self._selection, self._pace, start, forward=self._forward)
        while walk.more:
            received = yield from walk.page()
            yield self._page(received, sieve)
            if self._forward and sieve.is_over(received):
                return
            if ahead := self._long_way_ahead(walk, received, edge):
                yield from self._side_by_side(ahead, sieve)
                return
        if self._moves_on_behind() and walk.newest:
            yield from to_the_end(PageIterator(self._selection, self._pace, Position(cursor=walk.newest)), sieve)

    def _page(self, received: RawPage, sieve: PageFilter) -> Page:
        requests, self._requests = self._requests, 0
        # behind a cursor no row comes again unless it has changed and moved on
        return sieve.page(received, requests=requests, again=True)

    def _moves_on_behind(self) -> bool:
        """Walking down by date of change, a dossier that changes meanwhile moves up past the walk."""
        window = self._selection.window
        if self._forward or self._selection.after or window is None or window.column != "updated":
            return False
        return window.end is None or window.end > pendulum.now("UTC")

    def _long_way_ahead(self, walk: PageIterator, received: RawPage, edge: UpperBound) -> Gap | None:
        """What lies behind a page, where that is probably several pages."""
        dates = [row.date(self._selection.sort_column) for row in received.rows]
        if not (walk.more and dates and self._in_any_order and self._concurrency > 1) or walk.is_in_doubt:
            return None
        reached = dates[-1]
        rows = density(dates) * (edge.horizon - reached).total_seconds()
        # a horizon that is passed says nothing: the service's clock is ahead of this one
        if rows < ROWS_WORTH_A_SURVEY and edge.horizon > reached:
            return None
        return Gap(Position(cursor=walk.cursor), reached, None, density(dates))

    def _all(self) -> Gap:
        """All of the selection, of which the landed dossiers tell the density."""
        dates = sorted(self._landed.values())
        return Gap(Position(), dates[0], None, density(dates))

    def _side_by_side(self, ahead: Gap, sieve: PageFilter) -> ConcurrentFlow[Page]:
        plan = RangePlan(ahead, sieve.edge, self._landed)
        reading = ParallelReader(self._selection, self._concurrency, self._pace, sieve, plan)
        yield from reading.pages()

    def _find_edge(self) -> SubFlow[tuple[Position, UpperBound]]:
        """Where the walk begins and where it ends: asked for, where rows alone do not tell or it begins at the end."""
        selection, window = self._selection, self._selection.window
        start, end = Position(cursor=selection.after), window.end if window else None
        edge = UpperBound(min(end or pendulum.now("UTC"), pendulum.now("UTC")), end)
        if window is None or end is None or (end.microsecond == 0 if self._forward else selection.after):
            return start, edge
        beyond = yield from self._first_behind(selection.beyond(window))
        if not beyond.nodes:
            return start, edge
        if self._forward:
            return start, replace(edge, fence=read_row(beyond.nodes[0]).head.number)
        return Position(cursor=beyond.page_info.start_cursor), edge

    def _first_behind(self, beyond: Selection) -> SubFlow[Connection]:
        def build() -> Request:
            self._requests += 1
            return Request(documents.load(beyond.stream.light_document), {**beyond.filters(), "first": 1})

        return (yield from send_with_retry(build, lambda exchange: read_connection(exchange, beyond.stream.connection)))
