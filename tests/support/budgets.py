"""Clock that only moves during waits, and a store of budgets that uses it."""

from __future__ import annotations

from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.budget.stores import Store


class Clock:
    """Clock that only moves during waits."""

    def __init__(self) -> None:
        self.seconds = 1_795_000_000.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    def is_set(self) -> bool:
        return False

    def set(self) -> None:
        raise AssertionError("nothing is closed here")


class Bucket(InMemoryBucket):
    clock: Clock

    def now(self) -> int:
        return int(self.clock.seconds * 1000)


class Memory(Store):
    """Store that all budgets of a test share."""

    location = "memory"
    errors = (ConnectionError,)

    def __init__(self, clock: Clock) -> None:
        self.secrets = ["s3cret"]
        self.clock = clock
        self.buckets: dict[str, Bucket] = {}
        self.failures: list[str] = []

    def bucket(self, name: str, rate: Rate) -> AbstractBucket:
        if self.failures:
            raise ConnectionError(self.failures.pop())
        if name not in self.buckets:
            self.buckets[name] = Bucket([rate])
            self.buckets[name].clock = self.clock
        return self.buckets[name]

    def close(self) -> None:
        pass


def budget_in(store: Memory, requests: int = 300, *, key: str = "a") -> Budget:
    return on_clock(Budget(store, key, requests), store.clock)


def on_clock(budget: Budget, clock: Clock) -> Budget:
    """Make a budget pause on the test's clock, and return it."""
    budget._closed = clock  # type: ignore[assignment]
    return budget
