"""Service under a stand-in for the hook's class, for tasks and for triggers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ds_provider.api.transport.flows import Sleep
from tests.support.flows import drive
from tests.support.stream_service import StreamService


@dataclass
class Service(StreamService):
    """Shows rows, and counts the clients.

    :ivar open_clients: how many are open now.
    :ivar conn_ids: of the connections that were asked for.
    """

    pauses: list[Sleep] = field(default_factory=list)
    conn_ids: list[str] = field(default_factory=list)
    open_clients: int = 0

    def hook(self, ds_conn_id: str = "ds_default") -> Any:
        return _Hook(self, ds_conn_id)

    def result(self, flow: Any) -> Any:
        return next(drive(flow, self, self.pauses))


@dataclass
class _Hook:
    service: Service
    ds_conn_id: str

    @contextmanager
    def client(self) -> Iterator[Service]:
        with self._open() as service:
            yield service

    @asynccontextmanager
    async def async_client(self) -> AsyncIterator[_AsyncClient]:
        with self._open() as service:
            yield _AsyncClient(service)

    @contextmanager
    def _open(self) -> Iterator[Service]:
        self.service.conn_ids.append(self.ds_conn_id)
        self.service.open_clients += 1
        try:
            yield self.service
        finally:
            self.service.open_clients -= 1


@dataclass
class _AsyncClient:
    service: Service

    async def result(self, flow: Any) -> Any:
        await asyncio.sleep(0)
        return self.service.result(flow)
