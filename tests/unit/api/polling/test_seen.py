"""What is packed comes out again, a memory only ever reaches less far back, and it stays small."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.seen import MAX_MARKS, SeenRows, mark, moment, pack, unpack
from ds_provider.exceptions import DSConfigurationError

numbers = st.integers(1, 2**31 - 1)
dates = st.integers(0, 2**33)
marks = st.lists(st.tuples(numbers, dates), max_size=60)


@given(marks)
def test_marks_come_out_as_they_went_in(given_marks):
    assert unpack(pack(given_marks)) == sorted(set(given_marks))


@given(marks, dates)
def test_a_memory_survives_the_store_that_keeps_it(known, since):
    memory = SeenRows(since, frozenset(known))
    assert SeenRows.from_json(json.loads(json.dumps(memory.to_json()))) == memory


@given(st.text(max_size=30) | st.none() | st.integers() | st.dictionaries(st.text(max_size=5), st.integers()))
def test_what_somebody_else_wrote_is_refused_and_nothing_else_happens(value):
    for foreign in (value, {"since": 0, "marks": value}):
        try:
            SeenRows.from_json(foreign)
        except DSConfigurationError as error:
            assert "state store" in str(error)  # noqa: PT017 - some of these are a memory


def test_a_bomb_is_not_unpacked():
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(b"\x00" * 200_000_001)).decode()
    assert len(unpack(bomb)) <= 4_000_000


@given(marks, st.integers(0, 1000))
def test_what_is_forgotten_is_before_what_is_asked_for(known, reach):
    memory = SeenRows(0, frozenset(known)).shorten(reach)
    assert all(one in memory.marks or one[1] < memory.since for one in known)
    newest = max((date for _, date in known), default=0)
    assert memory.since <= max(0, newest - reach)


@given(marks, dates, dates)
def test_a_memory_never_reaches_further_back_again(known, first, second):
    memory = SeenRows(0, frozenset(known)).forget(first)
    assert memory.forget(second).since >= memory.since


def test_an_import_of_thousands_in_one_second_is_no_more_than_its_second():
    crowd = frozenset((number, 1000) for number in range(1, 5000))
    memory = SeenRows(0, crowd).shorten(300)
    assert memory == SeenRows(1001, frozenset())


def test_the_newest_are_kept_where_there_are_too_many():
    many = frozenset((number, number) for number in range(1, 3 * MAX_MARKS))
    memory = SeenRows(0, many).shorten(10 * MAX_MARKS)
    assert len(memory.marks) == MAX_MARKS
    assert memory.since == min(date for _, date in memory.marks)


def test_ten_thousand_deletions_of_two_months_fit_into_what_a_store_holds_without_a_warning():
    crowd = [(21_000_000 + 37 * i % 400_000, 1_790_000_000 + 104_729 * i % 5_184_000) for i in range(10_000)]
    assert len(json.dumps(SeenRows(0, frozenset(crowd)).to_json())) < 64 * 1024


def test_dates_are_whole_seconds():
    date = datetime(2026, 11, 1, 8, 0, 5, 999_999, tzinfo=timezone.utc)
    assert mark(7, date) == (7, 1793520005)
    assert moment(1793520005).isoformat() == "2026-11-01T08:00:05+00:00"


@pytest.mark.parametrize("seconds", [10**13, -(10**13), 10**18, 10**25])
def test_a_date_of_no_calendar_is_somebody_elses(seconds):
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        moment(seconds)
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        SeenRows.from_json({"since": seconds, "marks": pack([])})
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        unpack(pack([(1, 0), (2, seconds), (3, 0)]))


@pytest.mark.parametrize("value", [{"since": True}, {"marks": ""}, [], "x", {"since": 1, "marks": "%%"}])
def test_a_foreign_value_says_what_to_do(value):
    with pytest.raises(DSConfigurationError, match="delete the key"):
        SeenRows.from_json(value)
