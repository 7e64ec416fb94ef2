"""What the service's three lists say of a dossier, in whatever order they are read and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.warehouse.tombstones import DELETED, PENDING, SECOND, VANISHED, Snapshot, Tombstone, TombstoneSet
from ds_provider.warehouse.versions import Version

N, G = 100, 7


def stone(stage: str, *, date: int | None = 10, read: int = 20, number: int = N, groupe: int = G) -> Tombstone:
    seconds = None if date is None else date * SECOND
    return Tombstone(number, groupe, "en_construction", "user_request", seconds, stage, read * SECOND)


def version(modified: int, read: int) -> Version:
    return Version(modified * SECOND, read * SECOND)


def snapshot(*stones: Tombstone, read: int = 20, groupe: int = G) -> Snapshot:
    return Snapshot(groupe, read * SECOND, {one.number: one for one in stones})


def graveyard(*stones: Tombstone) -> TombstoneSet:
    return TombstoneSet({one.number: one for one in stones})


NOTHING: Mapping[int, Version] = {}


def test_a_deletion_is_final() -> None:
    yard = graveyard(stone(DELETED, read=20))
    yard.show({N: version(99, 99)})
    yard.hide([snapshot(stone(PENDING, read=99), read=99)], NOTHING)
    assert yard.get(N) == stone(DELETED, read=20)
    assert not yard.changed
    assert not yard.lifted


def test_a_deletion_takes_the_place_of_what_was_pending() -> None:
    yard = graveyard(stone(PENDING))
    yard.bury([stone(DELETED, read=30)])
    yard.hide([snapshot(read=29)], NOTHING)
    assert yard.get(N) == stone(DELETED, read=30)


@pytest.mark.parametrize("stage", [PENDING, VANISHED])
def test_a_dossier_that_is_shown_later_is_restored(stage: str) -> None:
    yard = graveyard(stone(stage, date=10 if stage == PENDING else None, read=20))
    yard.show({N: version(21, 30)})
    assert yard.get(N) is None
    assert yard.lifted == {N}


@pytest.mark.parametrize("stage", [PENDING, VANISHED])
def test_a_file_from_before_restores_nothing(stage: str) -> None:
    yard = graveyard(stone(stage, date=10 if stage == PENDING else None, read=20))
    yard.show({N: version(5, 9)})
    assert yard.get(N) is not None


def test_a_dossier_read_before_the_snapshot_was_and_restored_is_not_hidden_by_it() -> None:
    # pending as of second 20; restored at 25 and loaded; only then is the snapshot loaded
    yard = graveyard()
    yard.hide([snapshot(stone(PENDING, date=10, read=20))], {N: version(25, 26)})
    assert yard.get(N) is None


def test_within_one_second_the_times_of_reading_tell() -> None:
    hidden = stone(PENDING, date=10, read=20)
    assert hidden.outlived_by(version(10, 21))
    assert not hidden.outlived_by(version(10, 19))


def test_what_left_the_snapshot_was_restored() -> None:
    yard = graveyard(stone(PENDING, read=20), stone(PENDING, read=20, number=N + 1))
    yard.hide([snapshot(stone(PENDING, read=30, number=N + 1), read=30)], NOTHING)
    assert yard.lifted == {N}
    assert yard.get(N + 1) == stone(PENDING, read=30, number=N + 1)
    assert not yard.changed


def test_what_is_known_already_is_no_change() -> None:
    yard = graveyard(stone(PENDING, read=20), stone(DELETED, read=20, number=N + 1))
    yard.bury([stone(DELETED, read=30, number=N + 1)])
    yard.hide([snapshot(stone(PENDING, read=30), read=30)], NOTHING)
    assert not yard.changed
    assert not yard.lifted


def test_what_the_snapshot_lists_but_could_not_give_is_hidden_still() -> None:
    yard = graveyard(stone(PENDING, read=20))
    yard.hide([Snapshot(G, 30 * SECOND, {}, unreadable=frozenset({N}))], NOTHING)
    assert not yard.lifted


def test_a_snapshot_from_after_the_last_version_hides_it_whatever_its_date() -> None:
    # hidden by its user when it was finished, and shown; changed; and back in construction: the old date counts again
    yard = graveyard()
    yard.hide([snapshot(stone(PENDING, date=10, read=30), read=30)], {N: version(20, 25)})
    assert yard.get(N) is not None


def test_a_version_read_between_two_snapshots_that_list_the_dossier_restores_nothing() -> None:
    yard = graveyard(stone(PENDING, date=10, read=20))
    yard.hide([snapshot(stone(PENDING, date=10, read=30), read=30)], NOTHING)
    yard.show({N: version(25, 26)})
    assert yard.get(N) is not None


def test_another_groups_snapshot_says_nothing_of_it() -> None:
    yard = graveyard(stone(PENDING, read=20))
    yard.hide([snapshot(read=30, groupe=G + 1)], NOTHING)
    assert not yard.lifted


@pytest.mark.parametrize("stage", [DELETED, VANISHED])
def test_a_snapshot_says_only_of_what_was_pending_that_it_no_longer_is(stage: str) -> None:
    yard = graveyard(stone(stage, read=20))
    yard.hide([snapshot(read=30)], NOTHING)
    assert yard.get(N) == stone(stage, read=20)


def test_a_dossier_that_moved_while_it_was_hidden_stays_hidden() -> None:
    # the other group's snapshot lists it now: whichever is taken in first
    listed, empty = snapshot(stone(PENDING, read=30, groupe=G + 1), read=30, groupe=G + 1), snapshot(read=31)
    for snapshots in ([listed, empty], [empty, listed]):
        yard = graveyard(stone(PENDING, read=20))
        yard.hide(snapshots, NOTHING)
        assert yard.get(N) == stone(PENDING, read=30, groupe=G + 1)


def test_a_snapshot_from_before_releases_nothing() -> None:
    yard = graveyard(stone(PENDING, read=20))
    yard.hide([snapshot(read=19)], NOTHING)
    assert yard.get(N) == stone(PENDING, read=20)


@pytest.mark.parametrize("stage", [PENDING, DELETED])
def test_what_is_in_a_list_has_not_vanished(stage: str) -> None:
    yard = graveyard(stone(stage, read=20))
    yard.mark_vanished([stone(VANISHED, date=None, read=30)])
    assert yard.get(N) == stone(stage, read=20)


def test_where_readings_may_have_overlapped_the_dossiers_own_date_tells() -> None:
    hidden = stone(PENDING, date=10, read=20)
    assert not hidden.outlived_by(version(9, 21))
    assert hidden.outlived_by(version(11, 21))


def test_in_the_moment_in_which_it_vanished_a_dossier_was_not_shown() -> None:
    gone = stone(VANISHED, date=None, read=20)
    assert not gone.outlived_by(version(99, 20))
    assert gone.outlived_by(version(1, 21))


def test_what_was_restored_and_hidden_again_in_one_load_is_hidden() -> None:
    yard = graveyard(stone(PENDING, read=20))
    yard.hide([snapshot(read=30)], NOTHING)
    assert (yard.get(N), list(yard.stand())) == (None, [])
    yard.bury([stone(DELETED, read=31)])
    assert yard.get(N) == stone(DELETED, read=31)
    assert not yard.lifted


def test_what_was_never_known_is_not_lifted() -> None:
    yard = graveyard()
    yard.hide([snapshot(stone(PENDING, date=10))], NOTHING)
    yard.show({N: version(11, 30)})
    assert (yard.get(N), yard.changed, yard.lifted) == (None, {}, set())


def test_since_when_a_dossier_has_vanished_is_kept() -> None:
    yard = graveyard(stone(VANISHED, date=None, read=20))
    yard.mark_vanished([stone(VANISHED, date=None, read=90)])
    assert yard.get(N) == stone(VANISHED, date=None, read=20)


STONES = st.builds(
    stone,
    st.sampled_from([PENDING, DELETED, VANISHED]),
    date=st.integers(0, 20) | st.none(),
    read=st.integers(0, 20),
    number=st.integers(1, 5),
    groupe=st.integers(1, 2),
)


@given(
    known=st.lists(STONES, unique_by=lambda one: one.number),
    buried=st.lists(STONES.filter(lambda one: one.stage == DELETED)),
    shown=st.dictionaries(st.integers(1, 5), st.builds(version, st.integers(0, 20), st.integers(0, 20))),
    hidden=st.lists(STONES.filter(lambda one: one.stage == PENDING and one.date is not None), max_size=4),
    data=st.data(),
)
def test_the_same_lists_again_change_nothing(
    known: list[Tombstone], buried: list[Tombstone], shown: dict[int, Version], hidden: list[Tombstone], data: Any
) -> None:
    snapshots = [
        Snapshot(groupe, 20 * SECOND, {one.number: one for one in hidden if one.groupe == groupe}) for groupe in (1, 2)
    ]

    def take_in(yard: TombstoneSet) -> dict[int, Tombstone]:
        yard.bury(buried)
        yard.hide(snapshots, shown)
        yard.show(shown)
        return {one.number: one for one in yard.stand()}

    first = graveyard(*known)
    after = take_in(first)
    assert {one.number for one in buried} <= after.keys()
    assert not first.lifted & after.keys()
    again = TombstoneSet(after)
    assert {number: one.stage for number, one in take_in(again).items()} == {
        number: one.stage for number, one in after.items()
    }
    assert not again.lifted
