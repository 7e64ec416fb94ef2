"""From a place in a connection onwards, page by page, around whatever cannot be read.

A page that keeps failing is asked for in halves, down to one dossier. One that fails alone, while the service shows
its number, is a poison: it is passed, and told with all that support needs to find it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ds_provider.api.paging.bisection import Bisection, PageAttempt
from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_one_row
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Connection, PageInfo, Row, RowHead, read_connection, read_row
from ds_provider.api.query import documents
from ds_provider.api.query.selection import DOSSIERS, MAX_PAGE, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.retry import SubFlow, send_with_retry
from ds_provider.exceptions import DSError, DSIncompletePageError, DSMalformedAnswerError

T = TypeVar("T")

POISON_ATTEMPTS = 2


@dataclass(frozen=True)
class Position:
    """Where to begin: behind a cursor, or at a date; with neither, where the selection begins.

    :param since: ISO 8601, inclusive.
    """

    cursor: str | None = None
    since: str | None = None


@dataclass(frozen=True)
class PoisonRow:
    """A dossier that could not be read, as far as the service shows it."""

    head: RowHead
    record: Quarantined


@dataclass(frozen=True)
class RawPage:
    """A page as it came, its rows in the order of the walk.

    :param requests: how many it took, failed ones included.
    """

    rows: list[Row]
    requests: int
    poison_rows: list[PoisonRow] = field(default_factory=list)


class PageIterator:
    """One way through a selection's connection.

    :param pace: how many rows to ask for.
    :param place: where it begins.
    :param forward: towards newer rows.
    """

    def __init__(self, selection: Selection, pace: AdaptivePageSize, place: Position, *, forward: bool = True) -> None:
        self.cursor = place.cursor
        self.more = True
        self.reached: datetime | None = None
        self.newest: str | None = None
        # of the page before: its last row may show a later date than it is sorted by, having changed in that moment
        self._began: datetime | None = None
        self._selection = selection
        self._since = place.since
        self._pace = pace
        self._forward = forward
        self._passed: set[str | None] = {place.cursor}
        self._requests = 0
        self._suspects = Bisection(pace)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a page failed of which it is not known yet if its size or one of its rows is the cause."""
        return self._suspects.rows > 0

    def page(self, most: int = MAX_PAGE) -> SubFlow[RawPage]:
        """The next page.

        :param most: rows, at most.
        """
        attempt = self._suspects.attempt(most)
        try:
            connection, rows = yield from self._ask(lambda: self._request(attempt.rows), self._read_page, attempt.adapt)
        except DSError as error:
            if attempt.rows > 1 or not may_be_one_row(error):
                raise
            return (yield from self._pass(error))
        self._suspects.came(attempt)
        return self._received(connection.page_info, rows)

    def _received(self, info: PageInfo, rows: list[Row], poison_rows: list[PoisonRow] | None = None) -> RawPage:
        self.newest = self.newest or info.end_cursor
        self.more, cursor = self._onward(info)
        self._passed.add(cursor)
        # an empty page has no cursor, and the one before stays good
        self.cursor = cursor or self.cursor
        heads = [row.head for row in rows] or [poison.head for poison in poison_rows or ()]
        if heads:
            self.reached = heads[-1].date(self._selection.sort_column)
        if len(heads) > 1:
            self._began = heads[0].date(self._selection.sort_column)
        requests, self._requests = self._requests, 0
        return RawPage(rows, requests, poison_rows or [])

    def _pass(self, error: DSError) -> SubFlow[RawPage]:
        """See what the service shows of the dossier, try it again, and leave it."""
        shown = yield from self._ask(self._light_request, self._read_light)
        if not shown.nodes:
            # it is gone, and so is all behind it
            return self._received(shown.page_info, [])
        attempt = PageAttempt(1, tries=POISON_ATTEMPTS)
        try:
            connection, rows = yield from self._ask(lambda: self._request(1), self._read_page, attempt.adapt)
        except DSError as again:
            if not may_be_one_row(again) or not self._pace.record_poison():
                raise
            self._suspects.clear()
            return self._received(shown.page_info, [], [self._culprit(shown.nodes[0], again)])
        self._suspects.came(attempt)
        return self._received(connection.page_info, rows)

    def _culprit(self, node: msgspec.Raw, error: DSError) -> PoisonRow:
        row = read_row(node)
        record = Quarantined(
            number=row.head.number,
            cursor=self.cursor,
            code=error.code,
            exception_id=error.exception_id,
            message=error.message,
            dossier=msgspec.json.decode(row.raw),
        )
        return PoisonRow(row.head, record)

    def _ask(
        self,
        build: Callable[[], Request],
        read: Callable[[Exchange], T],
        adapt: Callable[[DSError], bool] = lambda error: False,
    ) -> SubFlow[T]:
        def counted() -> Request:
            self._requests += 1
            return build()

        def located(error: DSError) -> bool:
            return adapt(locate(error, self._selection, self.cursor))

        return (yield from send_with_retry(counted, read, located))

    def _request(self, rows: int) -> Request:
        variables = self._variables(rows)
        if self._selection.stream is DOSSIERS:
            variables |= self._selection.includes.variables()
        return Request(documents.load(self._selection.stream.document), variables)

    def _light_request(self) -> Request:
        return Request(documents.load(self._selection.stream.light_document), self._variables(1))

    def _variables(self, rows: int) -> dict[str, Any]:
        count, cursor = ("first", "after") if self._forward else ("last", "before")
        variables: dict[str, Any] = {**self._selection.filters(self._since), count: rows}
        if self.cursor:
            variables[cursor] = self.cursor
        return variables

    def _read_page(self, exchange: Exchange) -> tuple[Connection, list[Row]]:
        """The rows in the order of the walk, each of them with the date by which it is sorted."""
        connection = self._read_light(exchange)
        rows = [read_row(node) for node in connection.nodes or ()]
        rows = rows if self._forward else rows[::-1]
        check_rows(rows, self._selection.groupe_instructeur_number)
        dates = [row.date(self._selection.sort_column) for row in rows]
        if self._selection.stream is not PENDING_DELETED_DOSSIERS:
            self._check_order(dates)
        return connection, rows

    def _read_light(self, exchange: Exchange) -> Connection:
        connection = read_connection(exchange, self._selection.stream.connection)
        more, cursor = self._onward(connection.page_info)
        if not connection.nodes and cursor:
            raise DSIncompletePageError("the page is empty and yet has a cursor, which an empty page has not")
        if more and (not cursor or cursor in self._passed):
            raise DSIncompletePageError("the page says that more follow but leads nowhere")
        return connection

    def _check_order(self, dates: list[datetime]) -> None:
        """A page that goes back was read before, or is of another walk. A pending deletion shows another date."""
        walked = [self._began, *dates] if self._began else dates
        if walked != sorted(walked, reverse=not self._forward):
            raise DSIncompletePageError("the page goes back behind the one before")

    def _onward(self, info: PageInfo) -> tuple[bool, str | None]:
        if self._forward:
            return info.has_next_page, info.end_cursor
        return info.has_previous_page, info.start_cursor


def locate(error: DSError, selection: Selection, cursor: str | None) -> DSError:
    """Say in an error what was being read, and from where on."""
    return error.locate(
        groupe_instructeur_number=selection.groupe_instructeur_number,
        stream=selection.stream.name,
        window=str(selection.window) if selection.window else None,
        cursor=cursor,
    )


def check_rows(rows: list[Row], groupe_instructeur_number: int) -> None:
    """Each row is of the group that was asked for, and stands once.

    :raises DSError: if not.
    """
    if len({row.head.number for row in rows}) < len(rows):
        raise DSIncompletePageError("a dossier stands twice in the page, so another may be missing")
    for row in rows:
        if row.head.groupe is not None and row.head.groupe.number != groupe_instructeur_number:
            raise DSMalformedAnswerError(f"dossier {row.head.number} is of group {row.head.groupe.number}")
