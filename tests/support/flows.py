"""Drives flows and schedules without a network: answers come from a function, pauses are noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ds_provider.api.transport.messages import Exchange, Request, Response
from ds_provider.api.transport.retry import Join, Joined, Send, Sleep, Spawn


def reply(data: Any = None, *, status: int = 200, body: bytes | None = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, names, json.dumps(data).encode() if body is None else body)


Pick = Callable[[int], int]


def first(count: int) -> int:
    return 0


def drive(
    schedule: Any, answer: Callable[[Request], Exchange], pauses: list[Sleep], pick: Pick = first
) -> Iterator[Any]:
    """What a flow or a schedule gives, one by one.

    :param pick: which of the flows in flight gets its next answer, by their count.
    """
    beside: list[_Beside] = []
    sent: Any = None
    while True:
        try:
            step = schedule.send(sent)
        except StopIteration:
            return
        sent = None
        if isinstance(step, Send):
            sent = answer(step.request)
        elif isinstance(step, Sleep):
            pauses.append(step)
        elif isinstance(step, Spawn):
            beside.append(_Beside(step, answer, pauses))
        elif isinstance(step, Join):
            sent = _next_outcome(beside, pick)
        else:
            yield step


class _Beside:
    """A started flow, which moves by one exchange at a time."""

    def __init__(self, start: Spawn, answer: Callable[[Request], Exchange], pauses: list[Sleep]) -> None:
        self.start = start
        self.given: list[Any] = []
        self._answer = answer
        self._pauses = pauses
        self._sent: Any = None

    def move(self) -> Joined | None:
        try:
            while True:
                step = self.start.flow.send(self._sent)
                self._sent = None
                if isinstance(step, Send):
                    self._sent = self._answer(step.request)
                    return None
                if isinstance(step, Sleep):
                    self._pauses.append(step)
                else:
                    self.given.append(step)
        except StopIteration:
            return Joined(self.start, self.given)
        except Exception as error:
            return Joined(self.start, self.given, error)


def _next_outcome(beside: list[_Beside], pick: Pick) -> Joined:
    while True:
        moved = beside[pick(len(beside))]
        if outcome := moved.move():
            beside.remove(moved)
            return outcome


class Drive:
    """What a flow gave, asked and waited for."""

    def __init__(self, flow: Any, answer: Callable[[Request], Exchange], pick: Pick = first) -> None:
        self.given: list[Any] = []
        self.requests: list[Request] = []
        self.pauses: list[Sleep] = []
        self.error: Exception | None = None
        self._service = answer
        try:
            self.given.extend(drive(flow, self._answer, self.pauses, pick))
        except Exception as error:
            self.error = error

    def _answer(self, request: Request) -> Exchange:
        self.requests.append(request)
        return self._service(request)
