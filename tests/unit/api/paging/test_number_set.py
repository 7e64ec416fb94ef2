"""A number set holds the numbers that were added, in little memory."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging import number_set as numbers
from ds_provider.api.paging.number_set import NumberSet

MAX_NUMBER = 2**31 - 1


@given(st.lists(st.integers(0, MAX_NUMBER)), st.lists(st.integers(0, 40)), st.lists(st.integers(0, 40)))
def test_number_set_holds_the_same_numbers_as_a_set(large, small, others):
    with mock.patch.object(numbers, "MAX_UNSORTED", 3):
        held = NumberSet(large)
        held.update(small)
    expected = {*large, *small}
    assert all(number in held for number in expected)
    assert [number in held for number in others] == [number in expected for number in others]


def test_number_set_takes_little_memory():
    held = NumberSet(range(0, 300_000, 3))
    assert sum(run.itemsize * len(run) for run in held._runs) + 100 * len(held._unsorted) < 1_000_000
    assert (299_997 in held, 299_998 in held, 0 in held, 1 in held) == (True, False, True, False)
