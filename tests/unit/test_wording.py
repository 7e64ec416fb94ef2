"""Counts, lists and durations as logs and errors write them."""

from __future__ import annotations

import pytest

from ds_provider.wording import counted, lasted, listed


@pytest.mark.parametrize(("number", "words"), [(0, "0 pages"), (1, "1 page"), (2, "2 pages"), (1000, "1000 pages")])
def test_count_reads_right(number: int, words: str) -> None:
    assert counted(number, "page") == words


@pytest.mark.parametrize(
    ("values", "words"), [([], ""), ([12], "12"), ([12, 13], "12, 13"), ([1, 2, 3, 4], "1, 2 and 2 more")]
)
def test_long_list_names_the_first_and_counts_the_others(values: list[int], words: str) -> None:
    assert listed(values, limit=2) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (7.24, "7.2 s"),
        (59.9, "59.9 s"),
        (59.99, "1 min"),
        (260, "4 min 20 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86400, "1 day"),
        (3 * 86400 + 4 * 3600 + 59, "3 days 4 h"),
    ],
)
def test_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert lasted(seconds) == words
