"""Winners: the latest version of each dossier, and its line."""

from __future__ import annotations

import json
from array import array

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.warehouse.load.winners import Winner, find_winners, lines_by_extract
from ds_provider.warehouse.versions import Version
from tests.support.warehouse_life import Landed, World, paris

EXTRACTS = st.lists(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=6), max_size=3)


def extracts_of(versions: list[list[tuple[int, int]]]) -> list[Landed]:
    """Return extracts with these numbers and seconds of change in their lines."""
    world, extracts = World(), []
    for pairs in versions:
        (landed,) = world.read_numbers(10, []).dossiers
        rows = [json.dumps({"number": number, "dateDerniereModification": paris(at)}).encode() for number, at in pairs]
        extracts.append(Landed(landed.url, landed.manifest, tuple(rows)))
    return extracts


@given(EXTRACTS)
def test_winner_is_the_first_line_of_the_latest_version(versions: list[list[tuple[int, int]]]) -> None:
    extracts = extracts_of(versions)
    winners = find_winners(extracts)
    places = [
        (number, at, extracts[index].read_at, index, line)
        for index, pairs in enumerate(versions)
        for line, (number, at) in enumerate(pairs)
    ]
    assert winners.keys() == {number for number, *_ in places}
    for number, winner in winners.items():
        _, _, read_at, index, line = max(
            (place for place in places if place[0] == number), key=lambda place: (place[1], place[2], -place[4])
        )
        assert winner[1:] == (read_at, index, line)
        assert winner.version == Version(winner.modified, read_at)


def test_lines_are_in_ascending_order_by_extract() -> None:
    winners = [Winner(0, 0, extract, line) for extract, line in ((0, 5), (2, 1), (0, 3))]
    assert lines_by_extract(winners, 3) == [array("q", [3, 5]), array("q"), array("q", [1])]
