"""Plan of an extraction: how many requests, minutes and bytes it takes, before it begins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ds_provider.api.paging.bounds import Position
from ds_provider.api.paging.iterator import PageIterator
from ds_provider.api.paging.page_size import AdaptivePageSize
from ds_provider.api.paging.parallel.plan import MAX_PROBES, SPACING
from ds_provider.api.paging.reader import MIN_ROWS_WORTH_PROBING
from ds_provider.api.polling.idle_groups import MAX_BATCH
from ds_provider.api.query.selection import MAX_PAGE_SIZE, Selection
from ds_provider.api.transport.flows import Flow
from ds_provider.landing.gzip_members import pack


@dataclass(frozen=True)
class Sample:
    """One page of the group that holds the most, read in full.

    :param stored: bytes of its rows in a landed part.
    :param seconds: until the service had given it.
    """

    groupe_instructeur_number: int
    rows: int
    stored: int
    seconds: float


@dataclass(frozen=True)
class GroupPlan:
    """Cost of one group's extraction.

    :param requests: all that are sent, those that bring dossiers and those that only look ahead.
    :param rounds: how many times a page is waited for, of those that are read in parallel the last.
    """

    groupe_instructeur_number: int
    dossiers: int
    requests: int
    rounds: int


def plan_groups(selections: Sequence[Selection], counts: Mapping[int, int], concurrency: int) -> list[GroupPlan]:
    """Return the plan of each group.

    :param counts: the dossiers of each selection, by group.
    :param concurrency: how many of a group's pages are read in parallel.
    """
    window = selections[0].window if selections else None
    # as the extraction of several groups does: one request finds those that hold nothing in their window
    passes_over_idle = len(selections) > 1 and window is not None and window.read_from is not None
    return [
        _plan(selection.groupe_instructeur_number, counts[selection.groupe_instructeur_number], concurrency)
        if counts[selection.groupe_instructeur_number] or not passes_over_idle
        else GroupPlan(selection.groupe_instructeur_number, 0, 0, 0)
        for selection in selections
    ]


def shared_requests(selections: Sequence[Selection]) -> int:
    """Return the requests that ask for several groups at once, before each is read."""
    bounded = [one for one in selections if one.window and one.window.read_from]
    return math.ceil(len(bounded) / MAX_BATCH) if len(bounded) > 1 else 0


def _plan(number: int, dossiers: int, concurrency: int) -> GroupPlan:
    pages = max(1, math.ceil(dossiers / MAX_PAGE_SIZE))
    ahead = dossiers - MAX_PAGE_SIZE
    # the gaps between the probes of one request are filled by another
    probes = 1 + math.ceil(ahead / (MAX_PROBES * SPACING)) if concurrency > 1 and ahead >= MIN_ROWS_WORTH_PROBING else 0
    return GroupPlan(number, dossiers, pages + probes, math.ceil(pages / concurrency) if probes else pages)


def read_sample(selection: Selection) -> Flow[list[bytes]]:
    """Yield the dossiers of a selection's first page, each as the API sent it; without those that cannot be read.

    :raises DSError: if the page cannot be read.
    """
    pages = PageIterator(selection, AdaptivePageSize(MAX_PAGE_SIZE), Position())
    rows = yield from pages.next_page()
    yield [row.raw for row in rows if not row.quarantined]


def stored_bytes(rows: Sequence[bytes]) -> int:
    """Return the size of rows as they land."""
    return len(pack(rows).stored) if rows else 0
