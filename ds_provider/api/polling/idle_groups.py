"""Idle groups: those that hold nothing in their windows, found a hundred groups at a time.

Reading a group of which nothing changed costs a request that brings no row, and most groups of an hourly run are like
that. Each group is asked here for the first row of its window, all of a batch in one request. This is a saving and no
extraction: a group is idle only if that is certain. All others are read on their own, and their own errors show there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cache

import msgspec

from ds_provider.api.polling.group_field import ALIAS, DOSSIER_FILTERS, group_field, read_group_field, read_group_label
from ds_provider.api.query import documents
from ds_provider.api.query.batch import Batch, BatchQueue, build_operation, numbered, read_batch, split
from ds_provider.api.query.selection import DOSSIERS, Selection
from ds_provider.api.transport.flows import Flow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.exceptions import (
    DSComplexityError,
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMalformedResponseError,
    DSServerError,
    DSTimeoutError,
    DSTokenError,
    DSTransportError,
)
from ds_provider.wording import counted

log = logging.getLogger(__name__)

# A group costs about ten of the 60,000 that the service allows a request, and sixty of the 20,000 tokens that it may
# come to allow a query's text: what bounds a batch is the 30 seconds that it has to search all these groups.
MAX_BATCH = 100
# these requests may not eat up what they save: a tenth of the requests that reading each group takes
GROUPS_PER_REQUEST = 10
MIN_REQUESTS = 3
MAX_FAILURES_IN_A_ROW = 3

_SAME_FOR_ALL = (DSTokenError, DSEndpointError)
_SMALLER_MAY_PASS = (DSComplexityError, DSTimeoutError, DSServerError, DSTransportError, DSMalformedResponseError)

_GROUP = group_field("dossiers", DOSSIER_FILTERS, "DossierHeads", fixed="first: 1", beside="label")


def find_idle_groups(selections: Iterable[Selection]) -> Flow[dict[int, str | None]]:
    """Yield, once, the groups that certainly have nothing to read, by number, each with its label.

    :param selections: of the dossiers of different groups. Those without a window that begins somewhere are left out,
        since any row is in it.
    :raises DSError: only what is the same for all groups: the token is refused, or there is no API.
    """
    bounded = [one for one in selections if one.stream is DOSSIERS and one.window and one.window.read_from]
    queue = _IdleGroups(bounded)
    yield from queue.send_all()
    # one group alone is not asked about
    if len(bounded) > 1:
        log.info("%d of %s hold nothing new: not read", len(queue.idle), counted(len(bounded), "group"))
    yield queue.idle


class _IdleGroups(BatchQueue[Selection]):
    """Groups that are still to be asked about, and those that are known to be idle."""

    def __init__(self, selections: Sequence[Selection]) -> None:
        super().__init__(split(selections, -(-len(selections) // MAX_BATCH)))
        self.idle: dict[int, str | None] = {}
        self._requests_left = max(MIN_REQUESTS, len(selections) // GROUPS_PER_REQUEST)
        self._failures = 0

    def _next_batch(self) -> Batch[Selection] | None:
        while self._requests_left and (batch := super()._next_batch()) is not None:
            # one group alone is as soon read
            if len(batch) > 1:
                self._requests_left -= 1
                return batch
        return None

    def _request(self, batch: Batch[Selection]) -> Request:
        return Request(build_query(len(batch)), numbered(selection.filters() for selection in batch))

    def _read(self, batch: Batch[Selection], exchange: Exchange) -> Sequence[Batch[Selection]]:
        result = read_batch(exchange, ALIAS, batch)
        self._failures = 0
        for selection, field in result.fields.items():
            if _is_idle(selection, field):
                self.idle[selection.groupe_instructeur_number] = read_group_label(field)
        return [result.again]

    def _record_failure(self, batch: Batch[Selection], error: DSError) -> bool:
        if isinstance(error, _SAME_FOR_ALL):
            raise error
        self._failures += 1
        if self._failures < MAX_FAILURES_IN_A_ROW and isinstance(error, _SMALLER_MAY_PASS):
            return True
        log.info("the service does not answer about several groups at once, so each is read: %s", error)
        self.waiting.clear()
        return False


@cache
def build_query(count: int) -> str:
    """Return the operation that asks that many groups for the first row of each one's window."""
    return documents.complete(build_operation("getFirstDossiers", ALIAS, [_GROUP] * count))


def _is_idle(selection: Selection, field: msgspec.Raw) -> bool:
    """Return true if a group's field is whole and holds no row of the window."""
    try:
        dossiers = read_group_field(field, DOSSIERS.connection)
    except DSIncompletePageError:
        return False
    if not dossiers.nodes:
        return not dossiers.page_info.has_next_page
    end = selection.window.end if selection.window else None
    first = getattr(dossiers.nodes[0], selection.date_column)
    # dates come cut to the second, so the row itself is no earlier than that
    return end is not None and first is not None and bool(first >= end)
