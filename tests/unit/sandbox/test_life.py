"""The API's lists as weeks go by: each rule by which dossiers leave one list and enter another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ds_provider.sandbox.world.clock import DAY, HOUR, micros, next_paris
from ds_provider.sandbox.world.world import World
from tests.support.sandbox_client import NOW

START = micros(NOW)
DAYS = 70
STEP = 3 * HOUR


class DossierView(NamedTuple):
    """State of a dossier's number at one instant."""

    where: str
    groupe: int | None
    state: str
    updated_at: int = 0
    hidden_by_user_at: int | None = None
    hidden_by_administration_at: int | None = None
    reason: str | None = None
    deleted_at: int | None = None
    usager: int | None = 0
    labels: tuple[int, ...] = ()
    revision: int = 0


class Change(NamedTuple):
    number: int
    at: int
    before: DossierView
    after: DossierView

    @property
    def lists(self) -> tuple[str, str]:
        return self.before.where, self.after.where


def snapshot(world: World) -> dict[int, DossierView]:
    views = {row.number: DossierView("deleted", row.groupe.number if row.groupe else None, row.state, reason=row.reason,
                             deleted_at=row.deleted_at) for row in world.deleted}  # fmt: skip
    for d in (d for groupe in world.demarche.groupes for d in groupe.dossiers.values()):
        assert not (d.visible and d.pending)
        where = "dossiers" if d.visible else "pending" if d.pending else "limbo"
        assert d.number not in views
        views[d.number] = DossierView(
            where, d.groupe.number, d.state, d.updated_at, d.hidden_by_user_at, d.hidden_by_administration_at,
            d.hidden_by_reason, None, d.usager, tuple(d.labels), d.revision,
        )  # fmt: skip
    return views


class History:
    """Snapshots of a world, one every three hours."""

    def __init__(self) -> None:
        self.world = World(seed=7, groups=3, dossiers=200, start=START)
        self.moments = [(START, snapshot(self.world))]
        for at in range(START + STEP, START + DAYS * DAY, STEP):
            self.world.advance(at)
            self.moments.append((at, snapshot(self.world)))

    def changes(self) -> Iterator[Change]:
        for (_, before), (at, after) in zip(self.moments, self.moments[1:], strict=False):
            for number, seen in after.items():
                if number in before and seen != before[number]:
                    yield Change(number, at, before[number], seen)

    def moves(self, *lists: str) -> list[Change]:
        found = [change for change in self.all_changes if change.lists == lists]
        assert found, f"nothing went from {lists[0]} to {lists[1]}"
        return found

    def time_in(self, number: int, where: str, until: int) -> int:
        """Return how long a number had been in a list without a break until it left, to within a step."""
        stay = 0
        for at, seen in reversed(self.moments):
            if at < until:
                if number not in seen or seen[number].where != where:
                    break
                stay = until - at
        return stay

    @property
    def all_changes(self) -> list[Change]:
        if not hasattr(self, "_changes"):
            self._changes = list(self.changes())
        return self._changes


@pytest.fixture(scope="module")
def history() -> History:
    return History()


def of_reason(changes: list[Change], reason: str, side: str = "after") -> list[Change]:
    found = [change for change in changes if getattr(change, side).reason == reason]
    assert found, f"no change with reason {reason}"
    return found


def is_nightly(at: int, hour: int) -> bool:
    """Return whether an instant lies within two minutes of this hour in Paris."""
    return next_paris(at - 120_000_000, hour) <= at


def test_dossier_in_construction_is_pending_once_its_user_hides_it(history: History) -> None:
    for change in of_reason(history.moves("dossiers", "pending"), "user_request"):
        if change.after.state == "en_construction":
            assert change.after.hidden_by_user_at is not None
            assert change.at - STEP <= change.after.hidden_by_user_at <= change.at
            assert change.after.updated_at >= change.after.hidden_by_user_at


def test_restored_dossiers_return_modified(history: History) -> None:
    restored = history.moves("pending", "dossiers")
    assert {change.before.reason for change in restored} >= {"user_request", "instructeur_request"}
    for change in restored:
        assert change.at - STEP <= change.after.updated_at <= change.at
        assert change.after.hidden_by_administration_at is None


def test_deletion_requested_by_a_user_is_dated_back_to_the_request(history: History) -> None:
    purged = of_reason(history.moves("pending", "deleted"), "user_request")
    dated_back = [change for change in purged if change.after.state == "en_construction"]
    assert dated_back
    for change in dated_back:
        assert change.after.deleted_at == change.before.hidden_by_user_at
        assert change.at - change.after.deleted_at >= 14 * DAY
        assert is_night(change.at)


def is_night(at: int) -> bool:
    """Return whether 02:00 in Paris, and the minutes that the job takes, lie in the step that ends here."""
    return next_paris(at - STEP - HOUR // 10, 2) <= at


def test_finished_dossier_stays_listed_when_its_user_hides_it(history: History) -> None:
    hidden = [
        change
        for change in history.all_changes
        if change.before.hidden_by_user_at is None
        and change.after.hidden_by_user_at
        and change.after.state in ("accepte", "refuse", "sans_suite")
        and change.after.hidden_by_administration_at is None
    ]
    assert hidden
    assert {change.lists for change in hidden} == {("dossiers", "dossiers")}


def test_instructeurs_hide_only_finished_dossiers_and_for_months(history: History) -> None:
    hidden = of_reason(history.moves("dossiers", "pending"), "instructeur_request")
    assert {change.after.state for change in hidden} <= {"accepte", "refuse", "sans_suite"}
    at, last = history.moments[-1]
    stays = [history.time_in(number, "pending", at) for number, seen in last.items() if seen.where == "pending"]
    assert max(stays) > 45 * DAY


def test_dossiers_hidden_by_both_sides_are_purged_after_two_weeks_and_dated_by_the_purge(history: History) -> None:
    both = [
        change
        for change in history.moves("pending", "deleted")
        if change.before.hidden_by_user_at and change.before.hidden_by_administration_at
    ]
    assert both
    for change in both:
        later = max(change.before.hidden_by_user_at or 0, change.before.hidden_by_administration_at or 0)
        assert change.after.deleted_at is not None
        assert change.at - STEP <= change.after.deleted_at <= change.at
        assert change.after.deleted_at - later >= 14 * DAY


def test_expired_dossiers_are_in_no_list_until_their_purge(history: History) -> None:
    for change in history.moves("dossiers", "limbo"):
        assert change.after.reason == "expired"
        assert change.after.updated_at == change.before.updated_at
    for change in of_reason(history.moves("limbo", "deleted"), "expired"):
        assert change.after.deleted_at is not None
        assert change.at - STEP <= change.after.deleted_at <= change.at
        assert is_nightly(change.after.deleted_at, 2)


def test_limbo_lasts_two_weeks_or_more(history: History) -> None:
    whole = [c for c in history.moves("limbo", "deleted") if c.at > START + 20 * DAY]
    assert whole
    for change in whole:
        assert history.time_in(change.number, "limbo", change.at) >= 14 * DAY


def test_dossiers_that_return_from_limbo_are_modified(history: History) -> None:
    for change in history.moves("limbo", "dossiers"):
        assert change.at - STEP <= change.after.updated_at <= change.at


def test_hidden_dossiers_stay_pending_when_they_expire(history: History) -> None:
    expired = [
        change
        for change in history.all_changes
        if change.lists == ("pending", "pending")
        and (change.before.reason, change.after.reason) == ("instructeur_request", "expired")
    ]
    assert expired
    assert of_reason(history.moves("pending", "deleted"), "expired")


def test_removed_user_deletes_dossiers_in_construction(history: History) -> None:
    for change in of_reason(history.moves("dossiers", "deleted"), "user_removed"):
        assert change.before.state == change.after.state == "en_construction"
        assert change.after.deleted_at is not None
        assert change.at - STEP <= change.after.deleted_at <= change.at
    assert {change.after.reason for change in history.moves("dossiers", "deleted")} == {"user_removed"}


def test_removed_user_leaves_dossiers_in_other_states(history: History) -> None:
    left = [c for c in history.all_changes if c.before.usager is not None and c.after.usager is None]
    alive = [change for change in left if change.after.where == "dossiers"]
    assert {change.after.state for change in alive} >= {"en_instruction"}
    for change in alive:
        if change.after.state == "en_instruction":
            assert change.after.hidden_by_user_at is None
        else:
            assert change.after.hidden_by_user_at is not None


def test_moved_dossier_leaves_its_old_group_and_is_modified(history: History) -> None:
    moved = [c for c in history.all_changes if c.after.where == "dossiers" and c.before.groupe != c.after.groupe]
    assert moved
    for change in moved:
        assert change.at - STEP <= change.after.updated_at <= change.at


def test_labels_do_not_change_the_date_of_modification(history: History) -> None:
    labelled = [c for c in history.all_changes if c.after._replace(labels=c.before.labels) == c.before]
    added = [change for change in labelled if len(change.after.labels) > len(change.before.labels)]
    removed = [change for change in labelled if len(change.after.labels) < len(change.before.labels)]
    assert added
    assert removed


def test_unsubmitted_edit_changes_only_the_date_of_modification(history: History) -> None:
    assert [c for c in history.all_changes if c.after._replace(updated_at=c.before.updated_at) == c.before]


def test_new_revision_rebases_undecided_dossiers_and_keeps_their_dates() -> None:
    world = World(seed=7, groups=1, dossiers=80, start=START)
    published = len(world.demarche.published)
    before = snapshot(world)
    while len(world.demarche.published) == published:
        before = snapshot(world)
        world.advance(world.now + HOUR)
    after = snapshot(world)
    rebased = [
        (was, after[number])
        for number, was in before.items()
        if was.where != "deleted" and after[number].revision != was.revision
    ]
    assert rebased
    assert all(was.state in ("en_construction", "en_instruction") for was, _ in rebased)
    assert any(was._replace(revision=seen.revision) == seen for was, seen in rebased)


def test_deleted_rows_never_change(history: History) -> None:
    for (_, before), (_, after) in zip(history.moments, history.moments[1:], strict=False):
        deleted = {number: seen for number, seen in before.items() if seen.where == "deleted"}
        assert deleted.items() <= after.items()


def test_date_of_modification_never_goes_back(history: History) -> None:
    for change in history.all_changes:
        if change.after.where != "deleted":
            assert change.after.updated_at >= change.before.updated_at
            assert change.after.updated_at <= change.at


def test_slow_transactions_become_visible_after_later_ones() -> None:
    """A row may appear with a date that lies before the last snapshot."""
    world = World(seed=7, groups=1, dossiers=250, start=START - 60 * DAY)
    before, late = dates(world), set()
    for at in range(world.now, world.now + 4 * DAY, 5_000_000):
        version, last_snapshot = world.version, world.now
        world.advance(at)
        if world.version != version:
            fresh = dates(world).items() - before.items()
            late |= {number for number, updated_at in fresh if updated_at < last_snapshot}
            before = dates(world)
    assert late


def dates(world: World) -> dict[int, int]:
    return {d.number: d.updated_at for d in world.dossiers.values()}


def test_deleted_row_never_has_the_number_of_its_dossier(history: History) -> None:
    rows = {row.row: row.number for row in history.world.deleted}
    assert all(row != number for row, number in rows.items())
    assert len(rows) == len(history.world.deleted)
    assert set(rows) & set(history.world.dossiers), "a row's number may be that of another dossier"
