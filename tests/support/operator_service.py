"""A service in memory, and what a hook would give to reach it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

from ds_provider.api.transport.clock import ServiceClock
from ds_provider.api.transport.flows import Sleep
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.usage import Usage
from tests.support.batched_groups import is_batched, respond_batched
from tests.support.connection_model import Connection, Stored
from tests.support.flows import drive, response
from tests.support.group import Group
from tests.support.numbered_dossiers import MISSING, asked_for, is_by_numbers

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)
CONNECTIONS = ("pendingDeletedDossiers", "deletedDossiers", "dossiers")


@dataclass(frozen=True)
class Dossier(Stored):
    """A stored row with more in it than its dates."""

    more: tuple[tuple[str, Any], ...] = ()

    def node(self) -> dict[str, Any]:
        return {**super().node(), **dict(self.more)}


def dossiers(*numbers: int, start: datetime = START, **more: Any) -> list[Stored]:
    """Rows whose date is as many seconds after the start as their number says."""
    return [Dossier(number, start + timedelta(seconds=number), tuple(more.items())) for number in numbers]


@dataclass
class Service:
    """Service of several groups, which remembers the requests.

    :param passed: seconds that have passed for all clocks, beyond the real ones.
    :param worker_ahead: seconds by which the clock of a worker that asks it is ahead.
    """

    rows: dict[tuple[int, str], list[Stored]] = field(default_factory=dict)
    failures: dict[int, Callable[[Request], Exchange | None]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    pauses: list[Sleep] = field(default_factory=list)
    conn_ids: list[str] = field(default_factory=list)
    open_clients: int = 0
    passed: float = 0.0
    worker_ahead: float = 0.0

    @property
    def now(self) -> float:
        """Time by the service's clock, in seconds since the epoch."""
        return time.time() + self.passed

    def holds(self, groupe: int, *rows: Stored, connection: str = "dossiers") -> None:
        self.rows[groupe, connection] = list(rows)

    def fails(self, groupe: int, answer: Callable[[Request], Exchange | None]) -> None:
        """Let a group answer otherwise, wherever the function gives an answer."""
        self.failures[groupe] = answer

    def answer(self, request: Request) -> Exchange:
        self.requests.append(request)
        if is_by_numbers(request):
            return self.by_numbers(request)
        if "query getTypename" in request.query:
            return response({"data": {"__typename": "Query"}})
        if is_batched(request):
            return respond_batched(request, lambda part: self.alone(part.request))
        return self.alone(request)

    def alone(self, request: Request) -> Exchange:
        """Return the response of one group."""
        groupe = json.loads(request.body)["variables"]["number"]
        if failure := self.failures[groupe](request) if groupe in self.failures else None:
            return failure
        if "query probeDossiers" in request.query:
            return Group(self.rows.get((groupe, "dossiers"), []))(request)
        if "query getDossier(" in request.query:
            return unauthorized("not_found", "Dossier not found")
        connection = connection_of(request)
        return Connection(self.rows.get((groupe, connection), []), connection)(request)

    def by_numbers(self, request: Request) -> Exchange:
        """Return the response for several dossiers: each, or the failure of the first that fails."""
        held = {row.number: row for (_, kind), rows in self.rows.items() if kind == "dossiers" for row in rows}
        asked = asked_for(request)
        for alias, number in asked.items():
            if failure := self.failures[number](request) if number in self.failures else None:
                return failure
            if number not in held:
                error = {**MISSING, "path": [alias], "extensions": {"code": "not_found"}}
                return response({"data": None, "errors": [error]})
        return response({"data": {alias: held[number].node() for alias, number in asked.items()}})

    @property
    def variables(self) -> list[dict[str, Any]]:
        return [json.loads(request.body)["variables"] for request in self.requests]

    def hook(self, ds_conn_id: str) -> Any:
        """Return a hook, in place of its class."""
        self.conn_ids.append(ds_conn_id)
        return SimpleNamespace(client=self._client, endpoint="https://service.test/api/v2/graphql")

    @contextmanager
    def _client(self) -> Iterator[ServiceClient]:
        self.open_clients += 1
        try:
            yield ServiceClient(self)
        finally:
            self.open_clients -= 1


class ServiceClient:
    """Client of the service in memory."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._requests_before = len(service.requests)
        self.clock = ServiceClock(lambda: service.now + service.worker_ahead)

    @property
    def usage(self) -> Usage:
        return Usage(len(self._service.requests) - self._requests_before)

    def iterate(self, flow: Any) -> Iterator[Any]:
        return drive(flow, self._answer, self._service.pauses)

    def _answer(self, request: Request) -> Exchange:
        sent = self.clock.read()
        answer = self._service.answer(request)
        self.clock.observe(200, {"date": formatdate(self._service.now, usegmt=True)}, sent)
        return answer

    def result(self, flow: Any) -> Any:
        return next(self.iterate(flow))


def connection_of(request: Request) -> str:
    return next(name for name in CONNECTIONS if f" {name}(" in request.query)


def from_the_second_page(answer: Exchange) -> Callable[[Request], Exchange | None]:
    """A failure that begins once a cursor was followed."""

    def after_the_first(request: Request) -> Exchange | None:
        variables = json.loads(request.body)["variables"]
        return answer if variables.get("after") or variables.get("before") else None

    return after_the_first


def unauthorized(code: str = "unauthorized", message: str = "hidden due to permissions") -> Exchange:
    return response({"data": None, "errors": [{"message": message, "extensions": {"code": code}}]})


class Store:
    """An asset's state store, as a dictionary."""

    def __init__(self, **known: Any) -> None:
        self.known: dict[str, Any] = known
        self.writes: list[tuple[str, Any]] = []

    def get(self, key: str, default: Any = None) -> Any:
        return self.known.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.writes.append((key, value))
        self.known[key] = value

    def delete(self, key: str) -> None:
        self.known.pop(key, None)


class Ti:
    """A task instance that keeps what is pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value
