"""The list of public démarches, with the cursors that the API's library gives a plain list: numbers of rows."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from ds_provider.sandbox.graphql.connections import PAGE_LIMIT
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.descriptors import Revision
from ds_provider.sandbox.graphql.execution import Resolver
from ds_provider.sandbox.world.french import JSON

Arguments = dict[str, Any]


class Rows(NamedTuple):
    """A page of a list: its rows, and the number of the first one, counted from 1, among all."""

    nodes: Sequence[Revision]
    first: int
    total: int


def public_demarches(_: Any, context: Context, arguments: Arguments) -> Rows:
    """Resolve `demarcheDescriptors`: the published démarches, a page of them."""
    demarches = [Revision(each, each.revision) for each in (context.world.demarche, context.world.other)]
    low = max(0, read_offset(arguments.get("after"), 0))
    high = max(low, min(len(demarches), read_offset(arguments.get("before"), len(demarches) + 1) - 1))
    high = min(high, low + max(0, arguments.get("first", PAGE_LIMIT)))
    low = max(low, high - max(0, arguments.get("last", PAGE_LIMIT)))
    return Rows(demarches[low:high], low + 1, len(demarches))


def write_offset(number: int) -> str:
    """Return the cursor of a row by its number, counted from 1: the base64 of the number."""
    return urlsafe_b64encode(str(number).encode()).rstrip(b"=").decode()


def read_offset(cursor: str | None, default: int) -> int:
    """Return the number in a cursor, the default without one, 0 for a text that holds none."""
    if not cursor:
        return default
    try:
        return int(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        return 0


def edges(rows: Rows, *_: Any) -> list[JSON]:
    """Resolve the rows with their cursors."""
    return [{"cursor": write_offset(rows.first + i), "node": node} for i, node in enumerate(rows.nodes)]


def page_info(rows: Rows, *_: Any) -> JSON:
    """Resolve the place of the page among all rows."""
    last = rows.first + len(rows.nodes) - 1
    return {
        "hasNextPage": bool(rows.nodes) and last < rows.total,
        "hasPreviousPage": bool(rows.nodes) and rows.first > 1,
        "startCursor": write_offset(rows.first) if rows.nodes else None,
        "endCursor": write_offset(last) if rows.nodes else None,
    }


CATALOGUE_RESOLVERS: dict[str, Resolver] = {
    "Query.demarcheDescriptors": public_demarches,
    "DemarcheDescriptorConnection.nodes": lambda rows, *_: rows.nodes,
    "DemarcheDescriptorConnection.edges": edges,
    "DemarcheDescriptorConnection.pageInfo": page_info,
}
