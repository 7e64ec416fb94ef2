"""The two drivers of the one engine: all that is said twice, once with ``await``, is in here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar, cast

import httpx
from isal import isal_zlib

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.transport.messages import Exchange, Request, Response, TransportFailure
from ds_provider.api.transport.responses import seconds_to_reset
from ds_provider.api.transport.retry import ConcurrentFlow, Join, Joined, Send, Sleep, Spawn

T = TypeVar("T")

log = logging.getLogger(__name__)

# the service itself gives up a slow SQL statement after 60 s: less than that here would cut answers that were coming
READ_TIMEOUT_SECONDS = 90.0
CONNECT_TIMEOUT_SECONDS = 15.0

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_GZIP = 16 + isal_zlib.MAX_WBITS


def _settings(token: str, user_agent: str, read_timeout: float) -> dict[str, Any]:
    """What both httpx clients are made with. French, since the API localises the dates in ``stringValue``."""
    return {
        "headers": {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Accept-Language": "fr",
            "User-Agent": user_agent,
        },
        "timeout": httpx.Timeout(read_timeout, connect=CONNECT_TIMEOUT_SECONDS),
        "follow_redirects": False,
    }


def _reply(response: httpx.Response, body: bytes) -> Exchange:
    """The answer, without the token where the service or a proxy repeats it: messages go into logs.

    :param body: as it was sent, compressed or not: httpx would take twice as long over it.
    """
    if response.headers.get("Content-Encoding", "identity").lower() == "gzip":
        try:
            body = _inflated(body)
        except EOFError:
            return TransportFailure(f"no whole answer from {_netloc(response)}, it is cut", sent=True)
        except Exception as error:  # noqa: BLE001 - isal's own errors have no type that can be named
            return TransportFailure(
                f"no whole answer from {_netloc(response)}, its compression is damaged: {error}", sent=True
            )
    token = response.request.headers["Authorization"].removeprefix("Bearer ").encode()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, headers, body.replace(token, b"***"))


def _inflated(body: bytes) -> bytes:
    inflate = isal_zlib.decompressobj(_GZIP)
    inflated: bytes = inflate.decompress(body)
    if not inflate.eof:
        raise EOFError
    return inflated


def _netloc(response: httpx.Response) -> str:
    return response.request.url.netloc.decode()


def _no_reply(error: httpx.TransportError, url: str) -> TransportFailure:
    reason = f"no whole answer from {httpx.URL(url).netloc.decode()}, {type(error).__name__}"
    if isinstance(error, _NOT_SENT):
        # the text of other errors may quote what was sent, the token included
        return TransportFailure(
            f"{reason} {error}: check the host of the connection, the proxy and the firewall", sent=False
        )
    return TransportFailure(reason, sent=True)


@contextmanager
def _cancelling(tasks: set[asyncio.Task[None]]) -> Iterator[None]:
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


def _announce(step: Sleep) -> None:
    log.warning("%s; trying again in %.1f s", step.because, step.seconds)


class DSClient:
    """Drives flows over a blocking HTTP connection.

    :param url: the whole URL of the GraphQL endpoint.
    :param token: the API token, sent in a header and kept nowhere else.
    :param user_agent: how the client names itself to the service.
    :param read_timeout: seconds to wait for an answer.
    :param budget: what each request is taken from before it goes out, closed with the client; without it there is no
        limit.
    :param transport: an httpx transport in place of the network, for tests.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        user_agent: str,
        read_timeout: float = READ_TIMEOUT_SECONDS,
        budget: Budget | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url
        self._budget = budget
        self._http = httpx.Client(transport=transport, **_settings(token, user_agent, read_timeout))

    def __enter__(self) -> DSClient:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()
        if self._budget:
            self._budget.close()

    def iterate(self, schedule: ConcurrentFlow[T]) -> Generator[T, None, None]:
        """What the flow or schedule has to give, one by one."""
        stopped = Event()
        try:
            yield from self._drive(schedule, stopped)
        finally:
            stopped.set()

    def _drive(self, schedule: ConcurrentFlow[T], stopped: Event) -> Generator[T, None, None]:
        ended: SimpleQueue[Joined] = SimpleQueue()
        answer: Exchange | Joined | None = None
        with closing(schedule):
            while not stopped.is_set():
                try:
                    step = schedule.send(answer)
                except StopIteration:
                    return
                answer = None
                if isinstance(step, Send):
                    answer = self._exchange(step.request)
                elif isinstance(step, Sleep):
                    _announce(step)
                    time.sleep(step.seconds)
                elif isinstance(step, Spawn):
                    # a daemon: a task that is told to stop does not wait for an answer of which it has no more use
                    Thread(target=self._drive_beside, args=(step, stopped, ended), daemon=True).start()
                elif isinstance(step, Join):
                    answer = ended.get()
                else:
                    yield step

    def _drive_beside(self, start: Spawn, stopped: Event, ended: SimpleQueue[Joined]) -> None:
        given: list[Any] = []
        error: BaseException | None = None
        try:
            for result in self._drive(start.flow, stopped):
                given.append(result)  # noqa: PERF402 - what came before an error counts
        except BaseException as caught:  # noqa: BLE001 - handed to the one who waits
            error = caught
        ended.put(Joined(start, given, error))

    def result(self, flow: ConcurrentFlow[T]) -> T:
        """The one thing that the flow has to give."""
        with closing(self.iterate(flow)) as given:
            return next(given)

    def _exchange(self, request: Request) -> Exchange:
        if self._budget:
            self._budget.spend()
        try:
            with self._http.stream("POST", self._url, content=request.body) as response:
                reply = _reply(response, b"".join(cast("httpx.SyncByteStream", response.stream)))
        except httpx.TransportError as error:
            return _no_reply(error, self._url)
        if self._budget and isinstance(reply, Response) and reply.status == 429:
            self._budget.refused(seconds_to_reset(reply))
        return reply


class AsyncDSClient:
    """Drives the same flows on an event loop. Takes what :class:`DSClient` takes."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        user_agent: str,
        read_timeout: float = READ_TIMEOUT_SECONDS,
        budget: Budget | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._budget = budget
        self._http = httpx.AsyncClient(transport=transport, **_settings(token, user_agent, read_timeout))

    async def __aenter__(self) -> AsyncDSClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()
        if self._budget:
            await asyncio.to_thread(self._budget.close)

    async def iterate(self, schedule: ConcurrentFlow[T]) -> AsyncGenerator[T, None]:
        """What the flow or schedule has to give, one by one."""
        ended: asyncio.Queue[Joined] = asyncio.Queue()
        beside: set[asyncio.Task[None]] = set()
        answer: Exchange | Joined | None = None
        with closing(schedule), _cancelling(beside):
            while True:
                try:
                    step = schedule.send(answer)
                except StopIteration:
                    return
                answer = None
                if isinstance(step, Send):
                    answer = await self._exchange(step.request)
                elif isinstance(step, Sleep):
                    _announce(step)
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Spawn):
                    task = asyncio.create_task(self._drive_beside(step, ended))
                    beside.add(task)
                    task.add_done_callback(beside.discard)
                elif isinstance(step, Join):
                    answer = await ended.get()
                else:
                    yield step

    async def _drive_beside(self, start: Spawn, ended: asyncio.Queue[Joined]) -> None:
        given: list[Any] = []
        error: Exception | None = None
        try:
            async for result in self.iterate(start.flow):
                given.append(result)  # noqa: PERF401 - what came before an error counts
        except Exception as caught:  # noqa: BLE001 - handed to the one who waits
            error = caught
        ended.put_nowait(Joined(start, given, error))

    async def result(self, flow: ConcurrentFlow[T]) -> T:
        """The one thing that the flow has to give."""
        async with aclosing(self.iterate(flow)) as given:
            return await anext(given)

    async def _exchange(self, request: Request) -> Exchange:
        if self._budget:
            await self._budget.aspend()
        try:
            async with self._http.stream("POST", self._url, content=request.body) as response:
                chunks = [chunk async for chunk in cast("httpx.AsyncByteStream", response.stream)]
                reply = _reply(response, b"".join(chunks))
        except httpx.TransportError as error:
            return _no_reply(error, self._url)
        if self._budget and isinstance(reply, Response) and reply.status == 429:
            await asyncio.to_thread(self._budget.refused, seconds_to_reset(reply))
        return reply
