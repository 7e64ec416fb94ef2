"""One connection of one group, page by page, from its first row to its last.

The server's cursors are exact keysets on (date, id) to the microsecond, while the dates in its JSON are cut to the
second. So pages follow cursors, and a window's end is found on whole seconds in the rows, or, where it lies within a
second or is walked towards from above, by asking once for the first row behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Annotated, Any, TypeVar

import msgspec
import pendulum

from ds_provider.api import documents
from ds_provider.api.answers import Body, read_answer
from ds_provider.api.messages import Exchange, Request
from ds_provider.api.retries import Flow, Step, settle
from ds_provider.api.streams import DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.exceptions import (
    DSComplexityError,
    DSError,
    DSIncompletePageError,
    DSMalformedAnswerError,
    DSServerError,
    DSTimeoutError,
)

T = TypeVar("T")
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Revision(msgspec.Struct):
    id: str


class _Demarche(msgspec.Struct):
    revision: _Revision


class _Groupe(msgspec.Struct):
    number: int


class Head(msgspec.Struct):
    """The few fields of a row that reading itself needs; all others stay bytes."""

    number: int
    created: Instant | None = msgspec.field(default=None, name="dateDepot")
    updated: Instant | None = msgspec.field(default=None, name="dateDerniereModification")
    deleted: Instant | None = msgspec.field(default=None, name="dateSupression")
    demarche: _Demarche | None = None
    groupe: _Groupe | None = msgspec.field(default=None, name="groupeInstructeur")


class _PageInfo(msgspec.Struct, rename="camel"):
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


class _Connection(msgspec.Struct, rename="camel"):
    page_info: _PageInfo
    nodes: list[msgspec.Raw] | None


class _Data(msgspec.Struct, rename="camel"):
    groupe_instructeur: dict[str, _Connection] | None


_decoder = msgspec.json.Decoder(Body[_Data])
_head_decoder = msgspec.json.Decoder(Head)


@dataclass(frozen=True)
class Row:
    """One node as the API sent it, on one line, with the head that was read of it."""

    raw: bytes
    head: Head

    def date(self, column: str) -> datetime:
        """The row's date on ``created``, ``updated`` or ``deleted``."""
        value: datetime | None = getattr(self.head, column)
        if value is None:
            raise DSMalformedAnswerError(f"dossier {self.head.number} came without its {column} date")
        return value


@dataclass(frozen=True)
class Page:
    """A whole page.

    :param rows: the rows that belong to the selection, in its order.
    :param requests: how many requests it took, failed ones included.
    :param reached: the sort date of the last row that came.
    """

    rows: list[Row]
    requests: int
    reached: datetime | None


def read(selection: Selection) -> Flow[Page]:
    """The flow that gives each page of a selection, at least one.

    :raises DSError: with the group, stream, window and cursor at which reading ended.
    """
    reader = _Reader(selection)
    try:
        yield from reader.pages()
    except DSError as error:
        raise reader.locate(error) from None


class PageSize:
    """How many rows to ask for: fewer after a failure that a smaller page may avoid, more again after a while."""

    PATIENCE = 3

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self.rows = largest
        self._whole_pages = 0
        self._failures = 0

    def whole(self) -> None:
        """A page came whole."""
        self._failures = 0
        self._whole_pages += 1
        if self._whole_pages >= self.PATIENCE:
            self._whole_pages = 0
            self.rows = min(self.largest, self.rows * 2)

    def failed(self, error: DSError) -> bool:
        """A page failed; true if the smaller one can be asked for at once."""
        self._failures += 1
        too_dear = isinstance(error, DSComplexityError)
        # a passing failure is not the page's size: only one that comes again is taken for it
        too_large = isinstance(error, DSTimeoutError | DSServerError) and self._failures > 1
        if self.rows == 1 or not (too_dear or too_large):
            return False
        self.rows //= 2
        self._whole_pages = 0
        if too_dear:
            self.largest = self.rows
        return too_dear


class _Reader:
    """The state of one reading."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.cursor = selection.after
        self._size = PageSize(selection.page_size)
        self._query = documents.load(selection.stream.document)
        self._forward = selection.order == "ASC"
        self._fence: int | None = None
        self._newest: str | None = None
        self._passed: set[str | None] = {selection.after}
        self._reached: datetime | None = None
        self._requests = 0

    def pages(self) -> Flow[Page]:
        """Each page; no further one once the window's end or the connection's is reached."""
        yield from self._find_end()
        from_newest = not self._forward and self.cursor is None
        yield from self._walk()
        if from_newest and self._moves_on_behind():
            self._forward, self.cursor, self._reached = True, self._newest, None
            self._passed = {self._newest}
            yield from self._walk()

    def _walk(self) -> Flow[Page]:
        more = True
        while more:
            info, rows = yield from self._ask(self._next_request, self._read_page, self._size)
            self._size.whole()
            self._newest = self._newest or info.end_cursor
            page, more = self._page(info, rows)
            yield page

    def _moves_on_behind(self) -> bool:
        """Walking down by date of change, a dossier that changes meanwhile moves up past the walk."""
        window = self.selection.window
        if window is None or window.column != "updated" or self._newest is None:
            return False
        return window.end is None or window.end > pendulum.now("UTC")

    def locate(self, error: DSError) -> DSError:
        """Say in an error what was being read, and from where on."""
        return error.locate(
            groupe_instructeur_number=self.selection.groupe_instructeur_number,
            stream=self.selection.stream.name,
            window=str(self.selection.window) if self.selection.window else None,
            cursor=self.cursor,
        )

    def _ask(
        self, build: Callable[[], Request], read: Callable[[Exchange], T], size: PageSize | None = None
    ) -> Step[T]:
        def counted() -> Request:
            self._requests += 1
            return build()

        def adapt(error: DSError) -> bool:
            self.locate(error)
            return size is not None and size.failed(error)

        return (yield from settle(counted, read, adapt))

    def _next_request(self) -> Request:
        count, cursor = ("first", "after") if self._forward else ("last", "before")
        variables: dict[str, Any] = {**self.selection.filters(), count: self._size.rows}
        if self.cursor:
            variables[cursor] = self.cursor
        if self.selection.stream is DOSSIERS:
            variables |= self.selection.includes.variables()
        return Request(self._query, variables)

    def _read_connection(self, exchange: Exchange) -> _Connection:
        data = read_answer(exchange, _decoder)
        if data.groupe_instructeur is None:
            raise DSIncompletePageError("the group is null and no error says why")
        connection = data.groupe_instructeur.get(self.selection.stream.connection)
        if connection is None:
            raise DSMalformedAnswerError(f"the answer lacks {self.selection.stream.connection}")
        return self._checked(connection)

    def _read_page(self, exchange: Exchange) -> tuple[_PageInfo, list[Row]]:
        """The rows in the order of the walk, each of them with the date by which it is sorted."""
        connection = self._read_connection(exchange)
        rows = [_row(node) for node in connection.nodes or ()]
        rows = rows if self._forward else rows[::-1]
        self._check_rows(rows)
        dates = [row.date(self.selection.sort_column) for row in rows]
        if self.selection.stream is not PENDING_DELETED_DOSSIERS:
            self._check_order(dates)
        return connection.page_info, rows

    def _check_rows(self, rows: list[Row]) -> None:
        if len({row.head.number for row in rows}) < len(rows):
            raise DSIncompletePageError("a dossier stands twice in the page, so another may be missing")
        asked = self.selection.groupe_instructeur_number
        for row in rows:
            if row.head.groupe is not None and row.head.groupe.number != asked:
                raise DSMalformedAnswerError(f"dossier {row.head.number} is of group {row.head.groupe.number}")

    def _check_order(self, dates: list[datetime]) -> None:
        """A page that goes back was read before, or is of another walk. A pending deletion shows another date."""
        walked = [self._reached, *dates] if self._reached else dates
        if walked != sorted(walked, reverse=not self._forward):
            raise DSIncompletePageError("the page goes back behind the one before")

    def _checked(self, connection: _Connection) -> _Connection:
        nodes = connection.nodes
        if nodes is None or any(map(_is_null, nodes)):
            raise DSIncompletePageError("a null stands in the page where a dossier should be")
        more, cursor = self._onward(connection.page_info)
        if not nodes and cursor:
            raise DSIncompletePageError("the page is empty and yet has a cursor, which an empty page has not")
        if more and (not cursor or cursor in self._passed):
            raise DSIncompletePageError("the page says that more follow but leads nowhere")
        return connection

    def _onward(self, info: _PageInfo) -> tuple[bool, str | None]:
        if self._forward:
            return info.has_next_page, info.end_cursor
        return info.has_previous_page, info.start_cursor

    def _page(self, info: _PageInfo, received: list[Row]) -> tuple[Page, bool]:
        more, cursor = self._onward(info)
        self._passed.add(cursor)
        # an empty page has no cursor, and the one before stays good
        self.cursor = cursor or self.cursor
        if self._forward:
            kept = list(takewhile(self._is_inside, received))
            more = more and len(kept) == len(received)
        else:
            kept = [row for row in received if self._is_inside(row)]
        reached = received[-1].date(self.selection.sort_column) if received else None
        self._reached = reached or self._reached
        requests, self._requests = self._requests, 0
        rows = [row for row in kept if self._on_revision(row)]
        return Page(rows, requests, reached), more

    def _is_inside(self, row: Row) -> bool:
        window = self.selection.window
        if window is None or window.end is None:
            return True
        return row.head.number != self._fence and row.date(window.column) < window.end

    def _on_revision(self, row: Row) -> bool:
        wanted = self.selection.revision
        return wanted is None or (row.head.demarche is not None and row.head.demarche.revision.id == wanted)

    def _find_end(self) -> Step[None]:
        """Ask for the first row behind the window, where rows alone do not tell or the walk begins there."""
        window = self.selection.window
        if window is None or window.end is None:
            return
        if window.end.microsecond == 0 if self._forward else self.selection.after:
            return
        request = Request(documents.load("first_dossier"), self.selection.beyond(window).filters())
        connection = yield from self._ask(lambda: request, self._read_connection)
        if not connection.nodes:
            return
        if self._forward:
            self._fence = _row(connection.nodes[0]).head.number
        else:
            self.cursor = connection.page_info.start_cursor


def _is_null(node: msgspec.Raw) -> bool:
    # no more is copied than tells it
    return bytes(memoryview(node)[:5]) == b"null"


def _row(node: msgspec.Raw) -> Row:
    raw = bytes(node)
    try:
        head = _head_decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise DSMalformedAnswerError(f"a row of the page is not a dossier's: {error}") from None
    return Row(raw if b"\n" not in raw and b"\r" not in raw else msgspec.json.format(raw, indent=-1), head)
