"""Seen rows survive packing, never reach further back again, and stay small."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.seen import MAX_VERSIONS, SeenRows, instant, pack, row_version, unpack
from ds_provider.exceptions import DSConfigurationError

numbers = st.integers(1, 2**31 - 1)
dates = st.integers(0, 2**33)
versions = st.lists(st.tuples(numbers, dates), max_size=60)


@given(versions)
def test_packed_versions_are_unpacked_unchanged(given_marks):
    assert unpack(pack(given_marks)) == sorted(set(given_marks))


@given(versions, dates)
def test_seen_rows_survive_json(known, since):
    seen = SeenRows(since, frozenset(known))
    assert SeenRows.from_json(json.loads(json.dumps(seen.to_json()))) == seen


@given(st.text(max_size=30) | st.none() | st.integers() | st.dictionaries(st.text(max_size=5), st.integers()))
def test_values_that_somebody_else_wrote_are_refused(value):
    for foreign in (value, {"since": 0, "versions": value}):
        try:
            SeenRows.from_json(foreign)
        except DSConfigurationError as error:
            assert "state store" in str(error)  # noqa: PT017 - some of these are a seen


def test_a_bomb_is_not_unpacked():
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(b"\x00" * 200_000_001)).decode()
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        unpack(bomb)


@given(versions, st.integers(0, 1000))
def test_keep_newest_forgets_only_rows_before_its_reach(known, reach):
    seen = SeenRows(0, frozenset(known)).keep_newest(reach)
    assert all(one in seen.versions or one[1] < seen.since for one in known)
    newest = max((date for _, date in known), default=0)
    assert seen.since <= max(0, newest - reach)


@given(versions, dates, dates)
def test_forget_before_never_moves_since_back(known, first, second):
    seen = SeenRows(0, frozenset(known)).forget_before(first)
    assert seen.forget_before(second).since >= seen.since


def test_keep_newest_drops_a_second_with_too_many_rows():
    crowd = frozenset((number, 1000) for number in range(1, 5000))
    seen = SeenRows(0, crowd).keep_newest(300)
    assert seen == SeenRows(1001, frozenset())


def test_keep_newest_holds_the_maximum_of_versions():
    many = frozenset((number, number) for number in range(1, 3 * MAX_VERSIONS))
    seen = SeenRows(0, many).keep_newest(10 * MAX_VERSIONS)
    assert len(seen.versions) == MAX_VERSIONS
    assert seen.since == min(date for _, date in seen.versions)


def test_ten_thousand_deletions_fit_into_a_state_store():
    crowd = [(21_000_000 + 37 * i % 400_000, 1_790_000_000 + 104_729 * i % 5_184_000) for i in range(10_000)]
    assert len(json.dumps(SeenRows(0, frozenset(crowd)).to_json())) < 64 * 1024


def test_row_versions_have_whole_seconds():
    date = datetime(2026, 11, 1, 8, 0, 5, 999_999, tzinfo=timezone.utc)
    assert row_version(7, date) == (7, 1793520005)
    assert instant(1793520005).isoformat() == "2026-11-01T08:00:05+00:00"


@pytest.mark.parametrize("seconds", [10**13, -(10**13), 10**18, 10**25])
def test_dates_of_no_calendar_are_refused(seconds):
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        instant(seconds)
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        SeenRows.from_json({"since": seconds, "versions": pack([])})


@pytest.mark.parametrize("seconds", [10**13, -(10**13), 2**62, -(2**62)])
def test_packed_dates_of_no_calendar_are_refused(seconds):
    with pytest.raises(DSConfigurationError, match="not this provider's"):
        unpack(pack([(1, 0), (2, seconds), (3, 0)]))


@pytest.mark.parametrize("value", [{"since": True}, {"versions": ""}, [], "x", {"since": 1, "versions": "%%"}])
def test_the_error_about_a_foreign_value_says_what_to_do(value):
    with pytest.raises(DSConfigurationError, match="delete the key"):
        SeenRows.from_json(value)
