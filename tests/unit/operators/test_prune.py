"""Pruning removes loaded and old extracts, and erased dossiers from all others, and nothing else."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath

from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.api.transport.clock import ServiceClock
from ds_provider.exceptions import DSConfigurationError, DSDestinationError, DSWarehouseError
from ds_provider.landing.manifest import read_manifest
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.tables.schemas import DELETED_DOSSIERS, DOSSIERS, LOADS
from tests.support.landing_pages import (
    START,
    begin,
    land,
    page,
    pending_numbers,
    poison_page,
    rows_of,
    writer_at,
    zone_at,
)

MONTH = timedelta(days=30)
NOTHING = {"removed": 0, "rewritten": 0, "kept": 0, "not_loaded": 0, "dossiers_removed": 0}
NOW = datetime.now(timezone.utc)


class Warehouse:
    """The tables of a warehouse, as far as pruning reads them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {LOADS.name: [], DELETED_DOSSIERS.name: [], DOSSIERS.name: []}
        self.opened: list[tuple[str | None, str]] = []

    def loads(self, *urls: str) -> None:
        self.rows[LOADS.name] += [{"manifest": url, "generation": read_manifest(url).generation} for url in urls]

    def holds(self, *numbers: int) -> None:
        self.rows[DOSSIERS.name] += [{"number": number} for number in numbers]

    def has_tombstones(self, stage: str, *numbers: int, read_at: datetime | None = NOW) -> None:
        self.rows[DELETED_DOSSIERS.name] += [{"number": n, "stage": stage, "read_at": read_at} for n in numbers]

    def read(self, table: Any, columns: list[str], where: str | None = None) -> pa.Table:
        # the only condition is for corrections of clocks, of which there are none
        rows = [] if where else self.rows[table.name]
        return pa.Table.from_pylist(rows, schema=pa.schema(table.columns)).select(columns)

    def hook(self, warehouse_conn_id: str | None, dataset: str) -> Any:
        self.opened.append((warehouse_conn_id, dataset))
        return self

    def warehouse(self) -> Warehouse:
        return self


@pytest.fixture(autouse=True)
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    warehouse = Warehouse()
    monkeypatch.setattr("ds_provider.operators._parameters.DSWarehouseHook", warehouse.hook)
    return warehouse


@pytest.fixture
def zone(tmp_path: Path) -> ObjectStoragePath:
    return zone_at(tmp_path / "zone")


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Date the manifests that are written from here on two months back."""

    long_ago = (2 * MONTH).total_seconds()
    monkeypatch.setattr("ds_provider.landing.writer.ServiceClock", lambda: ServiceClock(lambda: time.time() - long_ago))


def prune(zone: ObjectStoragePath, **asked: Any) -> dict[str, int]:
    given = {"destination": str(zone), "retention": MONTH, **asked}
    return DSPruneLandingOperator(task_id="t", **given).execute({})


def url_of(zone: ObjectStoragePath, *numbers: int, **asked: Any) -> str:
    return land(zone, page(*numbers), **asked).manifest_url


def deletions(zone: ObjectStoragePath, number: int) -> str:
    landing = writer_at(zone, select_deleted_dossiers(7))
    landing.add(page(number, dateSupression=START.isoformat()))
    landing.publish()
    return landing.manifest_url


class TestByAge:
    def test_loaded_and_old_extract_is_removed(self, old, zone, warehouse):
        gone, stays = url_of(zone, 1), url_of(zone, 2, groupe=8)
        warehouse.loads(gone, stays)
        assert prune(zone, retention=3 * MONTH) == {**NOTHING, "kept": 2}
        assert prune(zone) == {**NOTHING, "removed": 2}
        assert not list(Path(zone.path).rglob("*.*"))

    def test_extract_that_was_not_loaded_stays_and_is_logged(self, old, zone, warehouse, lines):
        warehouse.loads(url_of(zone, 1))
        stays = [url_of(zone, 2, groupe=groupe) for groupe in (8, 9)]
        assert prune(zone) == {**NOTHING, "removed": 1, "kept": 2, "not_loaded": 2}
        assert [rows_of(url) for url in stays] == [[2], [2]]
        said = lines()
        summary = "1 extract removed, 0 rewritten, 2 kept"
        assert [line for line in said if f"pruned {zone}: {summary}" in line]
        (warning,) = [line for line in said if "not loaded" in line]
        assert "2 extracts older than 30 days not loaded" in warning
        assert stays[0] in warning

    def test_extract_that_replaced_a_loaded_one_counts_as_not_loaded(self, old, zone, warehouse):
        warehouse.loads(url_of(zone, 1))
        url = url_of(zone, 1, 2)
        assert prune(zone)["not_loaded"] == 1
        assert rows_of(url) == [1, 2]

    def test_rewritten_extract_still_counts_as_loaded(self, old, zone, warehouse):
        warehouse.loads(url_of(zone, 1, 2))
        warehouse.has_tombstones("deleted", 2)
        assert prune(zone, retention=3 * MONTH) == {**NOTHING, "rewritten": 1, "dossiers_removed": 1}
        assert prune(zone) == {**NOTHING, "removed": 1}

    def test_young_extract_stays(self, zone, warehouse):
        url = url_of(zone, 1)
        warehouse.loads(url)
        assert prune(zone) == {**NOTHING, "kept": 1}
        assert rows_of(url) == [1]

    def test_extract_of_deletions_is_removed(self, old, zone, warehouse):
        warehouse.loads(deletions(zone, 4))
        assert prune(zone) == {**NOTHING, "removed": 1}

    @pytest.mark.parametrize("written", ["file:{}", "file://{}", "{}", "file:///tmp/..{}"])
    def test_loaded_extract_is_recognised_however_its_url_is_written(self, written, old, zone, warehouse):
        url = url_of(zone, 1)
        generation = read_manifest(url).generation
        path = written.format(ObjectStoragePath(url).path)
        warehouse.rows[LOADS.name].append({"manifest": path, "generation": generation})
        assert prune(zone)["removed"] == 1


class TestErased:
    @pytest.mark.parametrize("is_loaded", [True, False])
    def test_deleted_dossiers_are_removed_from_all_extracts(self, is_loaded, zone, warehouse):
        urls = [url_of(zone, 1, 2, 3), url_of(zone, 2, state="accepte"), url_of(zone, 3, groupe=8)]
        warehouse.loads(*(urls if is_loaded else []))
        warehouse.holds(1, 3)
        warehouse.has_tombstones("deleted", 2, 100)
        assert prune(zone) == {**NOTHING, "rewritten": 2, "kept": 1, "dossiers_removed": 2}
        assert [rows_of(url) for url in urls] == [[1, 3], [], [3]]
        assert prune(zone) == {**NOTHING, "kept": 3}

    def test_deleted_dossiers_are_removed_from_old_extracts_that_stay(self, old, zone, warehouse):
        url = url_of(zone, 1, 2)
        warehouse.has_tombstones("deleted", 2)
        assert prune(zone) == {**NOTHING, "rewritten": 1, "not_loaded": 1, "dossiers_removed": 1}
        assert rows_of(url) == [1]

    def test_deleted_dossiers_are_removed_from_the_quarantine(self, zone, warehouse):
        landing = begin(zone, None, page(1), poison_page(4, 5))
        landing.publish()
        warehouse.has_tombstones("deleted", 4)
        warehouse.has_tombstones("vanished", 5, read_at=None)
        assert prune(zone)["dossiers_removed"] == 1
        assert read_manifest(landing.manifest_url).quarantined == 1
        assert pending_numbers(zone, select_dossiers(7)) == [5]

    @pytest.mark.parametrize("stage", ["deleted", "vanished"])
    def test_dossier_that_the_warehouse_holds_stays(self, stage, zone, warehouse):
        url = url_of(zone, 1, 2)
        warehouse.has_tombstones(stage, 2)
        warehouse.holds(2)
        assert prune(zone) == {**NOTHING, "kept": 1}
        assert rows_of(url) == [1, 2]

    def test_dossier_whose_deletion_is_pending_stays(self, zone, warehouse):
        url_of(zone, 2)
        warehouse.has_tombstones("pending", 2)
        assert prune(zone) == {**NOTHING, "kept": 1}

    def test_vanished_dossier_is_removed_from_earlier_extracts(self, zone, warehouse):
        url = url_of(zone, 1, 2)
        warehouse.has_tombstones("vanished", 2, read_at=datetime.now(timezone.utc))
        assert prune(zone)["dossiers_removed"] == 1
        assert rows_of(url) == [1]

    @pytest.mark.parametrize("read_at", [NOW, None])
    def test_dossier_that_came_back_stays_until_it_is_loaded(self, read_at, zone, warehouse):
        warehouse.has_tombstones("vanished", 2, read_at=read_at)
        url = url_of(zone, 1, 2)
        assert prune(zone) == {**NOTHING, "kept": 1}
        # had it come back, the load would have brought its row
        warehouse.loads(url)
        assert prune(zone)["dossiers_removed"] == 1

    def test_extracts_of_deletions_are_not_rewritten(self, zone, warehouse):
        url = deletions(zone, 4)
        warehouse.has_tombstones("deleted", 4)
        assert prune(zone) == {**NOTHING, "kept": 1}
        assert rows_of(url) == [4]


class TestFailures:
    def test_damaged_extract_does_not_stop_the_others(self, zone, warehouse):
        damaged, whole = url_of(zone, 1, 2), url_of(zone, 2, 3, groupe=8)
        part = ObjectStoragePath(damaged).parent / read_manifest(damaged).parts[0].name
        part.write_bytes(b"damaged")
        warehouse.has_tombstones("deleted", 2)
        with pytest.raises(DSDestinationError, match="1 extract could not be pruned, all others were") as caught:
            prune(zone)
        assert part.name in str(caught.value)
        assert "\n" not in str(caught.value)
        assert rows_of(whole) == [3]

    def test_warehouse_that_cannot_be_read_leaves_all_files(self, old, zone, warehouse, monkeypatch):
        url = url_of(zone, 1)
        warehouse.loads(url)

        def refuse(table, columns, where=None):
            raise DSWarehouseError("out of reach")

        monkeypatch.setattr(warehouse, "read", refuse)
        with pytest.raises(DSWarehouseError):
            prune(zone)
        assert rows_of(url) == [1]

    @pytest.mark.parametrize("retention", [None, 30, "30", timedelta(), timedelta(days=-1)], ids=repr)
    def test_invalid_retention_is_refused_before_the_warehouse_is_opened(self, retention, zone, warehouse):
        with pytest.raises(DSConfigurationError, match=r"^retention\b"):
            prune(zone, retention=retention)
        assert warehouse.opened == []

    def test_invalid_destination_is_refused(self):
        with pytest.raises(DSConfigurationError, match=r"^destination\b"):
            prune("nowhere")

    def test_zone_without_extracts_is_logged(self, zone, lines):
        assert prune(zone) == NOTHING
        assert [line for line in lines() if f"no extract below {zone}" in line]


@pytest.mark.parametrize(("given", "conn_id"), [(None, None), ("pg", "pg")])
def test_operator_opens_the_named_warehouse(given, conn_id, zone, warehouse):
    prune(zone, warehouse_conn_id=given, dataset="other")
    assert warehouse.opened == [(conn_id, "other")]
