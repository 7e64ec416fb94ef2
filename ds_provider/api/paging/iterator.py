"""Page iterator: from a position in a connection onwards, page by page, around whatever cannot be read.

A page that keeps failing is bisected, down to one dossier. One that fails alone, while the service shows its number, is
poison: it is passed over, and recorded with all that support needs to find it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from ds_provider.api.paging.bisection import Bisection, PageAttempt
from ds_provider.api.paging.bounds import Position
from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_one_row
from ds_provider.api.paging.pages import Page, PageFilter
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Connection, PageInfo, Row, read_connection, read_row
from ds_provider.api.query.selection import MAX_PAGE_SIZE, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.transport.flows import Flow, SubFlow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.retry import send_with_retry
from ds_provider.exceptions import DSError, DSIncompletePageError, DSMalformedResponseError

POISON_ATTEMPTS = 2


class PageIterator:
    """Iterates over the pages of a selection's connection.

    :ivar has_next_page: true if more rows follow.
    :ivar last_date: the date of the last row that came.
    :ivar first_end_cursor: the end cursor of the first page.
    :ivar groupe_label: the label of the group, once a page came.
    :param page_size: how many rows to ask for.
    :param position: where to begin.
    :param backward: towards older rows.
    """

    def __init__(
        self, selection: Selection, page_size: AdaptivePageSize, position: Position, *, backward: bool = False
    ) -> None:
        self.cursor = position.cursor
        self.has_next_page = True
        self.last_date: datetime | None = None
        self.first_end_cursor: str | None = None
        self.groupe_label: str | None = None
        # of the page before: its last row may show a later date than it is sorted by, having changed in that moment
        self._first_date: datetime | None = None
        self._selection = selection
        self._since = position.since
        self._backward = backward
        self._cursors: set[str | None] = {position.cursor}
        self._bisection = Bisection(page_size)

    @property
    def is_bisecting(self) -> bool:
        """True after a page failed, until it is known if its size or one of its rows is the cause."""
        return self._bisection.rows > 0

    def next_page(self, limit: int = MAX_PAGE_SIZE) -> SubFlow[list[Row]]:
        """Return the rows of the next page, in the order of reading.

        :param limit: rows, at most.
        """
        attempt = self._bisection.next_attempt(limit)
        try:
            info, rows = yield from send_with_retry(
                lambda: self._request(attempt.rows), self._read_page, attempt.reduce
            )
        except DSError as error:
            if attempt.rows > 1 or not may_be_one_row(error):
                raise
            return (yield from self._isolate_row())
        self._bisection.on_success(attempt)
        return self._advance(info, rows)

    def _advance(self, info: PageInfo, rows: list[Row]) -> list[Row]:
        self.first_end_cursor = self.first_end_cursor or info.end_cursor
        self.has_next_page, cursor = self._next(info)
        self._cursors.add(cursor)
        # an empty page has no cursor, and the one before stays good
        self.cursor = cursor or self.cursor
        if rows:
            self.last_date = rows[-1].date(self._selection.date_column)
        if len(rows) > 1:
            self._first_date = rows[0].date(self._selection.date_column)
        return rows

    def _isolate_row(self) -> SubFlow[list[Row]]:
        """Ask for the few fields of the next row that the service can give, try the row again, and pass over it."""
        shown = yield from send_with_retry(lambda: self._request(1, light=True), self._read_connection)
        if not shown.nodes:
            # it is gone, and so is all after it
            return self._advance(shown.page_info, [])
        attempt = PageAttempt(1, tries=POISON_ATTEMPTS)
        try:
            info, rows = yield from send_with_retry(lambda: self._request(1), self._read_page, attempt.reduce)
        except DSError as error:
            if not may_be_one_row(error) or not self._bisection.record_poison():
                raise
            row = read_row(shown.nodes[0])
            fields = {"cursor": self.cursor, "dossier": msgspec.json.decode(row.raw)}
            poison = replace(row, quarantined=Quarantined.of(row.head.number, error, **fields))
            return self._advance(shown.page_info, [poison])
        self._bisection.on_success(attempt)
        return self._advance(info, rows)

    def _request(self, rows: int, *, light: bool = False) -> Request:
        return self._selection.page_request(rows, self.cursor, self._since, backward=self._backward, light=light)

    def _read_page(self, exchange: Exchange) -> tuple[PageInfo, list[Row]]:
        """Return the rows in the order of reading, each of them with the date by which it is sorted."""
        connection = self._read_connection(exchange)
        rows = [self._with_cursor(read_row(node)) for node in connection.nodes or ()]
        rows = rows[::-1] if self._backward else rows
        check_rows(rows, self._selection.groupe_instructeur_number)
        self._check_order([row.date(self._selection.date_column) for row in rows])
        return connection.page_info, rows

    def _with_cursor(self, row: Row) -> Row:
        record = row.quarantined
        return replace(row, quarantined=msgspec.structs.replace(record, cursor=self.cursor)) if record else row

    def _read_connection(self, exchange: Exchange) -> Connection:
        connection = read_connection(exchange, self._selection.stream.connection)
        self.groupe_label = connection.groupe_label or self.groupe_label
        has_next_page, cursor = self._next(connection.page_info)
        if not connection.nodes and cursor:
            raise DSIncompletePageError("the page is empty and yet has a cursor, which an empty page has not")
        if has_next_page and (not cursor or cursor in self._cursors):
            raise DSIncompletePageError("the page says that more follow but leads nowhere")
        return connection

    def _check_order(self, dates: list[datetime]) -> None:
        """Raise if a page goes back: it was read before, or is another's. A pending deletion shows another date."""
        read = [self._first_date, *dates] if self._first_date else dates
        is_ordered = self._selection.stream is not PENDING_DELETED_DOSSIERS
        if is_ordered and read != sorted(read, reverse=self._backward):
            raise DSIncompletePageError("the page goes back to before the previous one")

    def _next(self, info: PageInfo) -> tuple[bool, str | None]:
        if self._backward:
            return info.has_previous_page, info.start_cursor
        return info.has_next_page, info.end_cursor


def read_to_end(pages: PageIterator, page_filter: PageFilter) -> Flow[Page]:
    """Yield the pages towards newer rows, up to the selection's end."""
    while pages.has_next_page:
        raw = yield from pages.next_page()
        yield page_filter.filter(raw)
        if page_filter.is_past_end(raw):
            return


def check_rows(rows: list[Row], groupe_instructeur_number: int) -> None:
    """Check that each row is of the group that was asked for, and stands once.

    :raises DSError: if not.
    """
    if len({row.head.number for row in rows}) < len(rows):
        raise DSIncompletePageError("a dossier stands twice in the page, so another may be missing")
    for row in rows:
        if row.head.groupe is not None and row.head.groupe.number != groupe_instructeur_number:
            raise DSMalformedResponseError(f"dossier {row.head.number} is of group {row.head.groupe.number}")
