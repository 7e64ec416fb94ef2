"""Drives a flow without a network: answers come from a function, pauses are noted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ds_provider.api.messages import Exchange, Reply, Request
from ds_provider.api.retries import Send, Sleep


def reply(data: Any = None, *, status: int = 200, body: bytes | None = None, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, names, json.dumps(data).encode() if body is None else body)


class Drive:
    """What a flow gave, asked and waited for."""

    def __init__(self, flow: Any, answer: Callable[[Request], Exchange]) -> None:
        self.given: list[Any] = []
        self.requests: list[Request] = []
        self.pauses: list[Sleep] = []
        self.error: Exception | None = None
        try:
            self._run(flow, answer)
        except Exception as error:
            self.error = error

    def _run(self, flow: Any, answer: Callable[[Request], Exchange]) -> None:
        exchange: Exchange | None = None
        while True:
            try:
                step = flow.send(exchange)
            except StopIteration:
                return
            exchange = None
            if isinstance(step, Send):
                self.requests.append(step.request)
                exchange = answer(step.request)
            elif isinstance(step, Sleep):
                self.pauses.append(step)
            else:
                self.given.append(step)
