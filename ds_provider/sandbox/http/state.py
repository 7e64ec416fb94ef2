"""The parts of a running sandbox."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ds_provider.sandbox.http.api import Api
from ds_provider.sandbox.http.auth import Tokens
from ds_provider.sandbox.http.faults import Faults
from ds_provider.sandbox.http.limits import RateLimit
from ds_provider.sandbox.options import SEPTEMBER
from ds_provider.sandbox.world.clock import Clock
from ds_provider.sandbox.world.world import World

MAX_REQUESTS_KEPT = 10_000


@dataclass(frozen=True)
class ServedRequest:
    """A GraphQL request that was answered.

    :ivar operation: name of the operation; None if it has none or could not be parsed
    :ivar status: HTTP status; where a fault cut the answer, that of the whole answer
    :ivar faults: names of the faults that hit the request
    """

    operation: str | None
    variables: dict[str, Any]
    status: int
    faults: tuple[str, ...] = ()


@dataclass
class State:
    """The world, its clock and endpoint, and the requests served so far.

    :ivar server: age of the server that it answers as, such as ``2026-01``
    :ivar requests: the last requests, oldest first
    :ivar served: number of all requests
    :ivar refused: number of requests that were answered with HTTP 400 or above
    """

    world: World
    clock: Clock
    tokens: Tokens
    api: Api
    faults: Faults
    rate_limit: RateLimit
    server: str
    requests: deque[ServedRequest] = field(default_factory=lambda: deque(maxlen=MAX_REQUESTS_KEPT))
    served: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def create(
        cls, seed: int, groupes: int, dossiers: int, clock: Clock, rate_limit: int, server: str = SEPTEMBER
    ) -> State:
        """Create a sandbox with a new world."""
        world = World(seed, groupes, dossiers, clock.now_micros)
        tokens = Tokens(seed, world.origin)
        return cls(world, clock, tokens, Api(world, clock), Faults(seed), RateLimit(rate_limit), server)

    def record(self, request: ServedRequest) -> None:
        """Keep a request and count it."""
        with self._lock:
            self.requests.append(request)
            self.served += 1
            self.refused += request.status >= 400
