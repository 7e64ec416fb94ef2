"""The two drivers under one face, and a service that gives chosen answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from ds_provider.api.transport.client import AsyncDSClient, DSClient

URL = "https://demarche.test/api/v2/graphql"
TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="
AGENT = "provider/1.2.3 apache-airflow/3.3.2"

Handler = Callable[[httpx.Request], httpx.Response]


class Sync:
    """Drives flows as a task does."""

    def __init__(self, handler: Handler, **settings: Any) -> None:
        transport = httpx.MockTransport(handler)
        self.client = DSClient(URL, TOKEN, user_agent=AGENT, transport=transport, **settings)

    def result(self, flow: Any) -> Any:
        with self.client as client:
            return client.result(flow)

    def take(self, flow: Any, count: int) -> list[Any]:
        with self.client as client:
            given = client.iterate(flow)
            taken = [next(given) for _ in range(count)]
            given.close()
            return taken

    def all(self, flow: Any) -> list[Any]:
        with self.client as client:
            return list(client.iterate(flow))


class Async:
    """Drives the same flows as a trigger does."""

    def __init__(self, handler: Handler, **settings: Any) -> None:
        transport = httpx.MockTransport(handler)
        self.client = AsyncDSClient(URL, TOKEN, user_agent=AGENT, transport=transport, **settings)

    def result(self, flow: Any) -> Any:
        async def run() -> Any:
            async with self.client as client:
                return await client.result(flow)

        return asyncio.run(run())

    def take(self, flow: Any, count: int) -> list[Any]:
        async def run() -> list[Any]:
            async with self.client as client:
                given = client.iterate(flow)
                taken = [await anext(given) for _ in range(count)]
                await given.aclose()
                return taken

        return asyncio.run(run())

    def all(self, flow: Any) -> list[Any]:
        async def run() -> list[Any]:
            async with self.client as client:
                return [step async for step in client.iterate(flow)]

        return asyncio.run(run())


def says(*args: Any, **kwargs: Any) -> Callable[[], httpx.Response]:
    """An answer, made anew each time that it is given."""
    return lambda: httpx.Response(*args, **kwargs)


class Service:
    """Gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else httpx.Response(200, json=answer)
