"""Rows: nodes as the API sent them, and the few fields of each that paging needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.transport.messages import Exchange
from ds_provider.api.transport.repair import take_marks
from ds_provider.api.transport.responses import Body, read_nodes
from ds_provider.exceptions import DSIncompletePageError, DSMalformedResponseError
from ds_provider.wording import counted, listed

# what is longer is out of the range of a float, and Python refuses to convert it
MAX_DIGITS = 308

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Revision(msgspec.Struct):
    id: str


class _Demarche(msgspec.Struct):
    revision: _Revision
    number: int | None = None


class _Groupe(msgspec.Struct):
    number: int
    label: str | None = None


class RowHead(msgspec.Struct):
    """Fields of a row that paging needs; all others stay bytes."""

    number: int
    created: Instant | None = msgspec.field(default=None, name="dateDepot")
    updated: Instant | None = msgspec.field(default=None, name="dateDerniereModification")
    deleted: Instant | None = msgspec.field(default=None, name="dateSupression")
    demarche: _Demarche | None = None
    groupe: _Groupe | None = msgspec.field(default=None, name="groupeInstructeur")

    @property
    def demarche_number(self) -> int | None:
        """Number of the dossier's démarche; a deletion does not say it."""
        return self.demarche.number if self.demarche else None

    @property
    def revision_id(self) -> str | None:
        """API id of the form's revision that the dossier is on."""
        return self.demarche.revision.id if self.demarche else None

    def label_of(self, groupe_instructeur_number: int) -> str | None:
        """Return the label of a group, if the dossier is in it."""
        groupe = self.groupe
        return groupe.label if groupe and groupe.number == groupe_instructeur_number else None

    def date(self, date_column: str) -> datetime:
        """Return the row's date on ``created``, ``updated`` or ``deleted``."""
        value: datetime | None = getattr(self, date_column)
        if value is None:
            raise DSMalformedResponseError(f"dossier {self.number} came without its {date_column} date")
        return value


@dataclass(frozen=True, slots=True)
class Row:
    """Node as the API sent it, on one line, with the head that was decoded from it.

    :param quarantined: the record of a dossier that the service lists but cannot give: its node has few fields then, or
        holds a value that is no JSON.
    :param repaired: how many of its texts held characters that are none, for which U+FFFD stands now.
    """

    raw: bytes
    head: RowHead
    quarantined: Quarantined | None = None
    repaired: int = 0

    def date(self, date_column: str) -> datetime:
        """Return the row's date on ``created``, ``updated`` or ``deleted``."""
        return self.head.date(date_column)


class PageInfo(msgspec.Struct, rename="camel"):
    """GraphQL's ``PageInfo``."""

    has_next_page: bool
    has_previous_page: bool = False
    start_cursor: str | None = None
    end_cursor: str | None = None


class Connection(msgspec.Struct, rename="camel"):
    """Page as the API sent it, its nodes undecoded.

    :ivar groupe_label: the label of its group, which stands beside it.
    """

    page_info: PageInfo
    nodes: list[msgspec.Raw] | None
    groupe_label: str | None = None


class _Data(msgspec.Struct, rename="camel"):
    # its label, and a connection
    groupe_instructeur: dict[str, Connection | str] | None


_decoder = msgspec.json.Decoder(Body[_Data])
_head_decoder = msgspec.json.Decoder(RowHead)
_node_decoder = msgspec.json.Decoder(dict[str, Any])


def read_connection(exchange: Exchange, name: str) -> Connection:
    """Return the group's connection of that name, in which no node is null.

    :raises DSError: if the response is not whole.
    """
    data = read_nodes(exchange, _decoder)
    if data.groupe_instructeur is None:
        raise DSIncompletePageError("the group is null and no error says why")
    connection = data.groupe_instructeur.get(name)
    if not isinstance(connection, Connection):
        raise DSMalformedResponseError(f"the response lacks {name}")
    if connection.nodes is None or any(map(_is_null, connection.nodes)):
        raise DSIncompletePageError("a null stands in the page where a dossier should be", code="invalid_null")
    label = data.groupe_instructeur.get("label")
    connection.groupe_label = label if isinstance(label, str) else None
    return connection


def read_row(node: msgspec.Raw) -> Row:
    """Return a node as a row.

    :raises DSMalformedResponseError: if it is not a dossier's.
    """
    raw, repaired, unreadable = take_marks(bytes(node))
    try:
        head = _head_decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise DSMalformedResponseError(f"a row of the page is not a dossier's: {error}") from None
    line = raw if b"\n" not in raw and b"\r" not in raw else msgspec.json.format(raw, indent=-1)
    return Row(line, head, _unreadable(head, unreadable) if unreadable else None, repaired)


def repaired_message(repaired: Mapping[int, int]) -> str:
    """Return for the log in which dossiers texts were repaired.

    :param repaired: by dossier, how many texts.
    """
    texts = counted(sum(repaired.values()), "text")
    where = f"{counted(len(repaired), 'dossier')} ({listed(sorted(repaired))})"
    return f"{texts} of {where} held characters that are none: U+FFFD stands for each now"


def decode_node(raw: bytes) -> dict[str, Any]:
    """Return a row's node decoded. A number that is larger than a float can be is infinite.

    :raises msgspec.DecodeError: if it is no JSON object.
    """
    try:
        return _node_decoder.decode(raw)
    except msgspec.ValidationError:
        with suppress(ValueError):
            node = json.loads(raw, parse_int=_integer)
            if isinstance(node, dict):
                return node
        raise


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _unreadable(head: RowHead, values: int) -> Quarantined:
    dates = {"dateDepot": head.created, "dateDerniereModification": head.updated, "dateSupression": head.deleted}
    dossier = {"number": head.number, **{name: date.isoformat() for name, date in dates.items() if date}}
    what = "a value that is" if values == 1 else f"{values} values that are"
    return Quarantined(number=head.number, message=f"it holds {what} no JSON, such as NaN", dossier=dossier)


def _is_null(node: msgspec.Raw) -> bool:
    # no more is copied than is needed to know
    return bytes(memoryview(node)[:5]) == b"null"
