"""Model of a connection of the service: rows with microseconds and numbers, and keyset cursors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ds_provider.api.transport.messages import Request, Response

LABEL = "défaut"
"""As the service calls the first group of a démarche."""
FIELDS = {"created": "dateDepot", "updated": "dateDerniereModification", "deleted": "dateSupression"}


@dataclass(frozen=True)
class Stored:
    number: int
    date: datetime

    @property
    def key(self) -> tuple[datetime, int]:
        return self.date, self.number

    @property
    def cursor(self) -> str:
        stamp = self.date.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
        return base64.urlsafe_b64encode(f"{stamp};{self.number}".encode()).decode().rstrip("=")

    def node(self) -> dict[str, Any]:
        shown = self.date.replace(microsecond=0).isoformat()
        return {"number": self.number, **dict.fromkeys(FIELDS.values(), shown)}


class Connection:
    """Responds to page requests over stored rows as the service does."""

    def __init__(self, rows: list[Stored], connection: str = "dossiers") -> None:
        self.rows = sorted(rows, key=lambda row: row.key)
        self.connection = connection

    def __call__(self, request: Request) -> Response:
        variables = json.loads(request.body)["variables"]
        rows = list(self._since(variables))
        first, last = variables.get("first", 1), variables.get("last")
        if last is not None:
            before = self._position(rows, variables.get("before"), len(rows))
            page, more = rows[max(0, before - last) : before], (before > last, bool(variables.get("before")))
        else:
            after = self._position(rows, variables.get("after"), -1) + 1
            page, more = rows[after : after + first], (bool(variables.get("after")), after + first < len(rows))
        return self.page(page, *more)

    def page(self, rows: list[Stored], has_previous: bool, has_next: bool) -> Response:
        info = {
            "hasPreviousPage": has_previous,
            "hasNextPage": has_next,
            "startCursor": rows[0].cursor if rows else None,
            "endCursor": rows[-1].cursor if rows else None,
        }
        content = {"nodes": [row.node() for row in rows], "pageInfo": info}
        body = {"data": {"groupeInstructeur": {"label": LABEL, self.connection: content}}}
        return Response(200, {"content-type": "application/json"}, json.dumps(body).encode())

    def _since(self, variables: dict[str, Any]) -> Iterator[Stored]:
        bounds = [variables.get(f"{column}Since") for column in FIELDS]
        since = next((datetime.fromisoformat(bound) for bound in bounds if bound), None)
        return (row for row in self.rows if since is None or row.date >= since)

    @staticmethod
    def _position(rows: list[Stored], cursor: str | None, default: int) -> int:
        if not cursor:
            return default
        return next(i for i, row in enumerate(rows) if row.cursor == cursor)
