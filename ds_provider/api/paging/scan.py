"""All dossiers of a group, seen at little cost: a hundred in a request, whatever ails the rest of them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pendulum

from ds_provider.api.paging.iterator import PageIterator, Position
from ds_provider.api.paging.page_size import AdaptivePageSize
from ds_provider.api.paging.rows import Instant
from ds_provider.api.query.selection import LIGHT_DOSSIERS, Selection
from ds_provider.api.query.windows import Window
from ds_provider.api.transport.retry import Flow
from ds_provider.exceptions import DSMalformedAnswerError


class DossierHead(msgspec.Struct, frozen=True, rename="camel"):
    """What the service shows of a dossier in a scan."""

    number: int
    state: str
    archived: bool
    date_depot: Instant
    date_derniere_modification: Instant


@dataclass(frozen=True)
class ScanPage:
    """A page of a scan.

    :param requests: how many it took, failed ones included.
    """

    dossiers: list[DossierHead]
    requests: int


_decoder = msgspec.json.Decoder(DossierHead)


def scan(groupe_instructeur_number: int, updated_since: pendulum.DateTime | None = None) -> Flow[ScanPage]:
    """The flow that gives each page, at least one.

    What moves into the group meanwhile may be missing, since dossiers stand in the order of their deposit. With
    ``updated_since`` one that changes meanwhile may come again, as it is then.

    :param updated_since: only dossiers last changed then or later.
    :raises DSError: if not all could be seen, with the cursor at which it ended.
    """
    window = Window("updated", start=updated_since) if updated_since else None
    selection = Selection(LIGHT_DOSSIERS, groupe_instructeur_number, window=window)
    walk = PageIterator(selection, AdaptivePageSize(selection.page_size), Position())
    while walk.more:
        received = yield from walk.page()
        # of what fails in a page and is shown on its own, all is there that is asked for
        shown = [msgspec.json.encode(poison.record.dossier) for poison in received.poison_rows]
        seen = [_sighted(raw) for raw in (*(row.raw for row in received.rows), *shown)]
        yield ScanPage(seen, received.requests)


def _sighted(raw: bytes) -> DossierHead:
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise DSMalformedAnswerError(f"a row of a scan is not a dossier's: {error}") from None
