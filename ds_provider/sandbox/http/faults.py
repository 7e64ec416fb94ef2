"""Faults that the sandbox can be told to have, each by its name.

================== ======================================================================================
timeout_partial    200; from some field on, "Timeout on …" and null: null rows, or rows with null fields
timeout_null_root  200; the time was up before the first row: `data` is null
null_node          200; one row of the page is null, with an `invalid_null` error
server_error       500, JSON with an `exception_id`
bad_gateway        502, HTML
unavailable        503, HTML
gateway_timeout    504, HTML
maintenance        503, JSON with the one key `error`
rate_limited       429, plain text, to try again after one or two seconds
cut_body           200; the body ends in its middle and the connection is closed
dropped            the connection is closed without an answer
not_json           200, HTML
empty_body         200, nothing
complexity         refused as too complex where more than `page_size` rows are asked for
poison             500 for each answer that holds the demandeur of one of the dossiers in `numbers`
slow               `seconds` later, and `seconds_per_row` for each row
================== ======================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from ds_provider.sandbox.world.ids import dice

NAMES = (
    "timeout_partial", "timeout_null_root", "null_node", "server_error", "bad_gateway", "unavailable",
    "gateway_timeout", "maintenance", "rate_limited", "cut_body", "dropped", "not_json", "empty_body",
    "complexity", "poison", "slow",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """When a fault strikes, and how.

    :param probability: of striking a request, from 0 to 1
    :param first: the first request it may strike, counted from 1 since the faults were set
    :param times: how many requests it strikes at most; None for no end
    :param page_size: `complexity`: the largest page that is not refused
    :param numbers: `poison`: the numbers of the dossiers
    :param seconds: `slow`: added to each answer
    :param seconds_per_row: `slow`: added for each row of the answer
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


def read_fault(told: Any) -> Fault:
    """A fault from JSON: a probability, or an object with the parameters of :class:`Fault` (`from` is `first`).

    :raises ValueError: if it is neither
    """
    if isinstance(told, Fault):
        return told
    if isinstance(told, int | float):
        return Fault(probability=float(told))
    if not isinstance(told, Mapping):
        raise ValueError(f"{told!r} is neither a probability nor an object")
    options = {("first" if name == "from" else name): value for name, value in told.items()}
    if "numbers" in options:
        options["numbers"] = frozenset(options["numbers"])
    try:
        return Fault(**options)
    except TypeError as problem:
        raise ValueError(str(problem)) from problem


class Faults:
    """The faults in force. What strikes which request depends on the seed and the order of requests alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.set({})

    def set(self, faults: Mapping[str, Fault | float | Mapping[str, Any]]) -> None:
        """Put these faults in the place of all others, and count requests from one again.

        :raises ValueError: if a name or a parameter is not known
        """
        if unknown := sorted(set(faults) - set(NAMES)):
            raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        read = {name: read_fault(told) for name, told in faults.items()}
        with self._lock:
            self._faults, self._requests, self._struck = read, 0, dict.fromkeys(read, 0)

    def clear(self) -> None:
        """Have no faults any more."""
        self.set({})

    @property
    def current(self) -> dict[str, Fault]:
        """The faults in force, by name."""
        return dict(self._faults)

    def strike(self) -> Strike:
        """Draw what the next request suffers."""
        with self._lock:
            self._requests += 1
            struck = {name: fault for name, fault in self._faults.items() if self._strikes(name, fault)}
            return Strike(struck, dice(self._seed, "strike", self._requests))

    def _strikes(self, name: str, fault: Fault) -> bool:
        drawn = dice(self._seed, "fault", name, self._requests).random()
        exhausted = fault.times is not None and self._struck[name] >= fault.times
        strikes = self._requests >= fault.first and not exhausted and drawn < fault.probability
        self._struck[name] += strikes
        return strikes


@dataclass(frozen=True)
class Strike:
    """What one request suffers; `rng` draws the details."""

    faults: dict[str, Fault]
    rng: Random

    def __contains__(self, name: str) -> bool:
        return name in self.faults

    @property
    def poisoned(self) -> frozenset[int]:
        return self.faults["poison"].numbers if "poison" in self else frozenset()

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.faults))
