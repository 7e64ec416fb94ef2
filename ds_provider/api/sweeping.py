"""All dossiers of a group, seen at little cost: a hundred in a request, whatever ails the rest of them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pendulum

from ds_provider.api.pace import Pace
from ds_provider.api.retries import Flow
from ds_provider.api.rows import Instant
from ds_provider.api.streams import LIGHT_DOSSIERS, Selection
from ds_provider.api.walks import Place, Walk
from ds_provider.api.windows import Window
from ds_provider.exceptions import DSMalformedAnswerError


class Sighted(msgspec.Struct, frozen=True, rename="camel"):
    """What the service shows of a dossier in a sweep."""

    number: int
    state: str
    archived: bool
    date_depot: Instant
    date_derniere_modification: Instant


@dataclass(frozen=True)
class Swept:
    """A page of a sweep.

    :param requests: how many it took, failed ones included.
    """

    dossiers: list[Sighted]
    requests: int


_decoder = msgspec.json.Decoder(Sighted)


def sweep(groupe_instructeur_number: int, updated_since: pendulum.DateTime | None = None) -> Flow[Swept]:
    """The flow that gives each page, at least one.

    What moves into the group meanwhile may be missing, since dossiers stand in the order of their deposit. With
    ``updated_since`` one that changes meanwhile may come again, as it is then.

    :param updated_since: only dossiers last changed then or later.
    :raises DSError: if not all could be seen, with the cursor at which it ended.
    """
    window = Window("updated", start=updated_since) if updated_since else None
    selection = Selection(LIGHT_DOSSIERS, groupe_instructeur_number, window=window)
    walk = Walk(selection, Pace(selection.page_size), Place())
    while walk.more:
        received = yield from walk.page()
        # of what fails in a page and is shown on its own, all is there that is asked for
        shown = [msgspec.json.encode(culprit.record.dossier) for culprit in received.culprits]
        seen = [_sighted(raw) for raw in (*(row.raw for row in received.rows), *shown)]
        yield Swept(seen, received.requests)


def _sighted(raw: bytes) -> Sighted:
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise DSMalformedAnswerError(f"a row of a sweep is not a dossier's: {error}") from None
