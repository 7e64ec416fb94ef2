"""Latest rows of many streams, asked for in one request.

Sensors and triggers ask again and again, so all of them on one token share their requests. A group that the service
does not show is asked for alone, for its own error, and the others again without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from ds_provider.api.paging.rows import RowHead
from ds_provider.api.polling.group_field import ALIAS, DOSSIER_FILTERS, group_field, read_group_field
from ds_provider.api.query import documents
from ds_provider.api.query.batch import Batch, BatchQueue, build_operation, numbered, read_batch
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.transport.flows import SubFlow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import fields_decoder, read_response
from ds_provider.exceptions import (
    DSBudgetError,
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSRateLimitedError,
    DSTokenError,
    DSTransientError,
    DSTransportError,
)

# as for idle groups: what bounds a request is the 30 seconds that it has to search all these streams
MAX_BATCH = 100
# a row costs three of the 60,000 that the service allows a request
MAX_ROWS = 4_000
# a stream that cannot be read is found by halves; a service that cannot be reached is not to be asked that often
MAX_FAILURES = 24
MAX_FAILURES_WITHOUT_SUCCESS = 5

_SAME_FOR_ALL = (
    DSTokenError,
    DSEndpointError,
    DSBudgetError,
    DSTransportError,
    DSMaintenanceError,
    DSRateLimitedError,
)


class LatestQuery(NamedTuple):
    """Query for the newest rows of a selection.

    :param last: how many rows.
    :param before: a cursor: the newest of the rows before it.
    """

    selection: Selection
    last: int
    before: str | None = None

    def variables(self) -> dict[str, Any]:
        """Return the GraphQL variables of the query alone."""
        given = {**self.selection.filters(), "last": self.last, "before": self.before}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class LatestRows:
    """Newest rows of a selection.

    :param rows: in ascending order of the selection's date column.
    :param earlier: the cursor before which there are more, or None if these are all.
    """

    rows: Sequence[RowHead]
    earlier: str | None


LatestResults = dict[LatestQuery, LatestRows | DSError]


_DELETION_FILTERS = {"deletedSince": "ISO8601DateTime"}
_FIELDS = {
    stream: group_field(stream.connection, {"last": "Int!", "before": "String", **filters}, fragment)
    for stream, filters, fragment in (
        (DOSSIERS, DOSSIER_FILTERS, "DossierHeads"),
        (DELETED_DOSSIERS, _DELETION_FILTERS, "DeletedDossierHeads"),
        (PENDING_DELETED_DOSSIERS, _DELETION_FILTERS, "DeletedDossierHeads"),
    )
}


def fetch_latest(queries: Iterable[LatestQuery]) -> SubFlow[LatestResults]:
    """Send all queries in as few requests as possible, each request once.

    :returns: the rows of each query, or its error: the failure of one stream is not the others'.
    """
    queue = _LatestQueue(_batches(dict.fromkeys(queries)))
    yield from queue.send_all()
    return queue.results


class _LatestQueue(BatchQueue[LatestQuery]):
    """Queries that are still to be sent, and the results of the others."""

    def __init__(self, batches: Iterable[Batch[LatestQuery]]) -> None:
        super().__init__(batches)
        self.results: LatestResults = {}
        self._failures = 0

    def _request(self, batch: Batch[LatestQuery]) -> Request:
        return build_request(batch)

    def _read(self, batch: Batch[LatestQuery], exchange: Exchange) -> Sequence[Batch[LatestQuery]]:
        if len(batch) == 1:
            field = read_response(exchange, fields_decoder).get(f"{ALIAS}0", msgspec.Raw())
            self.results[batch[0]] = _read_rows(batch[0], field)
            return ()
        result = read_batch(exchange, ALIAS, batch)
        alone = [[query] for query in result.failures]
        for query, field in result.fields.items():
            try:
                self.results[query] = _read_rows(query, field)
            except DSTransientError:
                alone.append([query])
        return [*alone, result.again] if result.again else alone

    def _record_failure(self, batch: Batch[LatestQuery], error: DSError) -> bool:
        self._failures += 1
        max_failures = MAX_FAILURES if self.results else MAX_FAILURES_WITHOUT_SUCCESS
        if isinstance(error, _SAME_FOR_ALL) or self._failures >= max_failures:
            self._give_up(batch, error)
            return False
        if len(batch) == 1:
            self.results[batch[0]] = batch[0].selection.add_context(error)
            return False
        return True

    def _give_up(self, batch: Batch[LatestQuery], error: DSError) -> None:
        if not isinstance(error, (*_SAME_FOR_ALL, DSTransientError)):
            # whose failure it is, is not known yet: what lasts for one of them need not for the others
            error = DSIncompletePageError(f"asking for several streams at once goes on failing: {error}")
        for queries in (batch, *self.waiting):
            self.results |= dict.fromkeys(queries, error)
        self.waiting.clear()


def _batches(queries: Iterable[LatestQuery]) -> list[list[LatestQuery]]:
    batches: list[list[LatestQuery]] = [[]]
    rows = 0
    for query in queries:
        rows += query.last
        if len(batches[-1]) >= MAX_BATCH or rows > MAX_ROWS:
            batches.append([])
            rows = query.last
        batches[-1].append(query)
    return [batch for batch in batches if batch]


def build_request(batch: Batch[LatestQuery]) -> Request:
    """Return the request for all queries of a batch."""
    operation = build_operation("getNewest", ALIAS, [_FIELDS[query.selection.stream] for query in batch])
    return Request(documents.complete(operation), numbered(query.variables() for query in batch))


def _read_rows(query: LatestQuery, field: msgspec.Raw) -> LatestRows:
    connection = read_group_field(field, query.selection.stream.connection)
    info, rows = connection.page_info, connection.nodes
    if info.has_previous_page and not (rows and info.start_cursor):
        raise DSIncompletePageError("a page leads nowhere")
    for row in rows:
        row.date(query.selection.date_column)
    return LatestRows(rows, info.start_cursor if info.has_previous_page else None)
