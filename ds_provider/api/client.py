"""The two drivers of the one engine: all that is said twice, once with ``await``, is in here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any, TypeVar

import httpx

from ds_provider.api.messages import Exchange, NoReply, Reply, Request
from ds_provider.api.retries import Flow, Send, Sleep

T = TypeVar("T")

log = logging.getLogger(__name__)

# the service itself gives up a slow SQL statement after 60 s: less than that here would cut answers that were coming
READ_TIMEOUT_SECONDS = 90.0
CONNECT_TIMEOUT_SECONDS = 15.0

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_BROKEN = (httpx.TransportError, httpx.DecodingError)


def _settings(token: str, user_agent: str, read_timeout: float) -> dict[str, Any]:
    """What both httpx clients are made with. French, since the API localises the dates in ``stringValue``."""
    return {
        "headers": {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Language": "fr",
            "User-Agent": user_agent,
        },
        "timeout": httpx.Timeout(read_timeout, connect=CONNECT_TIMEOUT_SECONDS),
        "follow_redirects": False,
    }


def _reply(response: httpx.Response) -> Reply:
    """The answer, without the token where the service or a proxy repeats it: messages go into logs."""
    token = response.request.headers["Authorization"].removeprefix("Bearer ").encode()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.content.replace(token, b"***"))


def _no_reply(error: httpx.HTTPError) -> NoReply:
    reason = f"no whole answer from {error.request.url.netloc.decode()}, {type(error).__name__}"
    if isinstance(error, _NOT_SENT):
        # the text of other errors may quote what was sent, the token included
        return NoReply(f"{reason} {error}: check the host of the connection, the proxy and the firewall", sent=False)
    return NoReply(reason, sent=True)


def _announce(step: Sleep) -> None:
    log.warning("%s; trying again in %.1f s", step.because, step.seconds)


class DSClient:
    """Drives flows over a blocking HTTP connection.

    :param url: the whole URL of the GraphQL endpoint.
    :param token: the API token, sent in a header and kept nowhere else.
    :param user_agent: how the client names itself to the service.
    :param read_timeout: seconds to wait for an answer.
    :param transport: an httpx transport in place of the network, for tests.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        user_agent: str,
        read_timeout: float = READ_TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url
        self._http = httpx.Client(transport=transport, **_settings(token, user_agent, read_timeout))

    def __enter__(self) -> DSClient:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def iterate(self, flow: Flow[T]) -> Generator[T, None, None]:
        """What the flow has to give, one by one."""
        exchange: Exchange | None = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(exchange)
                except StopIteration:
                    return
                exchange = None
                if isinstance(step, Send):
                    exchange = self._exchange(step.request)
                elif isinstance(step, Sleep):
                    _announce(step)
                    time.sleep(step.seconds)
                else:
                    yield step

    def result(self, flow: Flow[T]) -> T:
        """The one thing that the flow has to give."""
        with closing(self.iterate(flow)) as given:
            return next(given)

    def _exchange(self, request: Request) -> Exchange:
        try:
            return _reply(self._http.post(self._url, content=request.body))
        except _BROKEN as error:
            return _no_reply(error)


class AsyncDSClient:
    """Drives the same flows on an event loop. Takes what :class:`DSClient` takes."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        user_agent: str,
        read_timeout: float = READ_TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._http = httpx.AsyncClient(transport=transport, **_settings(token, user_agent, read_timeout))

    async def __aenter__(self) -> AsyncDSClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def iterate(self, flow: Flow[T]) -> AsyncGenerator[T, None]:
        """What the flow has to give, one by one."""
        exchange: Exchange | None = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(exchange)
                except StopIteration:
                    return
                exchange = None
                if isinstance(step, Send):
                    exchange = await self._exchange(step.request)
                elif isinstance(step, Sleep):
                    _announce(step)
                    await asyncio.sleep(step.seconds)
                else:
                    yield step

    async def result(self, flow: Flow[T]) -> T:
        """The one thing that the flow has to give."""
        async with aclosing(self.iterate(flow)) as given:
            return await anext(given)

    async def _exchange(self, request: Request) -> Exchange:
        try:
            return _reply(await self._http.post(self._url, content=request.body))
        except _BROKEN as error:
            return _no_reply(error)
