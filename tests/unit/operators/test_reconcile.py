"""Reconciliation finds and repairs every difference, and flags nothing on half of the facts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from ds_provider.exceptions import DSConfigurationError, DSError, DSGroupesFailedError, DSQuarantinedError
from ds_provider.landing.manifest import read_manifest
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.sync.manifests import manifests_in
from ds_provider.tables import schemas
from ds_provider.tables.rows.building import hard_delete_dossiers
from ds_provider.warehouse.reconciliations import record_reconciliation
from tests.support.flows import response
from tests.support.numbered_dossiers import is_by_numbers
from tests.support.operator_service import START, from_the_second_page, unauthorized
from tests.support.operator_warehouse import GROUPES, PERSON, context
from tests.support.quick_warehouse import Killed

NOTHING = dict.fromkeys(("missing", "moved", "stale", "restored", "hidden", "vanished", "read"), 0)
TABLES = {"dossiers": "number", "champs": "dossier_number", "demarche_12": "number"}


@pytest.fixture
def loaded(world, hooks, destination):
    """Have all dossiers in the warehouse, and no request remembered."""
    load(destination)
    world.service.requests.clear()
    return world


def load(destination):
    given = {"groupe_instructeur_number": list(GROUPES), "destination": destination}
    kinds = (DSExtractDossiersOperator, DSExtractDeletedDossiersOperator)
    manifests = [kind(task_id="e", **given).execute(context()) for kind in kinds]
    DSLoadOperator(task_id="l", manifests=manifests).execute(context())


def reconcile(destination, groupes=GROUPES, **asked):
    given = {"groupe_instructeur_number": list(groupes), "destination": destination, **asked}
    return DSReconcileOperator(task_id="r", **given).execute(context())


def test_log_says_what_differed_in_one_line(loaded, hooks, destination, lines):
    lines()
    reconcile(destination)
    (said,) = [line for line in lines() if "scanned" in line]
    assert f"{len(GROUPES)} groups scanned, {len(loaded.shown)} dossiers shown; the tables hold the same; " in said
    hooks.warehouse.write([(schemas.DOSSIERS, hard_delete_dossiers(schemas.DOSSIERS, [min(loaded.shown)]))])
    reconcile(destination)
    (said,) = [line for line in lines() if "scanned" in line]
    assert "; 1 difference (1 missing), 1 read again; loaded 1 dossier (1 new); " in said


def found(counts):
    return {name: count for name, count in counts.items() if name in NOTHING and count}


def rows(hooks):
    return [tuple(row) for row in hooks.warehouse.rows("dossiers", "number", "groupe_instructeur_number", "state")]


def unflagged(hooks):
    return {
        number: (groupe, state, date)
        for number, groupe, state, date, stage in hooks.warehouse.rows(
            "dossiers",
            "number",
            "groupe_instructeur_number",
            "state",
            "date_derniere_modification",
            "deletion_stage",
        )
        if stage is None
    }


def truth(world):
    return {n: (world.groupe_of[n], dict(row.more)["state"], row.date) for n, row in world.shown.items()}


def stages(hooks):
    return dict(hooks.warehouse.rows("deleted_dossiers", "number", "stage"))


def check_repaired(world, hooks, destination):
    assert unflagged(hooks) == truth(world)
    again = reconcile(destination)
    assert found(again) == {}
    assert unflagged(hooks) == truth(world)


def test_reconciliation_without_differences_only_scans(loaded, hooks, destination):
    for number in range(1000, 1140):
        loaded.show(number, 7)
    load(destination)
    loaded.service.requests.clear()
    counts = reconcile(destination)
    # 150 dossiers in one group, 10 in the other
    assert counts == {"groupes": 2, "shown": 160, "requests": 3, **NOTHING}
    assert len(loaded.service.requests) == 3
    assert json.loads(json.dumps(counts)) == counts


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda world: world.show(790, 7, at=50_000), "missing"),
        (lambda world: world.show(700, 7, at=50_000), "stale"),
        (lambda world: world.show(700, 7, at=700, state="refuse"), "stale"),
        (lambda world: world.show(700, 8, at=50_000), "moved"),
        (lambda world: world.hide(700, at=50_000), "hidden"),
        (lambda world: world.delete(700, at=50_000), "hidden"),
        (lambda world: world.expire(700), "vanished"),
    ],
    ids=["missing", "later", "other_state", "moved", "pending", "deleted", "vanished"],
)
def test_each_difference_is_repaired(change, kind, loaded, hooks, destination):
    change(loaded)
    counts = reconcile(destination)
    assert found(counts) == {kind: 1, **({"read": 1} if kind in ("missing", "stale", "moved") else {})}
    check_repaired(loaded, hooks, destination)
    assert set(stages(hooks).values()) == {"hidden": {"pending"} | {"deleted"}, "vanished": {"vanished"}}.get(
        kind, set()
    ) & set(stages(hooks).values())


@pytest.mark.parametrize(
    ("go", "stage", "kept"), [("hide", "pending", True), ("delete", "deleted", False), ("expire", "vanished", True)]
)
def test_deleted_and_vanished_dossiers_are_flagged_or_erased(go, stage, kept, loaded, hooks, destination):
    getattr(loaded, go)(700)
    reconcile(destination)
    assert stages(hooks) == {700: stage}
    for table, column in TABLES.items():
        assert (700 in {number for (number,) in hooks.warehouse.rows(table, column)}) is kept, table
    assert dict(hooks.warehouse.rows("dossiers", "number", "deletion_stage")).get(700) == (stage if kept else None)


@pytest.mark.parametrize("go", ["hide", "expire"])
def test_dossier_that_comes_back_is_restored_whole(go, loaded, hooks, destination):
    getattr(loaded, go)(700)
    reconcile(destination, on_pending="erase")
    loaded.show(700, 7, at=60_000)
    counts = reconcile(destination)
    assert found(counts) == {"missing" if go == "hide" else "restored": 1, "read": 1}
    assert stages(hooks) == {}
    check_repaired(loaded, hooks, destination)


def test_all_dossiers_are_missing_from_an_empty_warehouse(world, hooks, destination):
    world.hide(700)
    assert found(reconcile(destination)) == {"missing": 19, "read": 19}
    check_repaired(world, hooks, destination)


def test_dossier_that_moves_during_the_scan_is_found_by_its_number(loaded, hooks, destination):
    def move(request):
        # the scan of the first group is over, that of the second is answered without the dossier
        loaded.service.failures.clear()
        rows = loaded.service.rows
        shown = rows[8, "dossiers"]
        loaded.show(800, 7, at=50_000)
        seen, rows[8, "dossiers"] = rows[8, "dossiers"], [row for row in shown if row.number != 800]
        answer = loaded.service.alone(request)
        rows[8, "dossiers"] = seen
        return answer

    loaded.service.fails(8, move)
    assert found(reconcile(destination)) == {"moved": 1, "read": 1}
    check_repaired(loaded, hooks, destination)


def test_other_groups_are_left_alone(loaded, hooks, destination):
    loaded.expire(700)
    loaded.expire(800)
    assert found(reconcile(destination, [8])) == {"vanished": 1}
    assert stages(hooks) == {800: "vanished"}


def test_reconciliation_opens_each_extract_once_and_pushes_all_summaries(loaded, hooks, destination, monkeypatch):
    opened = []

    def read(url):
        opened.append(url)
        return read_manifest(url)

    monkeypatch.setattr("ds_provider.warehouse.extracts.read_manifest", read)
    loaded.show(790, 7, at=50_000)
    loaded.delete(800)
    loaded.service.conn_ids.clear()
    task_context = context()
    given = {"groupe_instructeur_number": list(GROUPES), "destination": destination}
    DSReconcileOperator(task_id="r", **given).execute(task_context)
    landed = task_context["ti"].pushed["landed"]
    assert [(summary["groupe_instructeur_number"], summary["rows"]) for summary in landed] == [(7, 0), (8, 1), (7, 1)]
    assert sorted(opened) == sorted(manifests_in(landed))
    assert len(loaded.service.conn_ids) == 1, "over one connection"


def test_groups_may_come_in_batches(loaded, hooks, destination):
    loaded.expire(700)
    assert reconcile(destination, [[7], [8]])["groupes"] == 2
    assert stages(hooks) == {700: "vanished"}


@pytest.mark.parametrize("failure", [lambda request: unauthorized(), lambda request: response(status=503)])
def test_group_that_cannot_be_scanned_is_an_error_and_changes_nothing(failure, loaded, hooks, destination):
    loaded.show(790, 7)
    loaded.expire(700)
    before = rows(hooks)
    loaded.service.fails(8, failure)
    with pytest.raises(DSError):
        reconcile(destination)
    assert (rows(hooks), stages(hooks)) == (before, {})


def test_scan_that_ends_half_way_is_an_error_and_changes_nothing(loaded, hooks, destination):
    for number in range(1000, 1140):
        loaded.show(number, 7)
    load(destination)
    loaded.service.fails(7, from_the_second_page(unauthorized()))
    with pytest.raises(DSError):
        reconcile(destination)
    assert stages(hooks) == {}


@pytest.mark.parametrize("connection", ["deletedDossiers", "pendingDeletedDossiers"])
def test_no_dossier_is_flagged_as_vanished_if_deletions_cannot_be_read(connection, loaded, hooks, destination):
    loaded.delete(700)
    loaded.hide(701)
    loaded.expire(800)
    loaded.show(890, 8)
    loaded.service.fails(7, lambda request: unauthorized() if f" {connection}(" in request.query else None)
    with pytest.raises(DSGroupesFailedError) as caught:
        reconcile(destination)
    assert set(caught.value.failures) == {7}
    assert stages(hooks) == {}
    assert 890 in unflagged(hooks)
    loaded.service.failures.clear()
    assert found(reconcile(destination)) == {"hidden": 2, "vanished": 1}
    assert stages(hooks) == {700: "deleted", 701: "pending", 800: "vanished"}


def test_dossier_that_moved_before_it_was_hidden_has_not_vanished(loaded, hooks, destination):
    loaded.show(700, 8)
    loaded.hide(700)
    assert found(reconcile(destination)) == {"hidden": 1}
    assert stages(hooks) == {700: "pending"}


def test_poison_dossier_is_named_once_all_others_are_repaired(loaded, hooks, destination):
    for number in (790, 791, 792):
        loaded.show(number, 7)
    loaded.expire(700)
    loaded.service.fails(791, lambda request: response(status=500))
    with pytest.raises((DSGroupesFailedError, DSQuarantinedError), match="791"):
        reconcile(destination)
    assert {790, 792} <= unflagged(hooks).keys()
    assert 791 not in unflagged(hooks)
    assert stages(hooks) == {700: "vanished"}
    counts = reconcile(destination, on_dossier_error="quarantine")
    assert found(counts) == {"missing": 1}
    loaded.service.failures.clear()
    assert found(reconcile(destination)) == {"missing": 1, "read": 1}
    check_repaired(loaded, hooks, destination)


@pytest.mark.parametrize("merges", range(0, 14, 2))
def test_killed_reconciliation_can_be_run_again(merges, loaded, hooks, destination):
    loaded.show(790, 7)
    loaded.show(800, 7, at=50_000)
    loaded.delete(801)
    loaded.hide(802)
    loaded.expire(803)
    hooks.warehouse.merges_left = merges
    with pytest.raises(Killed):
        reconcile(destination)
    hooks.warehouse.merges_left = None
    reconcile(destination)
    assert stages(hooks) == {801: "deleted", 802: "pending", 803: "vanished"}
    for table, column in TABLES.items():
        assert 801 not in {number for (number,) in hooks.warehouse.rows(table, column)}
    check_repaired(loaded, hooks, destination)


def test_dossier_that_vanished_long_ago_is_erased(loaded, hooks, destination):
    loaded.expire(700)
    reconcile(destination)
    reconcile(destination, erase_vanished_after=timedelta(days=1))
    assert 700 in dict(rows_by_number(hooks))
    reconcile(destination, erase_vanished_after=timedelta(microseconds=1))
    assert 700 not in dict(rows_by_number(hooks))
    assert stages(hooks) == {700: "vanished"}
    assert found(reconcile(destination)) == {}


def rows_by_number(hooks):
    return hooks.warehouse.rows("dossiers", "number", "deletion_stage")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("groupe_instructeur_number", "sept"),
        ("groupe_instructeur_number", []),
        ("on_pending", "keep"),
        ("on_deleted", None),
        ("erase_vanished_after", None),
        ("erase_vanished_after", 45),
        ("erase_vanished_after", timedelta(0)),
        ("include_champs", "perhaps"),
        ("on_dossier_error", "ignore"),
    ],
)
def test_parameter_that_cannot_work_is_named_before_any_request(name, value, world, hooks, destination):
    given = {"groupe_instructeur_number": [7], "destination": destination, name: value}
    with pytest.raises(DSConfigurationError, match=rf"^{name}\b") as caught:
        DSReconcileOperator(task_id="r", **given).execute(context())
    assert "\n" not in str(caught.value)
    assert world.service.requests == []
    assert hooks.warehouse.table_names() == set()


def test_includes_choose_the_parts_that_are_read(world, hooks, destination):
    reconcile(destination, include_messages="true", include_champs="false")
    asked = next(request.variables for request in world.service.requests if is_by_numbers(request))
    assert (asked["includeMessages"], asked["includeChamps"], asked["includeAnnotations"]) == (True, False, True)


@pytest.mark.parametrize(("given", "conn_id"), [(None, None), ("dwh", "dwh")])
def test_operator_opens_the_named_warehouse(given, conn_id, loaded, hooks, destination):
    hooks.asked.clear()
    reconcile(destination, warehouse_conn_id=given, dataset="ds")
    assert hooks.asked == [(conn_id, "ds")]


def test_log_holds_counts_and_no_personal_data(loaded, hooks, destination, capfd, caplog):
    loaded.show(790, 7)
    loaded.expire(700)
    capfd.readouterr()
    reconcile(destination)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "1 missing" in said
    assert "1 vanished" in said
    assert PERSON not in said
    assert START.isoformat() not in said


def test_run_that_is_not_due_sends_no_request_and_ends_green(loaded, hooks, destination):
    loaded.show(700, at=50_000)
    assert reconcile(destination, every=timedelta(days=1)) == {}
    assert loaded.service.requests == []
    assert found(reconcile(destination)) == {"stale": 1, "read": 1}


def test_run_is_due_once_the_days_since_the_last_reconciliation_have_passed(loaded, hooks, destination):
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    loaded.show(700, at=50_000)
    record_reconciliation(hooks.warehouse, GROUPES, yesterday)
    assert reconcile(destination, every=timedelta(days=2)) == {}
    assert found(reconcile(destination, every=timedelta(days=1))) == {"stale": 1, "read": 1}
    assert reconcile(destination, every=timedelta(days=1)) == {}


def test_reconciliation_that_failed_is_due_again(loaded, hooks, destination):
    record_reconciliation(hooks.warehouse, GROUPES, datetime.now(timezone.utc) - timedelta(days=1))
    loaded.expire(700)
    loaded.service.fails(7, lambda request: unauthorized() if " deletedDossiers(" in request.query else None)
    with pytest.raises(DSGroupesFailedError):
        reconcile(destination, every=timedelta(days=1))
    loaded.service.fails(7, lambda request: None)
    assert found(reconcile(destination, every=timedelta(days=1))) == {"vanished": 1}
