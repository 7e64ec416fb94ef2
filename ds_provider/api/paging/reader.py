"""Reader: one connection of one group, from its first row to its last.

Pages follow cursors, which are exact; a window's end is found on the whole seconds that rows show. A few pages are read
one after another. Where more lie ahead, they are read in parallel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from ds_provider.api.paging.bounds import Position, UpperBound, density, find_bounds
from ds_provider.api.paging.iterator import PageIterator, read_to_end
from ds_provider.api.paging.number_set import NumberSet
from ds_provider.api.paging.page_size import AdaptivePageSize
from ds_provider.api.paging.pages import Page, PageFilter
from ds_provider.api.paging.parallel.plan import Gap, RangePlan
from ds_provider.api.paging.parallel.reader import ParallelReader
from ds_provider.api.paging.rows import Row
from ds_provider.api.query.selection import DOSSIERS, MAX_PAGE_SIZE, Selection
from ds_provider.api.transport.flows import ConcurrentFlow

# probes cost a request, so they must spare the time of several
MIN_ROWS_WORTH_PROBING = 2 * MAX_PAGE_SIZE


def read(
    selection: Selection, *, concurrency: int = 1, landed: Mapping[int, datetime] | None = None
) -> ConcurrentFlow[Page]:
    """Yield the pages of a selection, with each dossier once.

    Where several requests are in flight, pages come in any order.

    :param concurrency: requests in flight at most. Only dossiers in ascending order are read in parallel.
    :param landed: dossiers that an earlier try landed, with their dates on the date column: they do not come again.
    :raises DSError: with the group, stream, window and cursor at which reading ended.
    """
    begin, bound = yield from find_bounds(selection)
    page_filter = PageFilter(selection, bound, NumberSet(landed or ()))
    page_size = AdaptivePageSize(selection.page_size)
    in_any_order = selection.stream is DOSSIERS and not selection.is_descending and selection.after is None

    def read_in_parallel(ahead: Gap) -> ConcurrentFlow[Page]:
        plan = RangePlan(ahead, bound, landed or {})
        return ParallelReader(selection, concurrency, page_size, page_filter, plan).pages()

    if landed and in_any_order:
        # the landed dossiers tell how dense the selection is
        dates = sorted(landed.values())
        yield from read_in_parallel(Gap(Position(), dates[0], None, density(dates)))
        return
    pages = PageIterator(selection, page_size, begin, backward=selection.is_descending)
    while pages.has_next_page:
        raw = yield from pages.next_page()
        yield replace(page_filter.filter(raw), groupe_label=pages.groupe_label)
        if not selection.is_descending and page_filter.is_past_end(raw):
            return
        if in_any_order and concurrency > 1 and (ahead := _long_gap_ahead(pages, raw, bound, selection.date_column)):
            yield from read_in_parallel(ahead)
            return
    # a dossier that changes meanwhile moves up past a read that goes down by date of change
    moves_past = selection.is_descending and not selection.after and selection.changes_move_rows
    if moves_past and pages.first_end_cursor:
        newest = PageIterator(selection, page_size, Position(cursor=pages.first_end_cursor))
        yield from read_to_end(newest, page_filter)


def _long_gap_ahead(pages: PageIterator, raw: list[Row], bound: UpperBound, date_column: str) -> Gap | None:
    """Return the gap after a page if it probably holds several pages."""
    if not (pages.has_next_page and raw) or raw[-1].quarantined or pages.is_bisecting:
        return None
    dates = [row.date(date_column) for row in raw]
    rows = density(dates) * (bound.estimated_end - dates[-1]).total_seconds()
    # an estimated end that is passed says nothing: the service's clock is ahead of this one
    if rows < MIN_ROWS_WORTH_PROBING and bound.estimated_end > dates[-1]:
        return None
    return Gap(Position(cursor=pages.cursor), dates[-1], None, density(dates))
