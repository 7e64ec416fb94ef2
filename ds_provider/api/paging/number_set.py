"""Number set: a great many dossier numbers in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

MAX_UNSORTED = 4_096


class NumberSet:
    """Set of dossier numbers that only grows, at four bytes each: a Python set takes eighty, spread over the memory.

    New ones wait in a small set; when it is full they become a sorted run, and runs of like size are merged.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._unsorted: set[int] = set()
        self._runs: list[array[int]] = []
        self.update(numbers)

    def __contains__(self, number: int) -> bool:
        return number in self._unsorted or any(_contains(run, number) for run in self._runs)

    def add(self, number: int) -> None:
        """Add a number."""
        self._unsorted.add(number)
        if len(self._unsorted) >= MAX_UNSORTED:
            self._store()

    def update(self, numbers: Iterable[int]) -> None:
        """Add several numbers."""
        for number in numbers:
            self.add(number)

    def _store(self) -> None:
        run = array("I", sorted(self._unsorted))
        self._unsorted.clear()
        while self._runs and len(self._runs[-1]) <= len(run):
            # sorting two sorted runs is one merge
            run = array("I", sorted(self._runs.pop() + run))
        self._runs.append(run)


def _contains(run: array[int], number: int) -> bool:
    at = bisect_left(run, number)
    return at < len(run) and run[at] == number
