"""Group whose dossiers change while it is read. It responds to requests for pages, light rows and probes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ds_provider.api.transport.messages import Request, Response
from tests.support.connection_model import Connection, Stored
from tests.support.flows import response


class Group:
    """Dossiers by number, each with the one date by which they are sorted.

    :param change: called after each response, with the group and the count of responses.
    """

    def __init__(self, rows: list[Stored], change: Callable[[Group, int], None] = lambda group, count: None) -> None:
        self.rows = {row.number: row for row in rows}
        self.poison: set[int] = set()
        self.max_page_size = 100
        self.full_requests: list[dict[str, Any]] = []
        self._change = change
        self.responses = 0

    def move(self, number: int, date: datetime) -> None:
        self.rows[number] = Stored(number, date)

    def __call__(self, request: Request) -> Response:
        variables = json.loads(request.body)["variables"]
        page = self._probes(request, variables) if "probeDossiers" in request.query else self._page(request, variables)
        self.responses += 1
        self._change(self, self.responses)
        return page

    def _page(self, request: Request, variables: dict[str, Any]) -> Response:
        page = _connection(self.rows)(request)
        if "query getDossiers" not in request.query:
            return page
        self.full_requests.append(variables)
        if max(variables.get("first", 0), variables.get("last", 0)) > self.max_page_size:
            return _timeout()
        nodes = json.loads(page.body)["data"]["groupeInstructeur"]["dossiers"]["nodes"]
        return _internal_error() if self.poison & {node["number"] for node in nodes} else page

    def _probes(self, request: Request, variables: dict[str, Any]) -> Response:
        count = len(re.findall(r"probe\d+:", request.query))
        return response({"data": {"groupeInstructeur": {f"probe{i}": self._probe(i, variables) for i in range(count)}}})

    def _probe(self, index: int, variables: dict[str, Any]) -> dict[str, Any]:
        asked = {"first": variables["first"], "after": variables.get(f"after{index}")}
        asked["createdSince"] = variables.get(f"since{index}")
        page = json.loads(_connection(self.rows)(Request("", asked)).body)["data"]["groupeInstructeur"]["dossiers"]
        edges = [
            {
                "cursor": self.rows[node["number"]].cursor,
                "node": {"number": node["number"], "date": node["dateDepot"]},
            }
            for node in page["nodes"]
        ]
        return {"pageInfo": {"hasNextPage": page["pageInfo"]["hasNextPage"]}, "edges": edges}


class _Keyset(Connection):
    """Connection whose cursors are positions, valid even after their row has moved."""

    @staticmethod
    def _position(rows: list[Stored], cursor: str | None, default: int) -> int:
        if not cursor:
            return default
        at = [i for i, row in enumerate(rows) if _key(row.cursor) <= _key(cursor)]
        return at[-1] if at else -1


def _connection(rows: dict[int, Stored]) -> _Keyset:
    return _Keyset(list(rows.values()))


def _key(cursor: str) -> tuple[str, int]:
    stamp, number = base64.urlsafe_b64decode(cursor + "==").decode().split(";")
    return stamp, int(number)


def _timeout() -> Response:
    return response({"data": None, "errors": [{"message": "Timeout on Query.x", "extensions": {"code": "timeout"}}]})


def _internal_error() -> Response:
    extensions = {"code": "internal_server_error", "exception_id": "e-1"}
    return response(
        {"errors": [{"message": "Internal Server Error", "extensions": extensions}], "data": None}, status=500
    )


def spread(count: int, start: datetime, seconds: float) -> list[Stored]:
    """Return dossiers at even distances."""
    return [Stored(n + 1, start + timedelta(seconds=n * seconds)) for n in range(count)]
