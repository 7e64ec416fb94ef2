"""Drives flows without a network: exchanges come from a function, pauses are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ds_provider.api.transport.flows import Join, Joined, Send, Sleep, Spawn
from ds_provider.api.transport.messages import Exchange, Request, Response

Respond = Callable[[Request], Exchange]
Pick = Callable[[int], int]


def response(data: Any = None, *, status: int = 200, body: bytes | None = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, names, json.dumps(data).encode() if body is None else body)


def first(count: int) -> int:
    return 0


def drive(flow: Any, respond: Respond, pauses: list[Sleep], pick: Pick = first) -> Iterator[Any]:
    """Yield the results of a flow, concurrent or not.

    :param pick: which of the spawned flows gets its next exchange, by their count.
    """
    spawned: list[_Spawned] = []
    sent_back: Any = None
    while True:
        try:
            step = flow.send(sent_back)
        except StopIteration:
            return
        sent_back = None
        if isinstance(step, Send):
            sent_back = respond(step.request)
        elif isinstance(step, Sleep):
            pauses.append(step)
        elif isinstance(step, Spawn):
            spawned.append(_Spawned(step, respond, pauses))
        elif isinstance(step, Join):
            sent_back = _next_joined(spawned, pick)
        else:
            yield step


class _Spawned:
    """Spawned flow, which moves by one exchange at a time."""

    def __init__(self, spawn: Spawn, respond: Respond, pauses: list[Sleep]) -> None:
        self.results: list[Any] = []
        self._spawn = spawn
        self._respond = respond
        self._pauses = pauses
        self._sent_back: Any = None

    def move(self) -> Joined | None:
        try:
            while True:
                step = self._spawn.flow.send(self._sent_back)
                self._sent_back = None
                if isinstance(step, Send):
                    self._sent_back = self._respond(step.request)
                    return None
                if isinstance(step, Sleep):
                    self._pauses.append(step)
                else:
                    self.results.append(step)
        except StopIteration:
            return Joined(self._spawn, self.results)
        except Exception as error:
            return Joined(self._spawn, self.results, error)


def _next_joined(spawned: list[_Spawned], pick: Pick) -> Joined:
    while True:
        moved = spawned[pick(len(spawned))]
        if joined := moved.move():
            spawned.remove(moved)
            return joined


class Drive:
    """Drives a flow to its end and keeps its results, requests, pauses and error."""

    def __init__(self, flow: Any, respond: Respond, pick: Pick = first) -> None:
        self.results: list[Any] = []
        self.requests: list[Request] = []
        self.pauses: list[Sleep] = []
        self.error: Exception | None = None
        self._respond = respond
        try:
            self.results.extend(drive(flow, self._exchange, self.pauses, pick))
        except Exception as error:
            self.error = error

    def _exchange(self, request: Request) -> Exchange:
        self.requests.append(request)
        return self._respond(request)
