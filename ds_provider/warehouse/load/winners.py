"""Winners: where the latest version of each dossier is among several extracts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from ds_provider.tables.rows.flatten import read_heads
from ds_provider.warehouse.extracts import LandedExtract
from ds_provider.warehouse.versions import Version


class Winner(NamedTuple):
    """Latest version of a dossier, and where it is: in one tuple, since a load may hold millions.

    :param modified: as in :class:`~ds_provider.warehouse.versions.Version`, and so ``read_at``.
    :param extract: the index of its extract.
    :param line: the index of its line among all rows of that extract.
    """

    modified: int
    read_at: int
    extract: int
    line: int

    @property
    def version(self) -> Version:
        """Version without its place."""
        return Version(self.modified, self.read_at)


def find_winners(extracts: Sequence[LandedExtract]) -> dict[int, Winner]:
    """Return the latest version of each dossier by number: the first of them if several are equal.

    :raises DSDestinationError: if a part cannot be read.
    :raises DSMalformedResponseError: if a line is not a dossier's.
    """
    winners: dict[int, Winner] = {}
    for index, extract in enumerate(extracts):
        read_at = extract.read_at
        for line, (number, modified) in enumerate(chain.from_iterable(map(read_heads, extract.lines()))):
            known = winners.get(number)
            if known is None or (modified, read_at) > known[:2]:
                winners[number] = Winner(modified, read_at, index, line)
    return winners


def lines_by_extract(winners: Iterable[Winner], count: int) -> list[array[int]]:
    """Return the indexes of the winning lines in ascending order, for each extract.

    :param count: the number of extracts.
    """
    lines: list[array[int]] = [array("q") for _ in range(count)]
    for winner in winners:
        lines[winner.extract].append(winner.line)
    return [array("q", sorted(indexes)) for indexes in lines]
