"""Incremental windows: of each group what the warehouse lacks is extracted, whatever happened to earlier runs."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta, timezone

import pytest

from ds_provider.api.query.parameters import DELETIONS_OVERLAP
from ds_provider.exceptions import DSConfigurationError
from ds_provider.landing.manifest import read_manifest
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.warehouse.coverage import read_coverage
from tests.support.flows import response
from tests.support.operator_service import START
from tests.support.operator_warehouse import context
from tests.unit.operators.test_quarantine import poison


def extract(destination, groupes=(7, 8), **asked):
    made = DSExtractDossiersOperator(
        task_id="e",
        groupe_instructeur_number=list(groupes),
        destination=destination,
        **{"window": "incremental"} | asked,
    )
    return made.execute(context())


def extract_deletions(destination, groupes=(7, 8), **asked):
    made = DSExtractDeletedDossiersOperator(
        task_id="d",
        groupe_instructeur_number=list(groupes),
        destination=destination,
        **{"window": "incremental"} | asked,
    )
    return made.execute(context())


def load(manifests):
    return DSLoadOperator(task_id="l", manifests=manifests).execute(context())


def windows(summaries) -> list[list[str | None] | None]:
    return [summary["window"] for summary in summaries]


def rows(summaries) -> list[int]:
    return [summary["rows"] for summary in summaries]


def seconds_until_now() -> int:
    return int((datetime.now(timezone.utc) - START).total_seconds())


def test_first_run_extracts_the_full_groups_and_the_next_what_changed(world, hooks, destination):
    first = extract(destination)
    assert (windows(first), rows(first)) == ([None, None], [10, 10])
    load(first)
    world.show(705, at=seconds_until_now(), state="refuse")
    second = extract(destination)
    coverage = read_coverage(hooks.warehouse)
    assert windows(second) == [[coverage[groupe].iso_bounds[1], None] for groupe in (7, 8)]
    assert rows(second) == [1, 0]
    load(second)
    assert (705, "refuse") in hooks.warehouse.rows("dossiers", "number", "state")


def test_extract_that_was_never_loaded_is_extracted_again(world, hooks, destination):
    extract(destination)
    assert windows(extract(destination)) == [None, None]


def test_end_of_coverage_is_where_the_last_loaded_extract_ended(world, hooks, destination):
    load(extract(destination))
    loaded = extract(destination)
    load(loaded)
    extract(destination)
    started = [read_manifest(summary["manifest"]).read_started_at.isoformat() for summary in loaded]
    assert [start for start, _ in windows(extract(destination))] == started


def test_window_may_come_from_a_template_with_blanks(world, hooks, destination):
    load(extract(destination))
    assert None not in windows(extract(destination, window=" incremental "))


def test_new_group_is_extracted_in_full_and_the_others_are_not(world, hooks, destination):
    load(extract(destination, [7]))
    seven, eight = windows(extract(destination))
    assert seven is not None
    assert eight is None


@pytest.mark.parametrize(
    "loaded",
    [
        {"window": None, "created_since": "2026-10-01T00:00:00Z"},
        {"window": None, "created_until": "2026-12-01T00:00:00Z"},
        {"window": None, "updated_since": "2026-11-01T00:00:00Z"},
        {"window": None, "state": "accepte"},
        {"window": None, "include_champs": False},
    ],
    ids=str,
)
def test_group_is_extracted_in_full_if_its_beginning_is_not_loaded(loaded, world, hooks, destination):
    load(extract(destination, **loaded))
    assert windows(extract(destination)) == [None, None]


def test_group_is_extracted_in_full_if_a_part_was_not_loaded(world, hooks, destination):
    load(extract(destination))
    assert windows(extract(destination, include_messages=True)) == [None, None]
    load(extract(destination, include_messages=True))
    assert None not in windows(extract(destination, include_messages=True))
    assert None not in windows(extract(destination)), "less than what is loaded"


def test_quarantined_dossier_is_read_again_until_it_is_loaded(world, service, hooks, destination, tmp_path):
    poison(service, 7, 703)
    load(extract(destination, on_dossier_error="quarantine"))
    # it can be read again, and what was read then is never loaded
    service.failures.clear()
    healed = response({"data": {"dossier": world.shown[703].node()}})
    service.fails(703, lambda request: healed)
    assert rows(extract(destination)) == [1, 0]
    assert rows(extract(destination)) == [1, 0], "nobody has loaded it"
    elsewhere = extract(f"file://{tmp_path}/elsewhere")
    assert rows(elsewhere) == [1, 0]
    load(elsewhere)
    assert rows(extract(destination)) == [0, 0]
    assert (703,) in hooks.warehouse.rows("dossiers", "number")


def test_groups_are_extracted_in_full_once_a_table_was_dropped(world, hooks, destination):
    load(extract(destination))
    assert None not in windows(extract(destination))
    hooks.warehouse.drop_table("champs")
    assert windows(extract(destination)) == [None, None]
    load(extract(destination))
    assert len(hooks.warehouse.rows("champs", "dossier_number")) == 20


@pytest.mark.parametrize("together", [False, True])
def test_parts_that_a_later_read_without_them_displaced_are_read_again(together, world, hooks, destination):
    full = extract(destination, include_messages=True)
    light = extract(f"{destination}-light", window=None)
    for manifests in [[full, light]] if together else [light, full]:
        load(manifests)
    assert None not in windows(extract(destination))
    assert windows(extract(destination, include_messages=True)) == [None, None]


def test_parts_stay_loaded_though_a_later_read_lacks_them(world, hooks, destination):
    load(extract(destination, include_messages=True))
    load(extract(f"{destination}-light", window=None))
    assert None not in windows(extract(destination, include_messages=True))


def test_deletions_that_could_not_be_read_are_read_again_in_full(world, service, hooks, destination):
    world.delete(701)
    poison(service, 7, 701)
    load(extract_deletions(destination, [7], on_dossier_error="quarantine"))
    service.failures.clear()
    again = extract_deletions(destination, [7])
    assert (windows(again), rows(again)) == ([None], [1])


def test_lookback_moves_the_beginning(world, hooks, destination):
    load(extract(destination))
    (start, _), _ = windows(extract(destination, lookback=timedelta(hours=1)))
    manifest = read_manifest(extract(destination, lookback=timedelta(hours=1))[0]["manifest"])
    assert datetime.fromisoformat(start) - datetime.fromisoformat(manifest.read_from) == timedelta(hours=1)


@pytest.mark.parametrize("filters", [{"state": "accepte"}, {"archived": False}, {"revision": "r1"}], ids=str)
def test_selection_of_some_rows_is_refused_before_any_request(filters, service, hooks, destination):
    with pytest.raises(DSConfigurationError, match=rf"^window='incremental' needs all dossiers.*{next(iter(filters))}"):
        extract(destination, **filters)
    assert service.requests == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"updated_since": "2026-11-01T00:00:00Z"}, "explicit bounds"),
        ({"after": b64encode(b"2026-09-03T10:00:00.000000Z;3").decode()}, "^after is a cursor"),
        ({"lookback": -timedelta(1)}, "^lookback"),
        ({"window": "increment"}, r"^window must be one of incremental, updated, created: got 'increment'"),
    ],
    ids=str,
)
def test_parameters_that_contradict_it_are_refused_before_any_request(more, message, service, hooks, destination):
    with pytest.raises(DSConfigurationError, match=message):
        extract(destination, **more)
    assert service.requests == []


def test_operator_asks_the_named_warehouse(world, hooks, destination):
    extract(destination, warehouse_conn_id="dwh", dataset="ds")
    assert hooks.asked == [("dwh", "ds")]


def test_other_windows_need_no_warehouse(world, hooks, destination):
    extract(destination, window=None)
    extract_deletions(destination, window=None)
    assert hooks.asked == []


def test_deletions_are_extracted_from_the_overlap_before_the_last_loaded_on(world, hooks, destination):
    world.delete(700)
    first = extract_deletions(destination)
    assert (windows(first), rows(first)) == ([None, None], [1, 0])
    load(first)
    read_at = read_manifest(first[0]["manifest"]).read_started_at
    (start, end), _ = windows(extract_deletions(destination))
    assert (datetime.fromisoformat(start), end) == (read_at - DELETIONS_OVERLAP, None)


def test_deletions_that_were_never_loaded_are_extracted_again_in_full(world, hooks, destination):
    load(extract(destination))
    extract_deletions(destination)
    assert windows(extract_deletions(destination)) == [None, None]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"window": "updated"}, "^window must be 'incremental': got 'updated'"),
        ({"deleted_since": "2026-11-01T00:00:00Z"}, "deleted_since"),
    ],
    ids=str,
)
def test_parameters_of_deletions_that_cannot_work_are_refused(more, message, service, hooks, destination):
    with pytest.raises(DSConfigurationError, match=message):
        extract_deletions(destination, **more)
    assert service.requests == []


def test_log_says_how_many_groups_are_extracted_in_full(world, hooks, destination, caplog, capfd):
    load(extract(destination, [7]))
    extract(destination)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "reading dossiers: 1 group from where loaded up to, 20" in said
    assert "; 1 group in full" in said
