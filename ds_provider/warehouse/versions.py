"""Versions of dossiers: which of two readings of one dossier is the later one.

A dossier is read as often as it changes, and its files may be loaded in any order and any number of times.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc


class Version(NamedTuple):
    """One reading of a dossier; the larger one is the later one.

    :param modified: its ``dateDerniereModification``, in microseconds since the epoch. It never goes back.
    :param read: when the reading began that brought it, likewise: some changes do not move the date.
    """

    modified: int
    read: int


class Versions:
    """The versions of the dossiers that a warehouse holds, twenty-four bytes each.

    :param rows: columns ``number``, ``date_derniere_modification`` and ``read_at``.
    """

    def __init__(self, rows: pa.Table) -> None:
        ordered = rows.sort_by("number")
        self._numbers = array("q", ordered["number"].to_pylist())
        self._modified = _microseconds(ordered["date_derniere_modification"])
        self._read = _microseconds(ordered["read_at"])

    def __contains__(self, number: int) -> bool:
        return self.get(number) is not None

    def __len__(self) -> int:
        return len(self._numbers)

    def get(self, number: int) -> Version | None:
        """The version that is held; none where the dossier is not."""
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            return None
        return Version(self._modified[place], self._read[place])

    def among(self, numbers: Iterable[int]) -> set[int]:
        """Those of the numbers that are held."""
        return {number for number in numbers if number in self}


def _microseconds(column: pa.ChunkedArray) -> array[int]:
    return array("q", pc.fill_null(column.cast(pa.int64()), 0).to_pylist())
