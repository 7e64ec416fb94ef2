"""A dossier that an earlier run could not read, tried again by its number."""

from __future__ import annotations

import msgspec

from ds_provider.api import documents
from ds_provider.api.answers import Body, read_answer
from ds_provider.api.messages import Exchange, Request
from ds_provider.api.pace import is_of_a_row
from ds_provider.api.pages import Page
from ds_provider.api.quarantine import Quarantined
from ds_provider.api.retries import Flow, settle
from ds_provider.api.rows import Row, read_row
from ds_provider.api.streams import Selection
from ds_provider.exceptions import DSError, DSNotFoundError, DSUnauthorizedError

ATTEMPTS = 2


class _Data(msgspec.Struct):
    dossier: msgspec.Raw


class _Filtered(msgspec.Struct):
    state: str | None = None
    archived: bool | None = None


_decoder = msgspec.json.Decoder(Body[_Data])


def reread(selection: Selection, number: int) -> Flow[Page]:
    """One page: with the dossier, or with why it still cannot be read, or empty where it is not to be had any more.

    It is read wherever it is by now: one that moved to another group is still the one that is missing.

    :raises DSError: if the service cannot be asked.
    """
    request = Request(documents.load("dossier"), {"number": number, **selection.includes.variables()})
    asked = 0

    def build() -> Request:
        nonlocal asked
        asked += 1
        return request

    rows: list[Row] = []
    quarantined: list[Quarantined] = []
    try:
        row = yield from settle(build, lambda exchange: _read(exchange, number), attempts=ATTEMPTS)
        rows = [row] if _is_chosen(selection, row) else []
    except (DSNotFoundError, DSUnauthorizedError):
        # hidden, deleted, or out of the token's rights: deletions are told elsewhere, and none of these waits for us
        pass
    except DSError as error:
        if not is_of_a_row(error):
            raise error.locate(groupe_instructeur_number=selection.groupe_instructeur_number) from None
        quarantined = [
            Quarantined(number=number, code=error.code, exception_id=error.exception_id, message=error.message)
        ]
    yield Page(rows, asked, reached=None, quarantined=quarantined)


def _read(exchange: Exchange, number: int) -> Row:
    node = read_answer(exchange, _decoder).dossier
    if bytes(node) == b"null":
        raise DSNotFoundError(f"the API shows no dossier under number {number}")
    return read_row(node)


def _is_chosen(selection: Selection, row: Row) -> bool:
    """Whether the dossier is still one of those that the selection chooses among a window's rows."""
    shown = msgspec.json.decode(row.raw, type=_Filtered)
    revision = row.head.demarche.revision.id if row.head.demarche else None
    wanted = ((selection.state, shown.state), (selection.archived, shown.archived), (selection.revision, revision))
    return all(chosen is None or chosen == value for chosen, value in wanted)
