"""A plain GraphQL client of the sandbox, and the documents that its tests send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import httpx

from ds_provider.sandbox import Sandbox

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
# one for all tests: each new client would read the certificates of this machine again
HTTP = httpx.Client(timeout=30, verify=False, trust_env=False)
LISTS = ("dossiers", "deletedDossiers", "pendingDeletedDossiers")

PAGE = """
query page($number: Int!, $first: Int, $last: Int, $after: String, $before: String%(variables)s) {
  groupeInstructeur(number: $number) {
    %(connection)s(first: $first, last: $last, after: $after, before: $before%(arguments)s) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { %(fields)s }
    }
  }
}
"""
FILTERS = {
    "state": "DossierState",
    "archived": "Boolean",
    "createdSince": "ISO8601DateTime",
    "updatedSince": "ISO8601DateTime",
    "deletedSince": "ISO8601DateTime",
    "order": "Order",
    "revision": "ID",
    "minRevision": "ID",
    "maxRevision": "ID",
}


def page_query(connection: str, fields: str = "number", filters: tuple[str, ...] = ()) -> str:
    return PAGE % {
        "connection": connection,
        "fields": fields,
        "variables": "".join(f", ${name}: {FILTERS[name]}" for name in filters),
        "arguments": "".join(f", {name}: ${name}" for name in filters),
    }


class Client:
    """GraphQL client of a sandbox, with its main token or another one."""

    def __init__(self, sandbox: Sandbox, token: str | None = None) -> None:
        self.sandbox = sandbox
        self.headers = {"Authorization": f"Bearer {token or sandbox.token}"}

    def post(self, query: str, **variables: Any) -> httpx.Response:
        body = {"query": query, "variables": variables}
        return HTTP.post(self.sandbox.url, json=body, headers=self.headers)

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a query, and return the data of an answer without errors."""
        response = self.post(query, **variables)
        assert response.status_code == 200, response.text
        assert "errors" not in response.json(), response.json()["errors"]
        return response.json()["data"]

    def page(self, connection: str, fields: str = "number", **arguments: Any) -> Any:
        """Return one page of a connection of the first group, or of the group given by `number`."""
        filters = tuple(name for name in arguments if name in FILTERS)
        query = page_query(connection, fields, filters)
        arguments.setdefault("number", self.sandbox.groupes[0])
        return self.ask(query, **arguments)["groupeInstructeur"][connection]

    def rows(self, connection: str, size: int = 100, fields: str = "number", **filters: Any) -> Iterator[Any]:
        """Yield all rows, forward, page by page."""
        after = None
        while True:
            page = self.page(connection, fields, first=size, after=after, **filters)
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def control(self, path: str, settings: Any = None) -> httpx.Response:
        url = httpx.URL(self.sandbox.url).join(f"/sandbox/{path}")
        return HTTP.get(url) if settings is None else HTTP.post(url, json=settings)
