"""Many places of one group looked at in one request, by aliases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import msgspec

from ds_provider.api.paging.iterator import Position
from ds_provider.api.paging.parallel.plan import ProbeResult, RowKey
from ds_provider.api.paging.rows import Instant, PageInfo
from ds_provider.api.query.selection import MAX_PAGE, Selection
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, read_answer
from ds_provider.exceptions import DSIncompletePageError

_DATES = {"created": "dateDepot", "updated": "dateDerniereModification"}


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


def probe_request(selection: Selection, places: Sequence[Position]) -> Request:
    """Ask for number, date and cursor of a hundred rows from each place on."""
    variables: dict[str, Any] = {**selection.filters(), "first": MAX_PAGE}
    for index, place in enumerate(places):
        variables |= {f"after{index}": place.cursor, f"since{index}": place.since or selection.since}
    variables.pop(f"{selection.sort_column}Since", None)
    given = {name: value for name, value in variables.items() if value is not None}
    return Request(operation(selection.sort_column, len(places)), given)


def read_sightings(exchange: Exchange, places: Sequence[Position]) -> list[ProbeResult]:
    """What was seen from each place on.

    :raises DSError: if one of them is not whole.
    """
    connections = read_answer(exchange, _decoder).groupe_instructeur
    if set(connections) != {f"probe{index}" for index in range(len(places))}:
        raise DSIncompletePageError("the answer to a survey lacks some of its probes")
    return [_sighting(connections[f"probe{index}"]) for index in range(len(places))]


def _sighting(connection: _Connection) -> ProbeResult:
    spots = [RowKey(edge.node.number, edge.node.date, edge.cursor) for edge in connection.edges]
    dates = [spot.date for spot in spots]
    if dates != sorted(dates) or len({spot.number for spot in spots}) < len(spots):
        raise DSIncompletePageError("a survey's rows are out of order")
    if connection.page_info.has_next_page and not spots:
        raise DSIncompletePageError("a probe shows no row and says that more follow")
    return ProbeResult(spots, connection.page_info.has_next_page)


@cache
def operation(column: str, probes: int) -> str:
    """The text of a survey by ``created`` or ``updated`` with so many probes."""
    indexes = range(probes)
    places = "\n".join(f"  $after{index}: String\n  $since{index}: ISO8601DateTime" for index in indexes)
    aliases = "\n".join(
        f"    probe{index}: dossiers(\n"
        f"      first: $first\n      after: $after{index}\n      {column}Since: $since{index}\n"
        f"      state: $state\n      archived: $archived\n"
        f"    ) {{\n      ...ProbeFields\n    }}"
        for index in indexes
    )
    return f"""query surveyDossiers(
  $number: Int!
  $first: Int
  $state: DossierState
  $archived: Boolean
{places}
) {{
  groupeInstructeur(number: $number) {{
{aliases}
  }}
}}

fragment ProbeFields on DossierConnection {{
  pageInfo {{
    hasNextPage
  }}
  edges {{
    cursor
    node {{
      number
      date: {_DATES[column]}
    }}
  }}
}}
"""
