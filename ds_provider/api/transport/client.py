"""Clients: a blocking and an asynchronous driver of the same flows. Only this module has anything twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, aclosing, closing
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeGuard, TypeVar, cast

import httpx

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.transport.clock import ServiceClock
from ds_provider.api.transport.encodings import decompress
from ds_provider.api.transport.environment import http_options
from ds_provider.api.transport.failures import failure_of
from ds_provider.api.transport.flows import ConcurrentFlow, Join, Joined, Send, Sleep, Spawn
from ds_provider.api.transport.messages import Exchange, Request, Response, TransportFailure
from ds_provider.api.transport.responses import seconds_to_reset
from ds_provider.api.transport.usage import Usage
from ds_provider.exceptions import DSError

T = TypeVar("T")
H = TypeVar("H", httpx.Client, httpx.AsyncClient)

log = logging.getLogger(__name__)

# the service itself gives up a slow SQL statement after 60 s: less than that here would cut responses that were coming
READ_TIMEOUT_SECONDS = 90.0
CONNECT_TIMEOUT_SECONDS = 15.0


class _Client(Generic[H]):
    """Settings of both clients, and what httpx's responses and errors stand for.

    :ivar usage: what was asked of the service so far.
    :ivar clock: the service's time, by the answers so far.
    :param url: the whole URL of the GraphQL endpoint.
    :param token: the API token, sent in a header and kept nowhere else.
    :param user_agent: how the client names itself to the service.
    :param read_timeout: seconds to wait for a response.
    :param connection: the id of the Airflow connection, for errors.
    :param budget: each request is taken from it before it is sent; closed with the client. No limit without it.
    :param clock: what earlier clients learnt of the service's time.
    :param transport: an httpx transport in place of the network and of what the environment says of it, for tests.
    :raises DSConfigurationError: if the environment names a proxy or certificates that cannot work.
    """

    _http_client: type[H]

    def __init__(
        self,
        url: str,
        token: str,
        *,
        user_agent: str,
        read_timeout: float = READ_TIMEOUT_SECONDS,
        connection: str | None = None,
        budget: Budget | None = None,
        clock: ServiceClock | None = None,
        transport: Any = None,
    ) -> None:
        self.usage = Usage()
        self.clock = clock or ServiceClock()
        self._connection = connection
        self._url = httpx.URL(url)
        self._budget = budget
        self._count_lock = Lock()
        self._http: H = self._http_client(
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                # French, since the API localises the dates in ``stringValue``
                "Accept-Language": "fr",
                "User-Agent": user_agent,
            },
            timeout=httpx.Timeout(read_timeout, connect=CONNECT_TIMEOUT_SECONDS),
            follow_redirects=False,
            **({"transport": transport} if transport else http_options(url)),
        )

    def _response(self, response: httpx.Response, body: bytes) -> Exchange:
        """Return the response without the token, which the service or a proxy may repeat: messages go into logs.

        :param body: as it was sent, compressed or not.
        """
        try:
            body = decompress(body, response.headers.get("Content-Encoding", ""))
        except ValueError as error:
            return self._failure(str(error))
        token = response.request.headers["Authorization"].removeprefix("Bearer ").encode()
        return Response(response.status_code, dict(response.headers), body.replace(token, b"***"))

    def _count(self, waited: float) -> None:
        with self._count_lock:
            self.usage.requests += 1
            self.usage.budget_wait += waited

    def _is_refused(self, received: Exchange) -> TypeGuard[Response]:
        is_refused = isinstance(received, Response) and received.status == 429
        with self._count_lock:
            self.usage.refusals += is_refused
        return is_refused

    def _failure(self, why: str) -> TransportFailure:
        return TransportFailure(f"no whole response from {self._url.netloc.decode()}, {why}", sent=True)


def _log_pause(pause: Sleep) -> None:
    log.warning("%s; trying again in %.1f s", pause.because, pause.seconds)


class DSClient(_Client[httpx.Client]):
    """Drives flows over blocking HTTP connections."""

    _http_client = httpx.Client

    def __enter__(self) -> DSClient:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()
        if self._budget:
            self._budget.close()

    def iterate(self, flow: ConcurrentFlow[T]) -> Generator[T, None, None]:
        """Yield the results of a flow, one by one."""
        stopped = Event()
        try:
            yield from self._drive(flow, stopped)
        finally:
            stopped.set()

    def _drive(self, flow: ConcurrentFlow[T], stopped: Event) -> Generator[T, None, None]:
        ended: SimpleQueue[Joined] = SimpleQueue()
        sent_back: Exchange | Joined | None = None
        with closing(flow):
            while not stopped.is_set():
                try:
                    step = flow.send(sent_back)
                except StopIteration:
                    return
                except DSError as error:
                    error.add_context(connection=self._connection)
                    raise
                sent_back = None
                if isinstance(step, Send):
                    sent_back = self._exchange(step.request)
                elif isinstance(step, Sleep):
                    _log_pause(step)
                    time.sleep(step.seconds)
                elif isinstance(step, Spawn):
                    # a daemon: a task that is stopped does not wait for a response that it no longer needs
                    Thread(target=self._drive_spawned, args=(step, stopped, ended), daemon=True).start()
                elif isinstance(step, Join):
                    sent_back = ended.get()
                else:
                    yield step

    def _drive_spawned(self, spawn: Spawn, stopped: Event, ended: SimpleQueue[Joined]) -> None:
        joined = Joined(spawn)
        try:
            # what came before an error counts
            joined.results.extend(self._drive(spawn.flow, stopped))
        except BaseException as error:  # noqa: BLE001 - handed to the flow that joins
            joined.error = error
        ended.put(joined)

    def result(self, flow: ConcurrentFlow[T]) -> T:
        """Return the first result of a flow."""
        with closing(self.iterate(flow)) as results:
            return next(results)

    def _exchange(self, request: Request) -> Exchange:
        waited = self._budget.spend() if self._budget else 0.0
        self._count(waited)
        sent = self.clock.read()
        try:
            with self._http.stream("POST", self._url, content=request.body) as response:
                self.clock.observe(response.status_code, response.headers, sent)
                received = self._response(response, b"".join(cast("httpx.SyncByteStream", response.stream)))
        except httpx.TransportError as error:
            return failure_of(error, self._url)
        if self._is_refused(received) and self._budget:
            self._budget.record_refusal(seconds_to_reset(received))
        return received


class AsyncDSClient(_Client[httpx.AsyncClient]):
    """Drives the same flows on an event loop."""

    _http_client = httpx.AsyncClient

    async def __aenter__(self) -> AsyncDSClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()
        if self._budget:
            await asyncio.to_thread(self._budget.close)

    async def iterate(self, flow: ConcurrentFlow[T]) -> AsyncGenerator[T, None]:
        """Yield the results of a flow, one by one."""
        ended: asyncio.Queue[Joined] = asyncio.Queue()
        sent_back: Exchange | Joined | None = None
        with closing(flow), ExitStack() as spawned:
            while True:
                try:
                    step = flow.send(sent_back)
                except StopIteration:
                    return
                except DSError as error:
                    error.add_context(connection=self._connection)
                    raise
                sent_back = None
                if isinstance(step, Send):
                    sent_back = await self._exchange(step.request)
                elif isinstance(step, Sleep):
                    _log_pause(step)
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Spawn):
                    # cancelled when the flow ends; nothing happens to one that has ended by then
                    spawned.callback(asyncio.create_task(self._drive_spawned(step, ended)).cancel)
                elif isinstance(step, Join):
                    sent_back = await ended.get()
                else:
                    yield step

    async def _drive_spawned(self, spawn: Spawn, ended: asyncio.Queue[Joined]) -> None:
        joined = Joined(spawn)
        try:
            async for result in self.iterate(spawn.flow):
                joined.results.append(result)
        except Exception as error:  # noqa: BLE001 - handed to the flow that joins
            joined.error = error
        ended.put_nowait(joined)

    async def result(self, flow: ConcurrentFlow[T]) -> T:
        """Return the first result of a flow."""
        async with aclosing(self.iterate(flow)) as results:
            return await anext(results)

    async def _exchange(self, request: Request) -> Exchange:
        waited = await self._budget.aspend() if self._budget else 0.0
        self._count(waited)
        sent = self.clock.read()
        try:
            async with self._http.stream("POST", self._url, content=request.body) as response:
                self.clock.observe(response.status_code, response.headers, sent)
                chunks = [chunk async for chunk in cast("httpx.AsyncByteStream", response.stream)]
                received = self._response(response, b"".join(chunks))
        except httpx.TransportError as error:
            return failure_of(error, self._url)
        if self._is_refused(received) and self._budget:
            await asyncio.to_thread(self._budget.record_refusal, seconds_to_reset(received))
        return received
