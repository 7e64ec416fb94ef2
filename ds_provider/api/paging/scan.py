"""Scan: all dossiers of a group with few fields each, a hundred in a request, which the service can always give."""

from __future__ import annotations

import msgspec

from ds_provider.api.paging.bounds import Position
from ds_provider.api.paging.iterator import PageIterator
from ds_provider.api.paging.page_size import AdaptivePageSize
from ds_provider.api.paging.rows import Instant
from ds_provider.api.query.selection import LIGHT_DOSSIERS, Selection
from ds_provider.api.transport.flows import Flow
from ds_provider.exceptions import DSMalformedResponseError


class DossierHead(msgspec.Struct, frozen=True, rename="camel"):
    """Few fields of a dossier, as a scan shows them."""

    number: int
    state: str
    archived: bool
    date_depot: Instant
    date_derniere_modification: Instant


_decoder = msgspec.json.Decoder(DossierHead)


def scan(groupe_instructeur_number: int) -> Flow[list[DossierHead]]:
    """Yield the dossiers of each page, at least one.

    A dossier that moves into the group meanwhile may be missing, since dossiers stand in the order of their deposit.

    :raises DSError: if not all could be read, with the cursor at which it ended.
    """
    selection = Selection(LIGHT_DOSSIERS, groupe_instructeur_number)
    pages = PageIterator(selection, AdaptivePageSize(selection.page_size), Position())
    while pages.has_next_page:
        # a dossier that fails in a page and is shown on its own has all these fields
        yield [_dossier_head(row.raw) for row in (yield from pages.next_page())]


def _dossier_head(node: bytes) -> DossierHead:
    try:
        return _decoder.decode(node)
    except msgspec.DecodeError as error:
        raise DSMalformedResponseError(f"a row of a scan is not a dossier's: {error}") from None
