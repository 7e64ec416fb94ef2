"""Flows: generators that yield what is to be done, driven by a client that does it.

A *flow* yields ``Send``, ``Sleep`` and its results; after each ``Send`` the exchange is sent back to it. A *concurrent
flow* also has other flows driven at the same time (``Spawn``, ``Join``). A *sub-flow* is part of a flow, by
``yield from``, and returns its one result. The clients in :mod:`ds_provider.api.transport.client` drive them, as httpx
drives its ``auth_flow``. Nothing here does any I/O.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSError

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """Request to send. Its exchange is sent back."""

    request: Request


@dataclass(frozen=True)
class Sleep:
    """Pause before the next request, and the error that asks for it."""

    seconds: float
    because: DSError


# the value sent back depends on the yield: an Exchange for a Send, a Joined for a Join, otherwise None
Flow = Generator[Send | Sleep | T, Any, None]
SubFlow = Generator[Send | Sleep, Any, T]


@dataclass(frozen=True, eq=False)
class Spawn:
    """Flow to drive concurrently."""

    flow: Flow[Any]


@dataclass(frozen=True)
class Join:
    """Wait for the next spawned flow to end. Its ``Joined`` is sent back."""


@dataclass
class Joined:
    """End of a spawned flow.

    :param spawn: the flow that ended.
    :param results: all that it yielded.
    :param error: the error that ended it, if any.
    """

    spawn: Spawn
    results: list[Any] = field(default_factory=list)
    error: BaseException | None = None


ConcurrentFlow = Generator[Send | Sleep | Spawn | Join | T, Any, None]
