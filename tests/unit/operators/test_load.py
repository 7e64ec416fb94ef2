"""Load: extracts go into tables, counts come back, and bad parameters are refused before anything is loaded."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors

from ds_provider.api.transport.clock import ServiceClock
from ds_provider.assets import TABLES
from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.landing.manifest import read_manifest
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.tables.schemas import DOSSIERS
from tests.support.operator_service import START
from tests.support.operator_warehouse import PERSON, context
from tests.support.warehouse_rows import rows_of

EIGHTS = list(range(800, 810))
SEVENS = list(range(700, 710))


def landed(destination, groupe=7, **asked):
    made = DSExtractDossiersOperator(task_id="e", groupe_instructeur_number=groupe, destination=destination, **asked)
    return made.execute(context())


def deletions(destination, groupe=7):
    made = DSExtractDeletedDossiersOperator(task_id="d", groupe_instructeur_number=groupe, destination=destination)
    return made.execute(context())


def load(manifests, **asked):
    return DSLoadOperator(task_id="l", manifests=manifests, **asked).execute(context())


def numbers(hooks, table="dossiers", column="number"):
    return [number for (number,) in hooks.warehouse.rows(table, column)]


def test_load_returns_counts_that_xcom_takes(world, hooks, destination):
    counts = load(landed(destination))
    assert {name: counts["rows"][name] for name in ("dossiers", "champs", "demarche_12", "loads")} == {
        "dossiers": 10,
        "champs": 10,
        "demarche_12": 10,
        "loads": 1,
    }
    assert {name: counts[name] for name in ("older", "gone", "erased", "restored")} == dict.fromkeys(
        ("older", "gone", "erased", "restored"), 0
    )
    assert json.loads(json.dumps(counts)) == counts
    assert PERSON not in json.dumps(counts)
    assert numbers(hooks) == numbers(hooks, "champs", "dossier_number") == SEVENS


@pytest.mark.parametrize("again", [1, 2])
def test_extract_loaded_twice_is_loaded_once(again, world, hooks, destination):
    summary = landed(destination)
    for _ in range(again):
        load([summary, summary])
    assert numbers(hooks) == SEVENS
    assert numbers(hooks, "champs", "dossier_number") == SEVENS
    assert len(hooks.warehouse.rows("loads", "manifest")) == 1


@pytest.mark.parametrize("nested", ["dict", "list", "lists", "lazy", "text", "json"])
def test_load_accepts_summaries_in_any_nesting(nested, world, hooks, destination):
    several, more = landed(destination, [7, 8]), deletions(destination, [7, 8])
    given = {
        "dict": several[0],
        "list": several,
        "lists": [several, None, [more, None]],
        "lazy": (each for each in (several, more)),
        "text": several[0]["manifest"],
        "json": json.dumps([several, more]),
    }[nested]
    load(given)
    assert numbers(hooks) == (SEVENS if nested in ("dict", "text") else SEVENS + EIGHTS)


@pytest.mark.parametrize("none", [[], [[], []], "[]", ()], ids=repr)
def test_empty_list_loads_nothing_and_says_so(none, hooks, caplog, capfd):
    assert not any(load(none)["rows"].values())
    assert "manifests is an empty list: nothing is loaded" in "".join(capfd.readouterr()) + caplog.text


def test_earlier_versions_do_not_replace_later_ones(world, hooks, destination):
    before = landed(f"{destination}/before")
    world.show(700, at=900, state="refuse")
    after = landed(f"{destination}/after")
    load(after)
    assert load(before)["older"] == 10, "what did not change was read again later"
    assert hooks.warehouse.rows("dossiers", "number", "state")[0] == (700, "refuse")


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({}, {700: "pending"}),
        ({"on_pending": "erase"}, {}),
        ({"on_deleted": "flag"}, {700: "pending", 701: "deleted"}),
        ({"on_deleted": "flag", "on_pending": "erase"}, {701: "deleted"}),
    ],
)
def test_deletions_follow_the_policy(policy, kept, world, hooks, destination):
    load(landed(destination), **policy)
    world.hide(700, at=2000)
    world.delete(701, at=2000)
    counts = load(deletions(destination), **policy)
    assert {n: stage for n, stage in hooks.warehouse.rows("dossiers", "number", "deletion_stage") if stage} == kept
    assert set(numbers(hooks, "champs", "dossier_number")) == set(SEVENS) - {700, 701} | set(kept)
    assert (counts["erased"], counts["tombstones"]) == (2 - len(kept), {"pending": 1, "deleted": 1})
    assert hooks.warehouse.rows("deleted_dossiers", "number", "stage", "reason") == [
        (700, "pending", "user_request"),
        (701, "deleted", "expired"),
    ]


def test_erased_dossiers_of_earlier_extracts_are_not_loaded(world, hooks, destination):
    before = landed(destination)
    world.delete(701, at=2000)
    load(deletions(destination))
    counts = load(before)
    assert (counts["gone"], numbers(hooks)) == (1, [number for number in SEVENS if number != 701])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("on_pending", "keep", "'flag' or 'erase'"),
        ("on_deleted", None, "'flag' or 'erase'"),
        ("manifests", 12, "what the extract operators return"),
        ("manifests", {"rows": 3}, "what the extract operators return"),
        ("manifests", "[1, 2", "what the extract operators return"),
        ("demarche_number", "douze", "number"),
        ("demarche_number", 0, "number"),
    ],
)
def test_parameter_that_cannot_work_is_named_before_anything_is_loaded(
    name, value, message, world, hooks, destination, monkeypatch
):
    monkeypatch.setattr("ds_provider.operators.load.DSHook", world.service.hook)
    asked = {"manifests": landed(destination), name: value}
    before = len(world.service.requests)
    with pytest.raises(DSConfigurationError, match=f"^{name}\\b") as caught:
        load(**asked)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hooks.warehouse.table_names() == set()
    assert len(world.service.requests) == before
    assert world.service.conn_ids == ["ds_default"]


def test_missing_extract_is_named(hooks, destination):
    with pytest.raises(DSDestinationError, match="nowhere"):
        load(f"{destination}/nowhere/manifest.json")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "My data"}, "dataset"),
        ({"dataset": "a" * 41}, "dataset"),
        ({"warehouse_conn_id": "nobodys"}, "nobodys"),
        ({"warehouse_conn_id": "files"}, "connection 'files'.*give a database"),
        ({"warehouse_conn_id": "half"}, "connection 'half'.*needs its"),
    ],
)
def test_invalid_warehouse_is_named(given, message, monkeypatch, destination):
    monkeypatch.setenv("AIRFLOW_CONN_FILES", json.dumps({"conn_type": "aws"}))
    monkeypatch.setenv("AIRFLOW_CONN_HALF", json.dumps({"conn_type": "postgres"}))
    with pytest.raises(Exception, match=message) as caught:
        load(f"{destination}/nowhere/manifest.json", **given)
    assert "\n" not in str(caught.value)


def test_missing_extra_is_named_in_one_line(monkeypatch, destination):
    monkeypatch.setattr("ds_provider.warehouse.database.destinations._is_installed", lambda module: module != "dlt")
    with pytest.raises(DSConfigurationError, match=r"pip install '.*\[warehouse\]'") as caught:
        load(f"{destination}/nowhere/manifest.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "conn_id"), [(None, None), ("dwh", "dwh")])
def test_operator_opens_the_named_warehouse(given, conn_id, hooks):
    load([], warehouse_conn_id=given, dataset="ds")
    assert hooks.asked == [(conn_id, "ds")]


@pytest.mark.parametrize(
    ("given", "asked"), [(None, []), (12, [12]), ("12", [12]), ([12, "13", 12], [12, 13])], ids=repr
)
def test_forms_are_read_for_the_given_demarches(given, asked, hooks, monkeypatch):
    read = []
    answer = {"number": 12, "groupeInstructeurs": [], "revisions": [], "publishedRevision": None, "draftRevision": None}

    def hook(conn_id):
        return SimpleNamespace(
            clock=ServiceClock(), get_revisions=lambda number: read.append((conn_id, number)) or answer
        )

    monkeypatch.setattr("ds_provider.operators.load.DSHook", hook)
    load([], demarche_number=given, ds_conn_id="other")
    assert read == [("other", number) for number in asked]


def test_log_holds_counts_and_no_personal_data(world, hooks, destination, lines):
    summary = landed(destination)
    world.delete(701, at=2000)
    lines()
    load([summary, deletions(destination)])
    said = lines()
    assert any("loaded 9 dossiers (9 new), 1 left out, hidden or deleted by now; " in line for line in said)
    assert not [line for line in said if PERSON in line]


def test_loaded_watermark_is_saved_last(world, hooks, destination):
    bounds = {"updated_since": START.isoformat(), "updated_until": (START + timedelta(hours=1)).isoformat()}
    summary = landed(destination, **bounds)
    made = DSLoadOperator(task_id="l", manifests=summary)
    store = {}

    class Stores:
        def __getitem__(self, asset):
            assert asset.uri.endswith("/dossiers")
            return SimpleNamespace(get=store.get, set=store.__setitem__)

    made.execute({"asset_state_store": Stores()})
    reached = min(START + timedelta(hours=1), read_manifest(summary["manifest"]).read_started_at)
    assert list(store.values()) == [reached.isoformat()]


def test_event_of_the_dossiers_says_from_when_to_when_their_groups_are_loaded(world, hooks, destination):
    summary = landed(destination)
    made = DSLoadOperator(task_id="l", manifests=summary)
    events = OutletEventAccessors()
    made.execute({"outlet_events": events})
    extras = {asset.name: events[asset].extra for asset in made.outlets}
    (dossiers,) = (extra for extra in extras.values() if "coverage" in extra)
    started = read_manifest(summary["manifest"]).read_started_at
    assert dossiers["coverage"] == {"7": [None, started.isoformat()]}
    assert len(extras) > 1


def test_load_into_a_real_database(world, destination, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    load([landed(destination), deletions(destination)])
    assert rows_of(DSWarehouseHook().warehouse(), DOSSIERS, "number") == [(number,) for number in SEVENS]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (None, set()),
        (12, {"champ_descriptors", "demarche_12"}),
        ([12, "13"], {"champ_descriptors", "demarche_12", "demarche_13"}),
        ("{{ params.demarche }}", {"champ_descriptors"}),
    ],
)
def test_outlets_are_the_tables_that_the_load_can_change(given, more):
    made = DSLoadOperator(task_id="l", manifests=[], demarche_number=given)
    assert {asset.name for asset in made.outlets} == {
        f"demarches_simplifiees.{name}" for name in {*TABLES} - {"champ_descriptors"} | more
    }
