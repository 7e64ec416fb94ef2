"""Selections: which rows of one group's connection are read, and the requests that ask for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import msgspec
import pendulum

from ds_provider.api.query import documents
from ds_provider.api.query.windows import BEGINNING, Window
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSError

Order = Literal["ASC", "DESC"]
E = TypeVar("E", bound=DSError)

MAX_PAGE_SIZE = 100
DOSSIER_STATES = ("en_construction", "en_instruction", "accepte", "refuse", "sans_suite")


@dataclass(frozen=True)
class Stream:
    """Connection of ``groupeInstructeur``.

    :param name: what it is called in folders, manifests, logs and errors.
    :param connection: its field in the API.
    :param query: the operation that reads a page of it.
    :param light_query: the operation that reads few fields of each row, which the service can always give.
    """

    name: str
    connection: str
    query: str = field(repr=False)
    light_query: str = field(repr=False)

    @property
    def is_of_dossiers(self) -> bool:
        """True if its rows are dossiers, and not deletions."""
        return self.connection == "dossiers"


def _stream(name: str, connection: str) -> Stream:
    light = documents.load(f"light_{name.removeprefix('light_')}")
    return Stream(name, connection, documents.load(name), light)


DOSSIERS = _stream("dossiers", "dossiers")
LIGHT_DOSSIERS = _stream("light_dossiers", "dossiers")
DELETED_DOSSIERS = _stream("deleted_dossiers", "deletedDossiers")
PENDING_DELETED_DOSSIERS = _stream("pending_deleted_dossiers", "pendingDeletedDossiers")


@dataclass(frozen=True)
class Includes:
    """Parts of a dossier that are read, with the API's own defaults."""

    champs: bool = True
    annotations: bool = True
    traitements: bool = True
    instructeurs: bool = True
    avis: bool = False
    messages: bool = False
    geometry: bool = False
    labels: bool = False
    corrections: bool = False

    def variables(self) -> dict[str, bool]:
        """Return the GraphQL variables that ask for these parts."""
        return {f"include{name.capitalize()}": value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Selection:
    """Rows to read of one group's connection.

    :param state: only dossiers in that state; the server filters.
    :param archived: only archived dossiers, or only the others; both without it.
    :param revision: only dossiers on that revision of the form (its API id). Filtered here: under a group the server
        fails on the argument.
    :param order: ``ASC`` from the oldest date on, ``DESC`` from the newest.
    :param page_size: rows a request, 100 at most: above, the server cuts silently.
    :param after: a cursor of the same selection; reading begins after it, in the direction of ``order``.
    :param numbers: these dossiers and no others, wherever they are by now; the group is the one where they were.
    :param unread: dossiers that earlier extractions could not read: they are read by number if no page brings them.
    """

    stream: Stream
    groupe_instructeur_number: int
    window: Window | None = None
    state: str | None = None
    archived: bool | None = None
    revision: str | None = None
    includes: Includes = field(default_factory=Includes)
    order: Order = "ASC"
    page_size: int = MAX_PAGE_SIZE
    after: str | None = None
    numbers: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()

    @property
    def date_column(self) -> str:
        """Date by which the server sorts the rows: ``created``, ``updated`` or ``deleted``."""
        if not self.stream.is_of_dossiers:
            return "deleted"
        return self.window.date_column if self.window else "created"

    @property
    def is_descending(self) -> bool:
        """True if the newest rows come first."""
        return self.order == "DESC"

    @property
    def changes_move_rows(self) -> bool:
        """True if a dossier that changes now moves to the end of the rows, and is still among them there."""
        end = self.window.end if self.window else None
        return self.date_column == "updated" and (end is None or end > pendulum.now("UTC"))

    @property
    def since(self) -> str | None:
        """Date at which the server begins, ISO 8601, or None if it begins with the oldest row."""
        start = self.window.read_from if self.window else None
        if self.window and self.window.date_column == "updated":
            start = start or BEGINNING
        return start.isoformat() if start else None

    def filters(self, since: str | None = None) -> dict[str, Any]:
        """Return the GraphQL variables that choose the rows.

        :param since: begin at that date instead of the window's start.
        """
        chosen: dict[str, Any] = {"number": self.groupe_instructeur_number}
        if self.stream.is_of_dossiers:
            chosen |= {"state": self.state, "archived": self.archived}
        chosen[f"{self.date_column}Since"] = since or self.since
        return {name: value for name, value in chosen.items() if value is not None}

    def page_request(
        self,
        size: int,
        cursor: str | None = None,
        since: str | None = None,
        *,
        backward: bool = False,
        light: bool = False,
    ) -> Request:
        """Return the request for one page.

        :param size: how many rows.
        :param cursor: the page begins after it; going backward, it ends before it.
        :param since: begin at that date instead of the window's start.
        :param light: ask only for the few fields of each row that the service can always give.
        """
        count, position = ("last", "before") if backward else ("first", "after")
        variables = {**self.filters(since), count: size, **({position: cursor} if cursor else {})}
        if self.stream is DOSSIERS and not light:
            variables |= self.includes.variables()
        return Request(self.stream.light_query if light else self.stream.query, variables, self.context(cursor))

    def add_context(self, error: E, cursor: str | None = None) -> E:
        """Say in an error what was being read, and from where on. Return the error."""
        return error.add_context(**self.context(cursor))

    def after_window(self, window: Window) -> Selection:
        """Return the selection of what follows a window, with the same filters and in the same sort order."""
        return replace(self, window=Window(window.date_column, start=window.end))

    def row_filters(self) -> dict[str, Any]:
        """Return what chooses among the rows of a window, by parameter name."""
        filters = {"state": self.state, "archived": self.archived, "revision": self.revision}
        return {name: value for name, value in filters.items() if value is not None}

    def variants(self) -> dict[str, Any]:
        """Return what differs from a plain read of the same window, by parameter name."""
        plain = vars(Includes())
        parts = {f"include_{name}": value for name, value in vars(self.includes).items() if value != plain[name]}
        direction = {"order": self.order, "after": self.after}
        given: dict[str, Any] = {name: value for name, value in direction.items() if value not in ("ASC", None)}
        if self.numbers:
            # a digest distinguishes them from others: they may be tens of thousands
            given["numbers"] = {"count": len(self.numbers), "sha256": digest(self.numbers)}
        return self.row_filters() | given | parts

    def context(self, cursor: str | None = None) -> dict[str, Any]:
        """Return where a request of this selection is made, for its errors."""
        return {
            "groupe_instructeur_number": self.groupe_instructeur_number,
            "stream": self.stream.name,
            "window": str(self.window) if self.window else None,
            "cursor": cursor,
        }


def digest(value: object) -> str:
    """Return a hash of plain data, the same for equal data."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
