"""Drives a flow without a network: answers come from a function, pauses are noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ds_provider.api.messages import Exchange, Reply, Request
from ds_provider.api.retries import Send, Sleep


def reply(data: Any = None, *, status: int = 200, body: bytes | None = None, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, names, json.dumps(data).encode() if body is None else body)


def drive(flow: Any, answer: Callable[[Request], Exchange], pauses: list[Sleep]) -> Iterator[Any]:
    """What a flow gives, one by one."""
    exchange: Exchange | None = None
    while True:
        try:
            step = flow.send(exchange)
        except StopIteration:
            return
        exchange = None
        if isinstance(step, Send):
            exchange = answer(step.request)
        elif isinstance(step, Sleep):
            pauses.append(step)
        else:
            yield step


class Drive:
    """What a flow gave, asked and waited for."""

    def __init__(self, flow: Any, answer: Callable[[Request], Exchange]) -> None:
        self.given: list[Any] = []
        self.requests: list[Request] = []
        self.pauses: list[Sleep] = []
        self.error: Exception | None = None
        self._service = answer
        try:
            self.given.extend(drive(flow, self._answer, self.pauses))
        except Exception as error:
            self.error = error

    def _answer(self, request: Request) -> Exchange:
        self.requests.append(request)
        return self._service(request)
