"""A great many numbers in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

FRESH = 4_096


class NumberSet:
    """A set of dossier numbers that only grows, at four bytes each: a Python set takes eighty, spread over the memory.

    New ones wait in a small set; when it is full they become a sorted run, and runs of like size are merged.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._fresh: set[int] = set()
        self._runs: list[array[int]] = []
        self.update(numbers)

    def __contains__(self, number: int) -> bool:
        return number in self._fresh or any(_holds(run, number) for run in self._runs)

    def add(self, number: int) -> None:
        """Put a number in."""
        self._fresh.add(number)
        if len(self._fresh) >= FRESH:
            self._store()

    def update(self, numbers: Iterable[int]) -> None:
        """Put several in."""
        for number in numbers:
            self.add(number)

    def _store(self) -> None:
        run = array("I", sorted(self._fresh))
        self._fresh.clear()
        while self._runs and len(self._runs[-1]) <= len(run):
            # sorting two sorted runs is one merge
            run = array("I", sorted(self._runs.pop() + run))
        self._runs.append(run)


def _holds(run: array[int], number: int) -> bool:
    at = bisect_left(run, number)
    return at < len(run) and run[at] == number
