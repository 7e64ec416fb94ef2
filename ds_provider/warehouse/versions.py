"""Versions of dossiers: which of two extractions of one dossier brought the later one.

A dossier is read as often as it changes, and its files may be loaded in any order and any number of times.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc


class Version(NamedTuple):
    """One version of a dossier; the larger one is the later one. Both fields are in microseconds since the epoch.

    :param modified: its ``dateDerniereModification``, which never goes back.
    :param read_at: when the extraction began that brought it, since some changes do not move the date.
    """

    modified: int
    read_at: int


class HeldVersions:
    """Versions of the dossiers that a warehouse holds, in twenty-four bytes each.

    :param rows: columns ``number``, ``date_derniere_modification`` and ``read_at``.
    """

    def __init__(self, rows: pa.Table) -> None:
        ordered = rows.sort_by("number")
        self._numbers = array("q", ordered["number"].to_pylist())
        self._modified = _microseconds(ordered["date_derniere_modification"])
        self._read_at = _microseconds(ordered["read_at"])

    def __contains__(self, number: int) -> bool:
        return self.get(number) is not None

    def get(self, number: int) -> Version | None:
        """Return the version that is held, or nothing if the dossier is not held."""
        index = bisect_left(self._numbers, number)
        if index == len(self._numbers) or self._numbers[index] != number:
            return None
        return Version(self._modified[index], self._read_at[index])


def _microseconds(column: pa.ChunkedArray) -> array[int]:
    return array("q", pc.fill_null(column.cast(pa.int64()), 0).to_pylist())
