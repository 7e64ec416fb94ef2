"""The list of public démarches, with the cursors that the API's library gives a plain list: numbers of rows."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from ds_provider.sandbox.graphql.connections import PAGE_LIMIT
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.descriptors import Revision
from ds_provider.sandbox.world.french import JSON

Arguments = dict[str, Any]


def public_demarches(_: Any, context: Context, arguments: Arguments) -> JSON:
    """Resolve `demarcheDescriptors`: the published démarches, a page of them."""
    demarches = (context.world.demarche, context.world.other)
    rows = [(write_offset(i), Revision(each, each.revision)) for i, each in enumerate(demarches, 1)]
    low, high = read_offset(arguments.get("after"), 0), read_offset(arguments.get("before"), len(rows) + 1) - 1
    page = rows[low : max(low, high)][: max(0, arguments.get("first", PAGE_LIMIT))]
    page = page[max(0, len(page) - max(0, arguments.get("last", PAGE_LIMIT))) :]
    info = {
        "hasNextPage": bool(page) and page[-1] != rows[-1],
        "hasPreviousPage": bool(page) and page[0] != rows[0],
        "startCursor": page[0][0] if page else None,
        "endCursor": page[-1][0] if page else None,
    }
    edges = [{"cursor": cursor, "node": node} for cursor, node in page]
    return {"nodes": [node for _, node in page], "edges": edges, "pageInfo": info}


def write_offset(number: int) -> str:
    """Return the cursor of a row by its number, counted from 1: the base64 of the number."""
    return urlsafe_b64encode(str(number).encode()).rstrip(b"=").decode()


def read_offset(cursor: str | None, default: int) -> int:
    """Return the number in a cursor, the default without one. A cursor that is none is row 0, as `to_i` reads it."""
    if not cursor:
        return default
    try:
        return int(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        return 0
