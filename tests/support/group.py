"""A group whose dossiers change while it is read: it answers pages, light rows and surveys by what it holds then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ds_provider.api.transport.messages import Request, Response
from tests.support.connection_model import Connection, Stored
from tests.support.flows import reply


class Group:
    """Dossiers by number, each with the one date by which they are sorted.

    :param change: called after each answer, with the group and the count of answers.
    """

    def __init__(self, rows: list[Stored], change: Callable[[Group, int], None] = lambda group, count: None) -> None:
        self.rows = {row.number: row for row in rows}
        self.poison: set[int] = set()
        self.largest_page = 100
        self.full_requests: list[dict[str, Any]] = []
        self._change = change
        self.answered = 0

    def move(self, number: int, date: datetime) -> None:
        self.rows[number] = Stored(number, date)

    def __call__(self, request: Request) -> Response:
        variables = json.loads(request.body)["variables"]
        answer = self._survey(variables) if "surveyDossiers" in request.query else self._page(request, variables)
        self.answered += 1
        self._change(self, self.answered)
        return answer

    def _page(self, request: Request, variables: dict[str, Any]) -> Response:
        page = _connection(self.rows)(request)
        if "query getDossiers" not in request.query:
            return page
        self.full_requests.append(variables)
        if max(variables.get("first", 0), variables.get("last", 0)) > self.largest_page:
            return _timeout()
        nodes = json.loads(page.body)["data"]["groupeInstructeur"]["dossiers"]["nodes"]
        return _internal_error() if self.poison & {node["number"] for node in nodes} else page

    def _survey(self, variables: dict[str, Any]) -> Response:
        count = max(int(name[5:]) for name in variables if re.fullmatch(r"(since|after)\d+", name)) + 1
        return reply({"data": {"groupeInstructeur": {f"probe{i}": self._probe(i, variables) for i in range(count)}}})

    def _probe(self, index: int, variables: dict[str, Any]) -> dict[str, Any]:
        asked = {"first": variables["first"], "after": variables.get(f"after{index}")}
        asked["createdSince"] = variables.get(f"since{index}")
        page = json.loads(_connection(self.rows)(Request("", asked)).body)["data"]["groupeInstructeur"]["dossiers"]
        edges = [
            {
                "cursor": _cursor(self.rows[node["number"]]),
                "node": {"number": node["number"], "date": node["dateDepot"]},
            }
            for node in page["nodes"]
        ]
        return {"pageInfo": {"hasNextPage": page["pageInfo"]["hasNextPage"]}, "edges": edges}


class _Keyset(Connection):
    """A cursor is a place, whether or not its row is still there."""

    @staticmethod
    def _position(rows: list[Stored], cursor: str | None, default: int) -> int:
        if not cursor:
            return default
        at = [i for i, row in enumerate(rows) if _key(row.cursor) <= _key(cursor)]
        return at[-1] if at else -1


def _connection(rows: dict[int, Stored]) -> _Keyset:
    return _Keyset(list(rows.values()))


def _key(cursor: str) -> tuple[str, int]:
    import base64

    stamp, number = base64.urlsafe_b64decode(cursor + "==").decode().split(";")
    return stamp, int(number)


def _cursor(row: Stored) -> str:
    return row.cursor


def _timeout() -> Response:
    return reply({"data": None, "errors": [{"message": "Timeout on Query.x", "extensions": {"code": "timeout"}}]})


def _internal_error() -> Response:
    extensions = {"code": "internal_server_error", "exception_id": "e-1"}
    return reply({"errors": [{"message": "Internal Server Error", "extensions": extensions}], "data": None}, status=500)


def spread(count: int, start: datetime, seconds: float) -> list[Stored]:
    """So many dossiers, evenly apart."""
    return [Stored(n + 1, start + timedelta(seconds=n * seconds)) for n in range(count)]
