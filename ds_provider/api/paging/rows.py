"""A page's rows: the bytes as the API sent them, and the few fields of each that reading itself needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec

from ds_provider.api.transport.messages import Exchange
from ds_provider.api.transport.responses import Body, read_answer
from ds_provider.exceptions import DSIncompletePageError, DSMalformedAnswerError

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Revision(msgspec.Struct):
    id: str


class _Demarche(msgspec.Struct):
    revision: _Revision


class _Groupe(msgspec.Struct):
    number: int


class RowHead(msgspec.Struct):
    """The few fields of a row that reading itself needs; all others stay bytes."""

    number: int
    created: Instant | None = msgspec.field(default=None, name="dateDepot")
    updated: Instant | None = msgspec.field(default=None, name="dateDerniereModification")
    deleted: Instant | None = msgspec.field(default=None, name="dateSupression")
    demarche: _Demarche | None = None
    groupe: _Groupe | None = msgspec.field(default=None, name="groupeInstructeur")

    def date(self, column: str) -> datetime:
        """The row's date on ``created``, ``updated`` or ``deleted``."""
        value: datetime | None = getattr(self, column)
        if value is None:
            raise DSMalformedAnswerError(f"dossier {self.number} came without its {column} date")
        return value


@dataclass(frozen=True, slots=True)
class Row:
    """One node as the API sent it, on one line, with the head that was read of it."""

    raw: bytes
    head: RowHead

    def date(self, column: str) -> datetime:
        """The row's date on ``created``, ``updated`` or ``deleted``."""
        return self.head.date(column)


class PageInfo(msgspec.Struct, rename="camel"):
    """Where a page lies in its connection."""

    has_next_page: bool
    has_previous_page: bool = False
    start_cursor: str | None = None
    end_cursor: str | None = None


class Connection(msgspec.Struct, rename="camel"):
    """A page as the API sent it, its nodes undecoded."""

    page_info: PageInfo
    nodes: list[msgspec.Raw] | None


class _Data(msgspec.Struct, rename="camel"):
    groupe_instructeur: dict[str, Connection] | None


_decoder = msgspec.json.Decoder(Body[_Data])
_head_decoder = msgspec.json.Decoder(RowHead)


def read_connection(exchange: Exchange, name: str) -> Connection:
    """The group's connection of that name, each of its nodes there.

    :raises DSError: if the answer is not whole.
    """
    data = read_answer(exchange, _decoder)
    if data.groupe_instructeur is None:
        raise DSIncompletePageError("the group is null and no error says why")
    connection = data.groupe_instructeur.get(name)
    if connection is None:
        raise DSMalformedAnswerError(f"the answer lacks {name}")
    if connection.nodes is None or any(map(_is_null, connection.nodes)):
        raise DSIncompletePageError("a null stands in the page where a dossier should be", code="invalid_null")
    return connection


def read_row(node: msgspec.Raw) -> Row:
    """A node as a row.

    :raises DSMalformedAnswerError: if it is not a dossier's.
    """
    raw = bytes(node)
    try:
        head = _head_decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise DSMalformedAnswerError(f"a row of the page is not a dossier's: {error}") from None
    return Row(raw if b"\n" not in raw and b"\r" not in raw else msgspec.json.format(raw, indent=-1), head)


def _is_null(node: msgspec.Raw) -> bool:
    # no more is copied than tells it
    return bytes(memoryview(node)[:5]) == b"null"
