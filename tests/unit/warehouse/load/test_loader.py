"""Loads in any order and any number: the tables hold what the service showed last."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.exceptions import DSWarehouseLockedError
from ds_provider.tables.instants import to_microseconds
from ds_provider.tables.rows.building import hard_delete_dossiers
from ds_provider.tables.schemas import CHAMP_ROWS, DOSSIER_COLUMNS
from ds_provider.warehouse.extracts import LandedExtracts
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.load.report import LoadReport, Policy
from ds_provider.warehouse.tombstones import VANISHED, Tombstone
from tests.support.forms import demarche, descriptor, revision
from tests.support.quick_warehouse import Killed, QuickWarehouse
from tests.support.warehouse_life import DEMARCHE, START, Landed, World, again, together

NUMBERS, GROUPS = (1, 2, 3, 4), (10, 20)
# each with its column of a dossier's number
TABLES_OF_DOSSIERS = {
    "champs": "dossier_number",
    "messages": "dossier_number",
    "demarche_12": "number",
    "demarche_12_annotations": "number",
}

EVENTS = st.tuples(
    st.sampled_from(
        [
            *("touch", "silent", "message", "withdraw", "move"),
            *("hide", "restore", "purge_hidden", "purge", "expire"),
        ]
    ),
    st.sampled_from(NUMBERS),
    st.sampled_from(GROUPS),
)
DAYS = st.lists(st.lists(EVENTS, min_size=1, max_size=8), min_size=2, max_size=6)


def load_into(
    warehouse: QuickWarehouse, extracts: LandedExtracts, policy: Policy | None = None, **more: Any
) -> LoadReport:
    return load(cast("Any", warehouse), extracts, policy or Policy(), **more)


def live(days: list[list[tuple[str, int, int]]], world: World) -> list[LandedExtracts]:
    """Play days, and read the world at the end of each."""
    read, since = [], None
    for events in days:
        began = world.now
        for event in events:
            world.play(*event)
        read += [world.read(group, since) for group in GROUPS]
        since = began
    return read


def tables(warehouse: QuickWarehouse) -> dict[str, Any]:
    return {
        "dossiers": warehouse.rows(
            "dossiers", "number", "groupe_instructeur_number", "date_derniere_modification", "deletion_stage"
        ),
        "tombstones": warehouse.rows("deleted_dossiers", "number", "groupe_instructeur_number", "stage", "reason"),
        "champs": warehouse.rows("champs", "dossier_number", "text_value"),
        "messages": warehouse.rows("messages", "dossier_number", "id"),
        "wide": warehouse.rows("demarche_12", "number", "nom"),
    }


def assert_wide_rows_equal_dossiers(warehouse: QuickWarehouse) -> None:
    dossiers = warehouse.rows("dossiers", *DOSSIER_COLUMNS)
    for table in ("demarche_12", "demarche_12_annotations"):
        assert set(warehouse.rows(table, *DOSSIER_COLUMNS)) <= set(dossiers), table


def check(warehouse: QuickWarehouse, world: World) -> None:
    """Compare the tables with the world, which was read whole."""
    shown = {one.number: one for one in world.dossiers.values() if one.is_shown}
    held = {number: (group, date) for number, group, date, stage in tables(warehouse)["dossiers"] if not stage}
    assert held.keys() == shown.keys()
    for number, one in shown.items():
        assert held[number] == (one.group, START.fromtimestamp(START.timestamp() + one.modified, timezone.utc))
    values = dict(warehouse.rows("champs", "dossier_number", "text_value"))
    assert {n: values[n] for n in shown} == {n: f"{one.secret}-{one.silent}" for n, one in shown.items()}
    messages = [number for number, _ in tables(warehouse)["messages"]]
    assert {n: messages.count(n) for n in shown} == {n: one.messages for n, one in shown.items()}
    wide = dict(tables(warehouse)["wide"])
    assert {n: wide[n] for n in shown} == {n: values[n] for n in shown}
    stages = {number: stage for number, _, stage, _ in tables(warehouse)["tombstones"]}
    assert {n for n, stage in stages.items() if stage == "deleted"} == world.purged.keys()
    pending = {one.number for one in world.dossiers.values() if one.hidden}
    assert {n for n, stage in stages.items() if stage == "pending"} == pending
    assert_gone(warehouse, set(world.purged))
    assert_wide_rows_equal_dossiers(warehouse)


def assert_gone(warehouse: QuickWarehouse, numbers: set[int]) -> None:
    assert not numbers & {row[0] for row in warehouse.rows("dossiers", "number")}
    for table, key in TABLES_OF_DOSSIERS.items():
        assert not numbers & {row[0] for row in warehouse.rows(table, key)}, table


def reconciled(world: World, held: QuickWarehouse) -> list[Tombstone]:
    """Return what a reconciliation flags: the held dossiers that are in none of the service's lists."""
    known = {row[0] for row in held.rows("dossiers", "number")}
    return lost(world, *(one.number for one in world.dossiers.values() if one.expired and one.number in known))


def lost(world: World, *numbers: int) -> list[Tombstone]:
    now = to_microseconds(datetime.fromtimestamp(START.timestamp() + world.tick(), timezone.utc))
    of = [world.dossiers[number] for number in numbers]
    return [Tombstone(one.number, one.group, None, None, None, VANISHED, now) for one in of if one.hidden is None]


@settings(max_examples=60, deadline=None)
@given(days=DAYS, data=st.data())
def test_load_result_is_independent_of_order_and_repetition(
    days: list[list[tuple[str, int, int]]], data: st.DataObject
) -> None:
    world = World()
    read = live(days, world)
    whole = together(*(world.read(group) for group in GROUPS))

    in_order, shuffled = QuickWarehouse(), QuickWarehouse()
    for extracts in (*read, whole):
        load_into(in_order, extracts)
    twice = data.draw(st.lists(st.sampled_from(read), max_size=4))
    for extracts in data.draw(st.permutations([*read, *twice, whole])):
        load_into(shuffled, again(extracts))
    at_once = QuickWarehouse()
    load_into(at_once, together(*read, whole))

    vanished = reconciled(world, in_order)
    for warehouse in (in_order, shuffled, at_once):
        load_into(warehouse, LandedExtracts(), vanished=vanished)
        check(warehouse, world)
    assert tables(in_order) == tables(shuffled) == tables(at_once)


@settings(max_examples=60, deadline=None)
@given(days=DAYS, merges=st.integers(0, 14))
def test_killed_load_can_be_run_again(days: list[list[tuple[str, int, int]]], merges: int) -> None:
    world, warehouse = World(), QuickWarehouse()
    *before, last = live(days, world)
    for extracts in before:
        load_into(warehouse, extracts)
    warehouse.merges_left = merges
    with suppress(Killed):
        load_into(warehouse, last)
    warehouse.merges_left = None
    load_into(warehouse, last)
    whole = together(*(world.read(group) for group in GROUPS))
    load_into(warehouse, whole)
    load_into(warehouse, LandedExtracts(), vanished=reconciled(world, warehouse))
    check(warehouse, world)


@settings(max_examples=30, deadline=None)
@given(days=DAYS)
def test_daily_windows_hold_all_but_expired_dossiers(days: list[list[tuple[str, int, int]]]) -> None:
    world, warehouse = World(), QuickWarehouse()
    for extracts in live([[("silent" if e == "expire" else e, n, g) for e, n, g in day] for day in days], world):
        load_into(warehouse, extracts)
    shown = {one.number: one.group for one in world.dossiers.values() if one.is_shown}
    held = {number: group for number, group, _, stage in tables(warehouse)["dossiers"] if not stage}
    assert held == shown
    assert_gone(warehouse, set(world.purged))
    assert_wide_rows_equal_dossiers(warehouse)


@pytest.mark.parametrize(("seen", "erased"), [(1, True), (2, False), (3, False)])
def test_policy_erases_dossiers_that_vanished_before_the_limit(seen: int, erased: bool) -> None:
    tombstone = Tombstone(1, 10, None, None, None, VANISHED, to_microseconds(START + timedelta(days=seen)))
    assert Policy(vanished_before=START + timedelta(days=2)).erases(tombstone) is erased
    assert not Policy().erases(tombstone)


def hidden_and_purged() -> tuple[World, LandedExtracts, LandedExtracts, LandedExtracts]:
    world = World()
    world.play("deposit", 1, 10)
    shown = world.read(10)
    world.play("hide", 1, 10)
    hidden = world.read(10)
    world.play("purge_hidden", 1, 10)
    return world, shown, hidden, world.read(10)


@pytest.mark.parametrize(("on_pending", "kept"), [("flag", {1}), ("erase", set())])
def test_pending_deletion_is_flagged_or_erased(on_pending: Any, kept: set[int]) -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    policy = Policy(on_pending=on_pending)
    load_into(warehouse, world.read(10), policy)
    world.play("hide", 1, 10)
    load_into(warehouse, world.read(10), policy)
    flags = warehouse.rows("dossiers", "number", "deletion_stage", "deletion_reason", "deletion_date")
    hidden = START + timedelta(seconds=world.dossiers[1].hidden or 0)
    assert flags == [(n, "pending", "user_request", hidden) for n in kept]
    assert {row[0] for row in warehouse.rows("champs", "dossier_number")} == kept
    world.play("restore", 1, 10)
    load_into(warehouse, world.read(10), policy)
    assert warehouse.rows("dossiers", "number", "deletion_stage", "deletion_reason") == [(1, None, None)]
    assert warehouse.rows("champs", "dossier_number", "text_value") == [(1, "secret-1-0")]
    assert warehouse.rows("deleted_dossiers", "number") == []


def test_deleted_dossier_can_be_kept_and_flagged() -> None:
    _, shown, hidden, gone = hidden_and_purged()
    warehouse = QuickWarehouse()
    for extracts in (shown, hidden, gone, shown):
        load_into(warehouse, extracts, Policy(on_deleted="flag"))
    assert warehouse.rows("dossiers", "number", "deletion_stage") == [(1, "deleted")]
    assert len(warehouse.rows("champs", "dossier_number")) == 1


def test_later_erase_policy_erases_flagged_dossiers() -> None:
    _, shown, hidden, gone = hidden_and_purged()
    warehouse = QuickWarehouse()
    for extracts in (shown, hidden, gone):
        load_into(warehouse, extracts, Policy(on_deleted="flag"))
    assert load_into(warehouse, LandedExtracts()).erased == 1
    assert_gone(warehouse, {1})
    assert warehouse.rows("deleted_dossiers", "number", "stage") == [(1, "deleted")]


def test_vanished_dossier_is_erased_and_restored() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    load_into(warehouse, world.read(10))
    world.play("expire", 1, 10)
    load_into(warehouse, LandedExtracts(), vanished=reconciled(world, warehouse))
    assert warehouse.rows("dossiers", "number", "deletion_stage") == [(1, "vanished")]
    later = datetime.fromtimestamp(START.timestamp() + world.now + 1, timezone.utc)
    load_into(warehouse, LandedExtracts(), Policy(vanished_before=later))
    assert_gone(warehouse, {1})
    world.play("restore", 1, 10)
    load_into(warehouse, world.read(10), Policy(vanished_before=later))
    check(warehouse, world)


def test_unread_part_keeps_its_rows() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    world.play("message", 1, 10)
    load_into(warehouse, world.read(10))
    without = world.read(10)
    line = rows_in(without)[0].replace(b'"messages"', b'"unread"')
    object.__setattr__(without.dossiers[0], "rows", (line,))
    load_into(warehouse, without)
    assert len(warehouse.rows("messages", "id")) == 1


def test_loads_are_recorded_last() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    extracts = world.read(10)
    warehouse.merges_left = 5
    with pytest.raises(Killed):
        load_into(warehouse, extracts)
    assert warehouse.rows("loads", "manifest") == []
    warehouse.merges_left = None
    load_into(warehouse, extracts)
    load_into(warehouse, extracts)
    assert [row[0] for row in warehouse.rows("loads", "manifest")] == sorted(one.url for one in extracts)


def test_repeated_load_repairs_lost_rows() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    extracts = world.read(10)
    load_into(warehouse, extracts)
    warehouse.write([(CHAMP_ROWS, hard_delete_dossiers(CHAMP_ROWS, [1]))])
    load_into(warehouse, extracts)
    assert warehouse.rows("champs", "dossier_number", "text_value") == [(1, "secret-1-0")]


def test_load_counts_what_is_new_what_changed_and_what_was_read_again() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    world.play("deposit", 2, 10)
    world.play("deposit", 3, 10)
    first = load_into(warehouse, world.read(10))
    assert first.summary_line() == "loaded 3 dossiers (3 new)"
    world.play("deposit", 4, 10)
    world.play("message", 1, 10)
    world.play("purge", 3, 10)
    report = load_into(warehouse, world.read(10))
    assert (report.new, report.updated, report.rows["dossiers"]) == (1, 1, 3)
    assert report.summary_line() == "loaded 3 dossiers (1 new, 1 updated, 1 unchanged), 1 erased"
    assert load_into(warehouse, LandedExtracts()).summary_line() == "loaded 0 dossiers"


def test_load_that_waited_counts_what_its_first_attempt_loaded() -> None:
    first, last = LoadReport(new=2, updated=1), LoadReport()
    for report in (first, last):
        report.rows["dossiers"] = 4
    assert last.including([first]).summary_line() == "loaded 4 dossiers (2 new, 1 updated, 1 unchanged)"


def test_older_version_changes_nothing() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    before = world.read(10)
    world.play("move", 1, 20)
    load_into(warehouse, world.read(20))
    report = load_into(warehouse, before)
    assert (report.older, report.rows["dossiers"]) == (1, 0)
    assert warehouse.rows("dossiers", "number", "groupe_instructeur_number") == [(1, 20)]


def test_dossier_loaded_after_a_scan_has_not_vanished() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    world.play("expire", 1, 10)
    (vanished,) = lost(world, 1)
    world.play("restore", 1, 10)
    load_into(warehouse, world.read(10))
    load_into(warehouse, LandedExtracts(), vanished=[vanished])
    check(warehouse, world)
    assert warehouse.rows("deleted_dossiers", "number") == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_group_row_comes_from_the_latest_extraction(at_once: bool, newest_first: bool) -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    world.play("deposit", 2, 10)
    before = with_label(world.read_numbers(10, [1]), "before")
    after = with_label(world.read_numbers(10, [2]), "after")
    extracts = [after, before] if newest_first else [before, after]
    for each in [together(*extracts)] if at_once else extracts:
        load_into(warehouse, each)
    assert warehouse.rows("groupes_instructeurs", "number", "label") == [(10, "after")]


def with_label(extracts: LandedExtracts, label: str) -> LandedExtracts:
    """Return the extracts with another label of the group."""
    (landed,) = extracts.dossiers
    default = json.dumps("défaut").encode()
    rows = tuple(row.replace(default, json.dumps(label).encode()) for row in rows_in(extracts))
    object.__setattr__(landed, "rows", rows)
    return extracts


def test_form_survives_a_dossier_that_only_names_its_revision() -> None:
    world, warehouse = World(), QuickWarehouse()
    form = demarche(revision("r1", [descriptor("c1", "Nom")]), number=DEMARCHE)
    load_into(warehouse, LandedExtracts(), demarches=[(form, START)])
    world.play("deposit", 1, 10)
    load_into(warehouse, world.read(10))
    ((published,),) = warehouse.rows("revisions", "date_publication")
    assert published == datetime(2026, 1, 1, 9, tzinfo=timezone.utc)
    assert warehouse.rows("champ_descriptors", "id", "label") == [("c1", "Nom")]


def test_report_of_a_load_that_others_interrupted_counts_what_it_had_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    world, warehouse = World(), QuickWarehouse()
    for number in NUMBERS:
        world.play("deposit", number, 10)
    load_into(warehouse, world.read(10))
    world.play("purge", 1, 10)
    forms = [demarche(revision("r1", [descriptor("a", "Nom")]), revision("r2", [descriptor("a", "Prénom")]))]
    interruptions = iter([DSWarehouseLockedError("somebody holds dossiers")])

    def create_indexes(tables: Any) -> None:
        for interruption in interruptions:
            raise interruption

    monkeypatch.setattr(warehouse, "create_indexes", create_indexes)
    monkeypatch.setattr("ds_provider.warehouse.database.waiting.PAUSE_SECONDS", 0.0)
    extracts = world.read(10)
    report = load_into(warehouse, extracts, demarches=[(form, START) for form in forms])
    assert report.erased == 1
    assert report.tombstones == {"deleted": 1}
    assert [each.revision_after for each in report.drift] == ["r2"]
    assert report.rows["loads"] == len(list(extracts))


def test_drift_is_reported_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    warehouse = QuickWarehouse()
    first = revision("r1", [descriptor("c1", "Nom")])
    second = revision("r2", [descriptor("c1", "Nom d'usage"), descriptor("c2", "Âge", "IntegerNumber")])
    form = demarche(first, second, number=DEMARCHE)
    drift, drift_again = (load_into(warehouse, LandedExtracts(), demarches=[(form, START)]).drift for _ in range(2))
    assert [change.change for change in drift[0].changes] == ["renamed", "added"]
    assert drift_again == []
    assert [record.getMessage() for record in caplog.records if "démarche 12" in record.getMessage()] == [
        "démarche 12: 1 revision of the form new here, champs: 1 renamed, 1 added"
    ]


def test_extraction_by_numbers_is_recorded_as_incomplete() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    load_into(warehouse, together(world.read_numbers(10, [1]), world.read(10)))
    noted = warehouse.rows("loads", "stream", "complete")
    assert noted == [
        ("deleted_dossiers", True),
        ("dossiers", False),
        ("dossiers", True),
        ("pending_deleted_dossiers", True),
    ]


@settings(max_examples=30, deadline=None)
@given(days=DAYS, merges=st.integers(0, 14), purged=st.sets(st.sampled_from(NUMBERS)))
def test_killed_load_leaves_no_orphans_after_the_next_one(
    days: list[list[tuple[str, int, int]]], merges: int, purged: set[int]
) -> None:
    world, warehouse = World(), QuickWarehouse()
    *before, last = live(days, world)
    for extracts in before:
        load_into(warehouse, extracts)
    warehouse.merges_left = merges
    with suppress(Killed):
        load_into(warehouse, last)
    warehouse.merges_left = None
    # the dossiers of a test démarche are in no list of deletions
    for number in purged:
        world.dossiers.pop(number, None)
    load_into(warehouse, together(*(world.read(group) for group in GROUPS)))
    shown = {row[0] for row in warehouse.rows("dossiers", "number")}
    for table, key in TABLES_OF_DOSSIERS.items():
        assert {row[0] for row in warehouse.rows(table, key)} <= shown, table
    assert warehouse.rows("loads", "generation", "manifest")
    assert ("unfinished", "") not in warehouse.rows("loads", "generation", "manifest")


@pytest.mark.parametrize("order", [1, -1])
def test_dossier_twice_in_an_extract_is_loaded_once_in_its_later_version(order: int) -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    before = world.read_numbers(10, [1])
    world.play("move", 1, 20)
    after = world.read_numbers(10, [1])
    lines = [rows_in(before)[0], rows_in(after)[0], rows_in(after)[0]][::order]
    object.__setattr__(after.dossiers[0], "rows", tuple(lines))
    load_into(warehouse, after)
    assert warehouse.rows("dossiers", "number", "groupe_instructeur_number") == [(1, 20)]
    assert len(warehouse.rows("champs", "dossier_number")) == 1


def test_hidden_dossier_is_flagged_when_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    shown = world.read(10)
    world.play("hide", 1, 10)

    def killed(sql: str) -> None:
        raise Killed

    monkeypatch.setattr(warehouse, "execute", killed)
    with pytest.raises(Killed):
        load_into(warehouse, together(shown, world.read(10)))
    flags = warehouse.rows("dossiers", "number", "deletion_stage", "deletion_reason")
    assert flags == [(1, "pending", "user_request")]


def test_restored_dossier_loses_its_flag_before_it_is_read_again() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    load_into(warehouse, world.read(10))
    world.play("hide", 1, 10)
    load_into(warehouse, world.read(10))
    world.play("restore", 1, 10)
    load_into(warehouse, LandedExtracts(pending=world.read(10).pending))
    flags = warehouse.rows("dossiers", "number", "deletion_stage", "deletion_reason", "deletion_date")
    assert flags == [(1, None, None, None)]


def rows_in(extracts: LandedExtracts) -> tuple[bytes, ...]:
    (landed,) = extracts.dossiers
    return cast("Any", landed).rows  # type: ignore[no-any-return]


@pytest.mark.parametrize("merges", [1, 3, 5])
@pytest.mark.parametrize("is_first", [True, False])
def test_next_load_removes_orphans_of_a_killed_load(is_first: bool, merges: int) -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 2, 10)
    if not is_first:
        load_into(warehouse, world.read(10))
    world.play("deposit", 1, 10)
    world.play("message", 1, 10)
    warehouse.merges_left = merges
    with pytest.raises(Killed):
        load_into(warehouse, world.read(10))
    warehouse.merges_left = None
    assert 1 in {row[0] for row in warehouse.rows("champs", "dossier_number")}
    del world.dossiers[1]
    load_into(warehouse, world.read(10))
    assert_gone(warehouse, {1})
    check(warehouse, world)


def test_extract_between_two_snapshots_does_not_restore_a_dossier() -> None:
    world, warehouse = World(), QuickWarehouse()
    world.play("deposit", 1, 10)
    load_into(warehouse, world.read(10))
    world.play("hide", 1, 10)
    hidden = world.dossiers[1]
    load_into(warehouse, world.read(10))
    world.dossiers[1] = replace(hidden, hidden=None, modified=world.tick())
    between = world.read(10).dossiers
    world.dossiers[1] = hidden
    load_into(warehouse, world.read(10))
    load_into(warehouse, LandedExtracts(dossiers=between))
    assert warehouse.rows("dossiers", "number", "deletion_stage") == [(1, "pending")]


@pytest.mark.parametrize("is_read", [True, False])
def test_wide_rows_follow_their_dossier_also_where_champs_are_not_read(is_read: bool) -> None:
    world, warehouse = World(), QuickWarehouse()
    for number in (1, 2):
        world.play("deposit", number, 10)
    load_into(warehouse, world.read(10))
    world.play("move", 1, 20)
    extracts = world.read(20)
    landed = cast("Landed", extracts.dossiers[0])
    if not is_read:
        nodes = [{**json.loads(line), "champs": None, "annotations": None} for line in landed.rows]
        extracts = replace(
            extracts, dossiers=[replace(landed, rows=tuple(json.dumps(node).encode() for node in nodes))]
        )
    report = load_into(warehouse, extracts)
    # so those who wait for the table's asset are woken
    assert report.rows["demarche_12"] == 1
    assert warehouse.rows("demarche_12", "number", "groupe_instructeur_number", "nom") == [
        (1, 20, "secret-1-0"),
        (2, 10, "secret-2-0"),
    ]
    assert_wide_rows_equal_dossiers(warehouse)
