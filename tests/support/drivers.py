"""Both clients with one interface, and a service with chosen responses."""

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
    """Drives flows with the blocking client."""

    def __init__(self, handler: Handler, **settings: Any) -> None:
        transport = httpx.MockTransport(handler)
        self.client = DSClient(URL, TOKEN, user_agent=AGENT, transport=transport, **settings)

    def result(self, flow: Any) -> Any:
        with self.client as client:
            return client.result(flow)

    def take(self, flow: Any, count: int) -> list[Any]:
        with self.client as client:
            results = client.iterate(flow)
            taken = [next(results) for _ in range(count)]
            results.close()
            return taken

    def all(self, flow: Any) -> list[Any]:
        with self.client as client:
            return list(client.iterate(flow))


class Async:
    """Drives flows with the asynchronous client."""

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
                results = client.iterate(flow)
                taken = [await anext(results) for _ in range(count)]
                await results.aclose()
                return taken

        return asyncio.run(run())

    def all(self, flow: Any) -> list[Any]:
        async def run() -> list[Any]:
            async with self.client as client:
                return [result async for result in client.iterate(flow)]

        return asyncio.run(run())


def respond_with(*args: Any, **kwargs: Any) -> Callable[[], httpx.Response]:
    """Return a factory of responses, since httpx uses up each of them."""
    return lambda: httpx.Response(*args, **kwargs)


class Service:
    """Gives its responses in turn, the last one for ever."""

    def __init__(self, *responses: Any) -> None:
        self.responses = list(responses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        return response() if callable(response) else httpx.Response(200, json=response)
