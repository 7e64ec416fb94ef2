"""Choice of the dossiers that are read again."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.sync.refresh import due_dossiers
from tests.support.operator_warehouse import NOW, held_dossiers


def due_among(rows: list[tuple[Any, ...]], max_age: timedelta, now: datetime) -> dict[int, list[int]]:
    """Return the dossiers of group 7 that are due, if a warehouse holds these."""
    warehouse: Any = SimpleNamespace(read=lambda table, columns: held_dossiers(*rows).select(list(columns)))
    return due_dossiers(warehouse, [7], max_age, now)


ages_in_days = st.lists(st.floats(0, 40), min_size=1, max_size=60)


@given(ages_in_days, st.integers(1, 15))
def test_daily_runs_read_all_dossiers_within_max_age(ages, days):
    max_age = timedelta(days=days)
    read_at = {number: NOW - timedelta(days=age) for number, age in enumerate(ages, 1)}
    first = dict(read_at)
    for day in range(days):
        now = NOW + timedelta(days=day)
        rows = [(number, 7, (NOW - at) / timedelta(days=1)) for number, at in read_at.items()]
        chosen = due_among(rows, max_age, now)[7]
        overdue = [number for number, at in read_at.items() if at < now - max_age]
        assert set(overdue) <= set(chosen)
        assert len(chosen) == max(len(overdue), math.ceil(len(ages) / days))
        read_at.update(dict.fromkeys(chosen, now))
    assert all(read_at[number] > first[number] or read_at[number] >= NOW for number in read_at)


@given(st.permutations([(n, 7, 3) for n in range(1, 9)]))
def test_choice_among_dossiers_of_the_same_age_does_not_depend_on_their_order(rows):
    assert due_among(rows, timedelta(days=4), NOW) == {7: [1, 2]}
