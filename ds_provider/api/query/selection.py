"""The three connections of a groupe instructeur, and what is asked of one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ds_provider.api.query.windows import BEGINNING, Window
from ds_provider.exceptions import DSConfigurationError

Order = Literal["ASC", "DESC"]

MAX_PAGE = 100
DOSSIER_STATES = ("en_construction", "en_instruction", "accepte", "refuse", "sans_suite")


@dataclass(frozen=True)
class Stream:
    """A connection of ``groupeInstructeur``.

    :param name: what it is called in folders, manifests, logs and errors.
    :param connection: its field in the API.
    :param document: the operation that reads a page of it.
    :param light_document: the one that reads little of each row, whatever ails the rest of it.
    """

    name: str
    connection: str
    document: str
    light_document: str

    @property
    def is_of_dossiers(self) -> bool:
        """Whether its rows are dossiers, and not deletions of some."""
        return self.connection == "dossiers"


DOSSIERS = Stream("dossiers", "dossiers", "dossiers", "light_dossiers")
LIGHT_DOSSIERS = Stream("light_dossiers", "dossiers", "light_dossiers", "light_dossiers")
DELETED_DOSSIERS = Stream("deleted_dossiers", "deletedDossiers", "deleted_dossiers", "light_deleted_dossiers")
PENDING_DELETED_DOSSIERS = Stream(
    "pending_deleted_dossiers", "pendingDeletedDossiers", "pending_deleted_dossiers", "light_pending_deleted_dossiers"
)


@dataclass(frozen=True)
class Includes:
    """Which parts of a dossier are read, with the API's own defaults."""

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
        return {f"include{name.capitalize()}": value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Selection:
    """What to read of one group's connection.

    :param state: only dossiers in that state; the server filters.
    :param archived: only archived dossiers, or only the others; both without it.
    :param revision: only dossiers on that revision of the form (its API id). Filtered here: under a group the server
        fails on the argument.
    :param order: ``ASC`` from the oldest date on, ``DESC`` from the newest.
    :param page_size: rows a request, 100 at most: above, the server cuts silently.
    :param after: a cursor of the same selection; reading begins behind it, in the direction of ``order``.
    :param numbers: these dossiers and no others, wherever they are by now; the group is the one where they were.
    """

    stream: Stream
    groupe_instructeur_number: int
    window: Window | None = None
    state: str | None = None
    archived: bool | None = None
    revision: str | None = None
    includes: Includes = field(default_factory=Includes)
    order: Order = "ASC"
    page_size: int = MAX_PAGE
    after: str | None = None
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.order not in ("ASC", "DESC"):
            raise DSConfigurationError(f"order must be 'ASC' or 'DESC': got {self.order!r}")
        if not 1 <= self.page_size <= MAX_PAGE:
            raise DSConfigurationError(f"page_size must be between 1 and {MAX_PAGE}: got {self.page_size}")
        if self.state is not None and self.state not in DOSSIER_STATES:
            raise DSConfigurationError(f"state must be one of {', '.join(DOSSIER_STATES)}: got {self.state!r}")

    @property
    def sort_column(self) -> str:
        """The date by which the server sorts the rows."""
        if not self.stream.is_of_dossiers:
            return "deleted"
        return self.window.column if self.window else "created"

    @property
    def since(self) -> str | None:
        """The date at which the server begins, ISO 8601; none where it begins with the oldest row."""
        start = self.window.read_from if self.window else None
        if self.window and self.window.column == "updated":
            start = start or BEGINNING
        return start.isoformat() if start else None

    def filters(self, since: str | None = None) -> dict[str, Any]:
        """The GraphQL variables that choose the rows.

        :param since: begin at that date instead of the window's start.
        """
        chosen: dict[str, Any] = {"number": self.groupe_instructeur_number}
        if self.stream.is_of_dossiers:
            chosen |= {"state": self.state, "archived": self.archived}
        chosen[f"{self.sort_column}Since"] = since or self.since
        return {name: value for name, value in chosen.items() if value is not None}

    def beyond(self, window: Window) -> Selection:
        """What lies behind a window's end, with the same filters and in the same sort order."""
        return replace(self, window=Window(window.column, start=window.end))

    def row_filters(self) -> dict[str, Any]:
        """What chooses among the rows of a window, by parameter name."""
        filters = {"state": self.state, "archived": self.archived, "revision": self.revision}
        return {name: value for name, value in filters.items() if value is not None}

    def variants(self) -> dict[str, Any]:
        """What differs from a plain reading of the same window, by parameter name."""
        parts = {f"include_{name}": value for name, value in vars(self.includes).items()}
        plain = {f"include_{name}": value for name, value in vars(Includes()).items()}
        walk = {"order": self.order, "after": self.after}
        given: dict[str, Any] = {name: value for name, value in walk.items() if value not in ("ASC", None)}
        if self.numbers:
            given["numbers"] = self._digest_of_numbers()
        return self.row_filters() | given | {name: value for name, value in parts.items() if value != plain[name]}

    def _digest_of_numbers(self) -> dict[str, Any]:
        """What tells them from others: they may be tens of thousands."""
        text = " ".join(map(str, self.numbers))
        return {"count": len(self.numbers), "sha256": hashlib.sha256(text.encode()).hexdigest()}
