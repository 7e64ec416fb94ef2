"""Readers see one whole extract or the next, whenever a run is killed or overlapped: the change is one step."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pendulum
import pytest
from airflow.sdk import ObjectStoragePath

from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.landing import parts, read_quarantine
from ds_provider.landing.layout import LandingTarget
from ds_provider.landing.manifest import find_manifest, read_manifest
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import (
    START,
    MemoryStore,
    SentRequests,
    begin,
    checked_manifest,
    date_of,
    land,
    page,
    poison,
    rows_of,
    writer_at,
)
from tests.support.storages import make_faulty

EIGHT = pendulum.instance(START)
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")
OF_DEMARCHE = {"demarche": {"number": 42, "revision": {"id": "UHJv"}}}
FIELDS = {
    "schema_version",
    "groupe_instructeur_number",
    "groupe_instructeur_label",
    "stream",
    "demarche_number",
    "window",
    "date_column",
    "read_from",
    "selection",
    "fingerprint",
    "rows",
    "bytes",
    "pages",
    "requests",
    "quarantined",
    "parts",
    "quarantine",
    "first_date",
    "last_date",
    "read_started_at",
    "clock_correction",
    "read_finished_at",
    "generation",
    "supersedes",
}


def published_rows(zone) -> list[int]:
    return rows_of(str(zone / "groupe-7/dossiers/full/manifest.json"))


def names_in_folder(writer: LandingWriter) -> list[str]:
    return sorted(path.name for path in writer.folder.iterdir())


def test_manifest_holds_what_a_reader_needs(zone, one_page_a_part):
    window = Window("updated", EIGHT, EIGHT.add(days=1), timedelta(minutes=5))
    selection = select_dossiers(7, window=window, state="accepte", includes={"avis": True})
    sent = SentRequests()
    writer = writer_at(zone, selection, requests=sent)
    for one, requests in ((page(2, **OF_DEMARCHE), 2), (page(3), 1), (page(5), 1)):
        sent.land(writer, one, requests)
    writer.publish()
    manifest = checked_manifest(writer.manifest_url)

    assert set(json.loads(ObjectStoragePath(writer.manifest_url).read_bytes())) == FIELDS
    assert (manifest.schema_version, manifest.groupe_instructeur_number, manifest.stream) == (1, 7, "dossiers")
    assert manifest.demarche_number == 42
    assert manifest.window == ("2026-11-01T08:00:00+00:00", "2026-11-02T08:00:00+00:00")
    assert (manifest.date_column, manifest.read_from) == ("updated", "2026-11-01T07:55:00+00:00")
    assert manifest.selection == {"state": "accepte", "include_avis": True}
    assert manifest.fingerprint == LandingTarget.of(zone, writer.selection).fingerprint
    assert (manifest.rows, manifest.pages, manifest.requests, manifest.quarantined) == (3, 3, 4, 0)
    assert [part.rows for part in manifest.parts] == [1, 1, 1]
    assert manifest.bytes == sum(part.bytes for part in manifest.parts)
    assert (manifest.first_date, manifest.last_date) == (START + timedelta(seconds=2), START + timedelta(seconds=5))
    assert manifest.read_started_at <= manifest.read_finished_at
    assert all(part.name.startswith(f"{manifest.generation}-") for part in manifest.parts)
    assert (manifest.quarantine, manifest.supersedes) == (None, None)


def test_manifest_reads_back_as_it_was_published(zone):
    writer = writer_at(zone, select_dossiers(7, window=Window("created", end=NOON)))
    writer.add(page(1, 2))
    published = writer.publish()
    assert read_manifest(writer.manifest_url) == find_manifest(writer.folder) == published
    assert published.window == (None, "2026-11-01T12:00:00+00:00")


def test_first_and_last_dates_are_the_smallest_and_largest_in_any_order(zone):
    writer = land(zone, page(5, 4), page(3, 9), order="DESC")
    manifest = read_manifest(writer.manifest_url)
    assert (manifest.first_date, manifest.last_date) == (START + timedelta(seconds=3), START + timedelta(seconds=9))


def test_empty_extract_is_published_too(zone):
    manifest = checked_manifest(land(zone, page()).manifest_url)
    assert (manifest.rows, manifest.bytes, manifest.pages, manifest.parts) == (0, 0, 1, [])
    assert (manifest.window, manifest.date_column, manifest.first_date, manifest.last_date) == (None,) * 4


def test_no_manifest_is_found_where_nothing_was_published(zone):
    writer = writer_at(zone, select_dossiers(7))
    writer.add(page(1))
    assert find_manifest(writer.folder) is None


def test_second_run_replaces_the_first(zone):
    land(zone, page(1, 2))
    second = land(zone, page(2, 3, 4))
    assert rows_of(second.manifest_url) == [2, 3, 4]


def test_extraction_leaves_the_folders_of_others_alone(zone):
    first, other = land(zone, page(1)), land(zone, page(2), state="accepte")
    land(zone, page(3), groupe=8)
    land(zone, page(4), state="accepte")
    assert (rows_of(first.manifest_url), rows_of(other.manifest_url)) == ([1], [4])


def test_superseded_parts_stay_for_one_replacement(zone, one_page_a_part):
    manifests = [read_manifest(land(zone, page(n), page(n + 1)).manifest_url) for n in range(3)]
    assert [manifest.supersedes for manifest in manifests] == [
        None,
        manifests[0].generation,
        manifests[1].generation,
    ]
    left = {path.name for path in (zone / "groupe-7/dossiers/full").iterdir()}
    assert left == {"manifest.json"} | {part.name for manifest in manifests[1:] for part in manifest.parts}


def test_only_old_orphans_are_removed_and_no_foreign_file_is(zone):
    writer = land(zone, page(1))
    now = pendulum.now("UTC")
    young, old = (now - timedelta(days=days) for days in (6, 8))
    stamps = {"young": f"{young:%Y%m%dT%H%M%S}-00000000", "old": f"{old:%Y%m%dT%H%M%S}-00000000"}
    kept = {f"{stamps['young']}-00000.jsonl.gz", f".{stamps['young']}-manifest.json", "notes.txt", "20200101.jsonl.gz"}
    removed = {f"{stamps['old']}-00000.jsonl.gz", f".{stamps['old']}-manifest.json"}
    for name in kept | removed:
        (writer.folder / name).write_bytes(b"x")
    (writer.folder / "folder").mkdir()

    left = set(names_in_folder(land(zone, page(2))))
    assert left >= kept | {"folder"}
    assert not left & removed


def test_previous_generation_is_kept_however_old(zone, monkeypatch):
    long_ago = pendulum.now("UTC").subtract(days=30)
    with monkeypatch.context() as patched:
        patched.setattr(pendulum, "now", lambda zone: long_ago)
        first = land(zone, page(1, 2))
    old = read_manifest(first.manifest_url)
    land(zone, page(3))
    assert {part.name for part in old.parts} <= set(names_in_folder(first))


def test_orphans_that_cannot_be_removed_do_not_fail_the_extraction(zone, monkeypatch):
    for _ in range(2):
        land(zone, page(1))
    faults = make_faulty(monkeypatch)
    writer = writer_at(zone, select_dossiers(7))
    writer.add(page(2))
    step = faults.step

    def refuse(name):
        if name.startswith("rm"):
            raise PermissionError("not yours")
        step(name)

    monkeypatch.setattr(faults, "step", refuse)
    writer.publish()
    assert rows_of(writer.manifest_url) == [2]


def test_last_published_of_two_concurrent_extractions_wins_whole(zone, one_page_a_part):
    land(zone, page(0))
    early, late = (writer_at(zone, select_dossiers(7)) for _ in range(2))
    early.add(page(1))
    late.add(page(10))
    early.add(page(2))
    late.add(page(11))
    late.publish()
    assert published_rows(zone) == [10, 11]
    early.publish()
    assert published_rows(zone) == [1, 2]


def test_slow_extraction_keeps_its_parts_while_others_publish(zone, one_page_a_part):
    slow = writer_at(zone, select_dossiers(7))
    slow.add(page(1, 2))
    for n in range(5):
        land(zone, page(n))
    slow.add(page(3))
    slow.publish()
    assert published_rows(zone) == [1, 2, 3]


def test_damaged_manifest_does_not_stop_the_next_extraction(zone):
    writer = land(zone, page(1))
    ObjectStoragePath(writer.manifest_url).write_bytes(b"")
    assert rows_of(land(zone, page(2)).manifest_url) == [2]


def test_last_date_does_not_pass_a_row_that_changed_while_it_was_read(zone):
    writer = writer_at(zone, select_dossiers(7))
    writer.add(page(1, 9))
    writer.add(replace(page(8), earliest_change=date_of(6)))
    assert writer.publish().last_date == date_of(6)


def test_dossier_from_outside_the_window_does_not_count_for_the_dates(zone):
    window = Window("updated", pendulum.instance(date_of(3)), pendulum.instance(date_of(8)))
    writer = writer_at(zone, select_dossiers(7, window=window))
    for number in (4, 6, 1, 50):
        writer.add(page(number))
    manifest = writer.publish()
    assert (manifest.rows, manifest.first_date, manifest.last_date) == (4, date_of(4), date_of(6))


class TestDemarcheNumber:
    """The démarche of an extract is that of its dossiers."""

    def test_is_of_the_first_dossier_that_says_it(self, zone):
        writer = land(zone, page(), page(1), page(2, **OF_DEMARCHE))
        assert writer.demarche_number == read_manifest(writer.manifest_url).demarche_number == 42

    @pytest.mark.parametrize("end", ["suspended", "killed", "published"])
    @pytest.mark.parametrize("page_bytes", [1, parts.PART_BYTES], ids=["closed part", "open part"])
    def test_is_that_of_an_earlier_try(self, page_bytes, end, zone, monkeypatch):
        monkeypatch.setattr(parts, "PART_BYTES", page_bytes)
        store = MemoryStore()
        first = begin(zone, store, page(1, **OF_DEMARCHE))
        {"suspended": first.suspend, "killed": lambda: None, "published": first.publish}[end]()
        second = begin(zone, store)
        assert second.demarche_number == second.publish().demarche_number == 42

    def test_is_none_without_rows(self, zone):
        assert writer_at(zone, select_dossiers(7)).publish().demarche_number is None

    def test_is_none_for_deletions(self, zone):
        writer = writer_at(zone, select_deleted_dossiers(7))
        writer.add(page(1, dateSupression=START.isoformat()))
        assert writer.publish().demarche_number is None


class TestRequests:
    """The driver counts the requests, and the writer takes those of its own extraction."""

    def test_before_the_extraction_do_not_count(self, zone):
        sent = SentRequests()
        sent.count = 5
        writer = writer_at(zone, select_dossiers(7), requests=sent)
        assert writer.requests == 0
        sent.land(writer, page(1), requests=2)
        assert (writer.requests, writer.publish().requests) == (2, 2)

    def test_count_on_pages_without_rows(self, zone):
        sent = SentRequests()
        writer = writer_at(zone, select_dossiers(7), requests=sent)
        sent.land(writer, page(), requests=3)
        assert writer.publish().requests == 3


def test_page_brings_rows_and_quarantined_dossiers_at_once(zone):
    writer = writer_at(zone, select_dossiers(7))
    writer.add(replace(page(1, 3), quarantined=[poison(4), poison(2)]))
    writer.add(replace(page(5), quarantined=[poison(4, code="timeout")]))
    manifest = writer.publish()
    assert (manifest.rows, manifest.pages, manifest.quarantined) == (3, 2, 2)
    assert [(record.number, record.code) for record in writer.quarantined] == [(2, None), (4, "timeout")]
    assert read_quarantine(writer.manifest_url) == writer.quarantined
    assert rows_of(writer.manifest_url) == [1, 3, 5]
