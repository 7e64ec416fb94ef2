"""Probes: many positions of one group looked at in one request, by aliases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import msgspec

from ds_provider.api.paging.bounds import Position
from ds_provider.api.paging.parallel.plan import ProbeResult, RowKey
from ds_provider.api.paging.rows import Instant, PageInfo
from ds_provider.api.query import documents
from ds_provider.api.query.selection import MAX_PAGE_SIZE, Selection
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, read_response
from ds_provider.exceptions import DSIncompletePageError


class _Node(msgspec.Struct):
    number: int
    date: Instant


class _Edge(msgspec.Struct):
    cursor: Annotated[str, msgspec.Meta(min_length=1)]
    node: _Node


class _Connection(msgspec.Struct, rename="camel"):
    page_info: PageInfo
    edges: list[_Edge]


class _Data(msgspec.Struct, rename="camel"):
    groupe_instructeur: dict[str, _Connection]


_decoder = msgspec.json.Decoder(Body[_Data])


def probe_request(selection: Selection, positions: Sequence[Position]) -> Request:
    """Return the request for number, date and cursor of a hundred rows from each position on."""
    variables: dict[str, Any] = {**selection.filters(), "first": MAX_PAGE_SIZE}
    for index, position in enumerate(positions):
        variables |= {f"after{index}": position.cursor, f"since{index}": position.since or selection.since}
    variables.pop(f"{selection.date_column}Since", None)
    given = {name: value for name, value in variables.items() if value is not None}
    context = selection.context(positions[0].cursor)
    return Request(operation(selection.date_column, len(positions)), given, context)


def read_probe_results(exchange: Exchange, count: int) -> list[ProbeResult]:
    """Return the results of a request's probes.

    :param count: how many probes it had.
    :raises DSError: if the result of one is not whole.
    """
    connections = read_response(exchange, _decoder).groupe_instructeur
    if set(connections) != {f"probe{index}" for index in range(count)}:
        raise DSIncompletePageError("the response lacks some of the probes")
    return [_probe_result(connections[f"probe{index}"]) for index in range(count)]


def _probe_result(connection: _Connection) -> ProbeResult:
    rows = [RowKey(edge.node.number, edge.node.date, edge.cursor) for edge in connection.edges]
    dates = [row.date for row in rows]
    if dates != sorted(dates) or len({row.number for row in rows}) < len(rows):
        raise DSIncompletePageError("a probe's rows are out of order")
    if connection.page_info.has_next_page and not rows:
        raise DSIncompletePageError("a probe shows no row and says that more follow")
    return ProbeResult(rows, connection.page_info.has_next_page)


@cache
def operation(date_column: str, probes: int) -> str:
    """Return the operation with that many probes, by ``created`` or ``updated``."""
    indexes = range(probes)
    positions = "\n".join(f"  $after{index}: String\n  $since{index}: ISO8601DateTime" for index in indexes)
    aliases = "\n".join(
        f"    probe{index}: dossiers(\n"
        f"      first: $first\n      after: $after{index}\n      {date_column}Since: $since{index}\n"
        f"      state: $state\n      archived: $archived\n"
        f"    ) {{\n      ...KeysBy{date_column.capitalize()}\n    }}"
        for index in indexes
    )
    return documents.complete(f"""query probeDossiers(
  $number: Int!
  $first: Int
  $state: DossierState
  $archived: Boolean
{positions}
) {{
  groupeInstructeur(number: $number) {{
{aliases}
  }}
}}
""")
