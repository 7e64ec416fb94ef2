"""Tombstones after the service's three lists, in whatever order they are read and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.warehouse.tombstones import DELETED, PENDING, SECOND, VANISHED, Snapshot, Tombstone, TombstoneSet
from ds_provider.warehouse.versions import Version

N, G = 100, 7


def tombstone(stage: str, *, date: int | None = 10, read_at: int = 20, number: int = N, group: int = G) -> Tombstone:
    seconds = None if date is None else date * SECOND
    return Tombstone(number, group, "en_construction", "user_request", seconds, stage, read_at * SECOND)


def version(modified: int, read_at: int) -> Version:
    return Version(modified * SECOND, read_at * SECOND)


def snapshot(*tombstones: Tombstone, read_at: int = 20, group: int = G) -> Snapshot:
    return Snapshot(group, read_at * SECOND, {one.number: one for one in tombstones})


def tombstone_set(*tombstones: Tombstone) -> TombstoneSet:
    return TombstoneSet({one.number: one for one in tombstones})


NOTHING: Mapping[int, Version] = {}


def test_deletion_is_final() -> None:
    tombstones = tombstone_set(tombstone(DELETED, read_at=20))
    tombstones.restore({N: version(99, 99)})
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, read_at=99), read_at=99)], NOTHING)
    assert tombstones.get(N) == tombstone(DELETED, read_at=20)
    assert not tombstones.changed
    assert not tombstones.removed


def test_deletion_replaces_a_pending_tombstone() -> None:
    tombstones = tombstone_set(tombstone(PENDING))
    tombstones.add_deleted([tombstone(DELETED, read_at=30)])
    tombstones.apply_snapshots([snapshot(read_at=29)], NOTHING)
    assert tombstones.get(N) == tombstone(DELETED, read_at=30)


@pytest.mark.parametrize("stage", [PENDING, VANISHED])
def test_dossier_shown_after_its_tombstone_is_restored(stage: str) -> None:
    tombstones = tombstone_set(tombstone(stage, date=10 if stage == PENDING else None, read_at=20))
    tombstones.restore({N: version(21, 30)})
    assert tombstones.get(N) is None
    assert tombstones.removed == {N}


@pytest.mark.parametrize("stage", [PENDING, VANISHED])
def test_version_from_before_restores_nothing(stage: str) -> None:
    tombstones = tombstone_set(tombstone(stage, date=10 if stage == PENDING else None, read_at=20))
    tombstones.restore({N: version(5, 9)})
    assert tombstones.get(N) is not None


def test_late_snapshot_does_not_hide_a_restored_dossier() -> None:
    # pending as of second 20; restored at 25 and loaded; only then is the snapshot loaded
    tombstones = tombstone_set()
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, date=10, read_at=20))], {N: version(25, 26)})
    assert tombstones.get(N) is None


def test_extraction_times_decide_within_one_second() -> None:
    hidden = tombstone(PENDING, date=10, read_at=20)
    assert hidden.is_outlived_by(version(10, 21))
    assert not hidden.is_outlived_by(version(10, 19))


def test_dossier_missing_from_the_next_snapshot_is_restored() -> None:
    tombstones = tombstone_set(tombstone(PENDING, read_at=20), tombstone(PENDING, read_at=20, number=N + 1))
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, read_at=30, number=N + 1), read_at=30)], NOTHING)
    assert tombstones.removed == {N}
    assert tombstones.get(N + 1) == tombstone(PENDING, read_at=30, number=N + 1)
    assert not tombstones.changed


def test_known_tombstones_are_no_change() -> None:
    tombstones = tombstone_set(tombstone(PENDING, read_at=20), tombstone(DELETED, read_at=20, number=N + 1))
    tombstones.add_deleted([tombstone(DELETED, read_at=30, number=N + 1)])
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, read_at=30), read_at=30)], NOTHING)
    assert not tombstones.changed
    assert not tombstones.removed


def test_quarantined_dossier_of_a_snapshot_stays_hidden() -> None:
    tombstones = tombstone_set(tombstone(PENDING, read_at=20))
    tombstones.apply_snapshots([Snapshot(G, 30 * SECOND, {}, quarantined=frozenset({N}))], NOTHING)
    assert not tombstones.removed


def test_snapshot_after_the_last_version_hides_it_whatever_its_date() -> None:
    # hidden by its user when it was finished, and shown; changed; and back in construction: the old date counts again
    tombstones = tombstone_set()
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, date=10, read_at=30), read_at=30)], {N: version(20, 25)})
    assert tombstones.get(N) is not None


def test_version_between_two_snapshots_restores_nothing() -> None:
    tombstones = tombstone_set(tombstone(PENDING, date=10, read_at=20))
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, date=10, read_at=30), read_at=30)], NOTHING)
    tombstones.restore({N: version(25, 26)})
    assert tombstones.get(N) is not None


def test_snapshot_of_another_group_removes_nothing() -> None:
    tombstones = tombstone_set(tombstone(PENDING, read_at=20))
    tombstones.apply_snapshots([snapshot(read_at=30, group=G + 1)], NOTHING)
    assert not tombstones.removed


@pytest.mark.parametrize("stage", [DELETED, VANISHED])
def test_snapshot_removes_pending_tombstones_only(stage: str) -> None:
    tombstones = tombstone_set(tombstone(stage, read_at=20))
    tombstones.apply_snapshots([snapshot(read_at=30)], NOTHING)
    assert tombstones.get(N) == tombstone(stage, read_at=20)


def test_dossier_moved_while_hidden_stays_hidden() -> None:
    # the other group's snapshot lists it now: whichever is taken in first
    listed, empty = snapshot(tombstone(PENDING, read_at=30, group=G + 1), read_at=30, group=G + 1), snapshot(read_at=31)
    for snapshots in ([listed, empty], [empty, listed]):
        tombstones = tombstone_set(tombstone(PENDING, read_at=20))
        tombstones.apply_snapshots(snapshots, NOTHING)
        assert tombstones.get(N) == tombstone(PENDING, read_at=30, group=G + 1)


def test_snapshot_from_before_removes_nothing() -> None:
    tombstones = tombstone_set(tombstone(PENDING, read_at=20))
    tombstones.apply_snapshots([snapshot(read_at=19)], NOTHING)
    assert tombstones.get(N) == tombstone(PENDING, read_at=20)


@pytest.mark.parametrize("stage", [PENDING, DELETED])
def test_listed_dossier_has_not_vanished(stage: str) -> None:
    tombstones = tombstone_set(tombstone(stage, read_at=20))
    tombstones.mark_vanished([tombstone(VANISHED, date=None, read_at=30)])
    assert tombstones.get(N) == tombstone(stage, read_at=20)


def test_dossier_date_decides_between_overlapping_extractions() -> None:
    hidden = tombstone(PENDING, date=10, read_at=20)
    assert not hidden.is_outlived_by(version(9, 21))
    assert hidden.is_outlived_by(version(11, 21))


def test_version_of_the_moment_of_vanishing_does_not_outlive_it() -> None:
    gone = tombstone(VANISHED, date=None, read_at=20)
    assert not gone.is_outlived_by(version(99, 20))
    assert gone.is_outlived_by(version(1, 21))


def test_dossier_restored_and_deleted_in_one_load_is_deleted() -> None:
    tombstones = tombstone_set(tombstone(PENDING, read_at=20))
    tombstones.apply_snapshots([snapshot(read_at=30)], NOTHING)
    assert (tombstones.get(N), list(tombstones.active())) == (None, [])
    tombstones.add_deleted([tombstone(DELETED, read_at=31)])
    assert tombstones.get(N) == tombstone(DELETED, read_at=31)
    assert not tombstones.removed


def test_unknown_tombstone_is_not_among_the_removed() -> None:
    tombstones = tombstone_set()
    tombstones.apply_snapshots([snapshot(tombstone(PENDING, date=10))], NOTHING)
    tombstones.restore({N: version(11, 30)})
    assert (tombstones.get(N), tombstones.changed, tombstones.removed) == (None, {}, set())


def test_vanished_tombstone_keeps_its_time() -> None:
    tombstones = tombstone_set(tombstone(VANISHED, date=None, read_at=20))
    tombstones.mark_vanished([tombstone(VANISHED, date=None, read_at=90)])
    assert tombstones.get(N) == tombstone(VANISHED, date=None, read_at=20)


TOMBSTONES = st.builds(
    tombstone,
    st.sampled_from([PENDING, DELETED, VANISHED]),
    date=st.integers(0, 20) | st.none(),
    read_at=st.integers(0, 20),
    number=st.integers(1, 5),
    group=st.integers(1, 2),
)


@given(
    known=st.lists(TOMBSTONES, unique_by=lambda one: one.number),
    deleted=st.lists(TOMBSTONES.filter(lambda one: one.stage == DELETED)),
    shown=st.dictionaries(st.integers(1, 5), st.builds(version, st.integers(0, 20), st.integers(0, 20))),
    hidden=st.lists(TOMBSTONES.filter(lambda one: one.stage == PENDING and one.date is not None), max_size=4),
    data=st.data(),
)
def test_same_lists_again_change_nothing(
    known: list[Tombstone], deleted: list[Tombstone], shown: dict[int, Version], hidden: list[Tombstone], data: Any
) -> None:
    snapshots = [
        Snapshot(group, 20 * SECOND, {one.number: one for one in hidden if one.group == group}) for group in (1, 2)
    ]

    def take_in(tombstones: TombstoneSet) -> dict[int, Tombstone]:
        tombstones.add_deleted(deleted)
        tombstones.apply_snapshots(snapshots, shown)
        tombstones.restore(shown)
        return {one.number: one for one in tombstones.active()}

    first = tombstone_set(*known)
    after = take_in(first)
    assert {one.number for one in deleted} <= after.keys()
    assert not first.removed & after.keys()
    again = TombstoneSet(after)
    assert {number: one.stage for number, one in take_in(again).items()} == {
        number: one.stage for number, one in after.items()
    }
    assert not again.removed
