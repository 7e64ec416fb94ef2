"""All that a running sandbox consists of."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ds_provider.sandbox.http.api import Api
from ds_provider.sandbox.http.auth import Tokens
from ds_provider.sandbox.http.faults import Faults
from ds_provider.sandbox.http.limits import RateLimit
from ds_provider.sandbox.world.clock import Clock
from ds_provider.sandbox.world.world import World

REMEMBERED = 10_000


@dataclass(frozen=True)
class Served:
    """A GraphQL request that was answered.

    :ivar operation: the name of the operation; None if it has none or was not read
    :ivar status: the HTTP status; that of the whole answer, where a fault cut it
    :ivar faults: the names of the faults that struck it
    """

    operation: str | None
    variables: dict[str, Any]
    status: int
    faults: tuple[str, ...] = ()


@dataclass
class State:
    """:ivar requests: the last requests, the oldest first"""

    world: World
    clock: Clock
    tokens: Tokens
    api: Api
    faults: Faults
    rate_limit: RateLimit
    requests: deque[Served] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    served: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request: Served) -> None:
        with self._lock:
            self.requests.append(request)
            self.served += 1
            self.refused += request.status >= 400

    @classmethod
    def found(cls, seed: int, groupes: int, dossiers: int, clock: Clock, rate_limit: int) -> State:
        """Let a new world begin."""
        world = World(seed, groupes, dossiers, clock.now_micros)
        tokens = Tokens(seed, world.origin)
        return cls(world, clock, tokens, Api(world, clock), Faults(seed), RateLimit(rate_limit))
