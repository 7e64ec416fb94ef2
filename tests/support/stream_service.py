"""Service that shows the newest rows of many streams in one request, and reads that request as a server does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Stream
from ds_provider.api.transport.messages import Exchange, Request
from tests.support.batched_groups import Part, respond_batched
from tests.support.connection_model import FIELDS, Stored
from tests.support.group import _Keyset

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)
PENDING, DELETED = PENDING_DELETED_DOSSIERS, DELETED_DOSSIERS

Failure = Callable[[Request], Exchange | None]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def row(number: int, seconds: float) -> Stored:
    return Stored(number, at(seconds))


@dataclass
class StreamService:
    """Shows rows by group and stream, or fails as chosen.

    :ivar fails: the response for a group, as if it was asked for alone.
    :ivar failure: called first, for the request as a whole.
    """

    rows: dict[tuple[int, str], list[Stored]] = field(default_factory=dict)
    fails: dict[int, Exchange] = field(default_factory=dict)
    failure: Failure = lambda request: None
    requests: list[Request] = field(default_factory=list)

    def holds(self, groupe: int, *rows: Stored, stream: Stream = DOSSIERS) -> None:
        self.rows.setdefault((groupe, stream.connection), []).extend(rows)

    def __call__(self, request: Request) -> Exchange:
        self.requests.append(request)
        if failure := self.failure(request):
            return failure
        return respond_batched(request, lambda part: self.fails.get(part.groupe) or self._page(part))

    def _page(self, part: Part) -> Exchange:
        shown = self.rows.get((part.groupe, part.connection), [])
        return _Keyset(shown, part.connection)(part.request)


def node(number: int, date: datetime) -> dict[str, Any]:
    return {"number": number, **dict.fromkeys(FIELDS.values(), date.isoformat())}
