"""Faults that can be switched on in the sandbox, by name.

================== ======================================================================================
timeout_partial    200; from some field on, "Timeout on …" and null: null rows, or rows with null fields
timeout_null_root  200; the time runs out before the first row: `data` is null
null_node          200; one row of the page is null, with an `invalid_null` error
server_error       500, JSON with an `exception_id`
bad_gateway        502, HTML
unavailable        503, HTML
gateway_timeout    504, HTML
maintenance        503, JSON with the single key `error`
rate_limited       429, plain text; a client may try again after one or two seconds
cut_body           200; the body ends in its middle and the connection is closed
dropped            the connection is closed without an answer
not_json           200, HTML
empty_body         200, nothing
complexity         a query for more than `page_size` rows is refused as too complex
poison             500 for each answer that holds the demandeur of one of the dossiers in `numbers`
slow               `seconds` later, plus `seconds_per_row` for each row
================== ======================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from ds_provider.sandbox.world.ids import seeded_rng

NAMES = (
    "timeout_partial", "timeout_null_root", "null_node", "server_error", "bad_gateway", "unavailable",
    "gateway_timeout", "maintenance", "rate_limited", "cut_body", "dropped", "not_json", "empty_body",
    "complexity", "poison", "slow",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A fault, and which requests it hits.

    :param probability: probability that it hits a request, from 0 to 1
    :param first: first request that it may hit, counted from 1 since the faults were set
    :param times: number of requests that it hits at most; None for no limit
    :param page_size: `complexity`: largest page that is not refused
    :param numbers: `poison`: numbers of the dossiers
    :param seconds: `slow`: seconds added to each answer
    :param seconds_per_row: `slow`: seconds added for each row of the answer
    """

    probability: float = 1.0
    first: int = 1
    times: int | None = None
    page_size: int = 50
    numbers: frozenset[int] = frozenset()
    seconds: float = 0.0
    seconds_per_row: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability lies between 0 and 1, {self.probability} does not")


def read_fault(value: Any) -> Fault:
    """Read a fault from JSON: a probability, or an object with the parameters of :class:`Fault` (`from` is `first`).

    :raises ValueError: if it is neither
    """
    if isinstance(value, Fault):
        return value
    if isinstance(value, int | float):
        return Fault(probability=float(value))
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is neither a probability nor an object")
    options = {("first" if name == "from" else name): option for name, option in value.items()}
    if "numbers" in options:
        options["numbers"] = frozenset(options["numbers"])
    try:
        return Fault(**options)
    except TypeError as problem:
        raise ValueError(str(problem)) from problem


class Faults:
    """The faults in force. Which request a fault hits depends only on the seed and the order of requests."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.set({})

    def set(self, faults: Mapping[str, Fault | float | Mapping[str, Any]]) -> None:
        """Replace all faults, and count requests from one again.

        :raises ValueError: if a name or a parameter does not exist
        """
        if unknown := sorted(set(faults) - set(NAMES)):
            raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        parsed = {name: read_fault(value) for name, value in faults.items()}
        with self._lock:
            self._faults, self._requests, self._hits = parsed, 0, dict.fromkeys(parsed, 0)

    def clear(self) -> None:
        """Remove all faults."""
        self.set({})

    @property
    def current(self) -> dict[str, Fault]:
        """The faults in force, by name."""
        return dict(self._faults)

    def draw(self) -> RequestFaults:
        """Draw the faults that hit the next request."""
        with self._lock:
            self._requests += 1
            drawn = {name: fault for name, fault in self._faults.items() if self._hit(name, fault)}
            return RequestFaults(drawn, seeded_rng(self._seed, "strike", self._requests))

    def _hit(self, name: str, fault: Fault) -> bool:
        """Draw whether a fault hits the current request, and count the hit."""
        drawn = seeded_rng(self._seed, "fault", name, self._requests).random()
        exhausted = fault.times is not None and self._hits[name] >= fault.times
        hits = self._requests >= fault.first and not exhausted and drawn < fault.probability
        self._hits[name] += hits
        return hits


@dataclass(frozen=True)
class RequestFaults:
    """The faults that hit one request; `rng` draws their details."""

    by_name: dict[str, Fault]
    rng: Random

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    @property
    def poisoned(self) -> frozenset[int]:
        """Numbers of the dossiers on which the server crashes."""
        return self.by_name["poison"].numbers if "poison" in self else frozenset()

    def names(self) -> tuple[str, ...]:
        """Return the faults' names, sorted."""
        return tuple(sorted(self.by_name))
