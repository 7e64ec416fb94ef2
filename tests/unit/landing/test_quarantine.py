"""A dossier that cannot be read is kept with all that is known of it, and tried again until it can be read."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.paging.pages import Page
from ds_provider.api.query.parameters import explicit_window, select_deleted_dossiers, select_dossiers
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing import iter_rows, read_quarantine
from ds_provider.landing.layout import LandingTarget
from ds_provider.landing.manifest import find_manifest, read_manifest
from ds_provider.landing.quarantine import QuarantineRegistry
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import (
    MemoryStore,
    begin,
    checked_manifest,
    land,
    page,
    pending_numbers,
    poison,
    poison_page,
    rows_of,
    writer_at,
    zone_at,
)
from tests.support.storages import Killed, bucket_zone, make_faulty

PLAIN = select_dossiers(7)
WINDOW = explicit_window(created_since="2026-11-01T00:00:00Z")


def published(zone, *poisons: int, rows=(1,), **asked) -> LandingWriter:
    return land(zone, page(*rows), poison_page(*poisons), **asked)


def test_record_comes_back_as_it_was_landed(zone):
    records = [
        poison(3, cursor="c", code="internal_server_error", exception_id="e1", dossier={"number": 3, "état": "é\n"}),
        poison(2),
    ]
    writer = land(zone, page(1), Page([], quarantined=records))
    assert read_quarantine(writer.manifest_url) == sorted(records, key=lambda record: record.number)


def test_quarantined_dossiers_are_counted_apart_from_the_rows(zone):
    url = published(zone, 2, 3).manifest_url
    manifest = checked_manifest(url)
    assert (manifest.rows, manifest.quarantined, manifest.quarantine.rows) == (1, 2, 2)
    assert manifest.bytes == sum(part.bytes for part in manifest.parts)
    assert manifest.quarantine.name == f"{manifest.generation}-quarantine.jsonl.gz"
    assert rows_of(url) == [1]


def test_dossier_that_fails_twice_counts_once(zone):
    writer = begin(zone, None, poison_page(2, code="timeout"), poison_page(2, code="invalid_null"))
    assert [record.code for record in writer.quarantined] == ["invalid_null"]
    assert writer.publish().quarantined == 1


def test_extract_without_poison_has_no_quarantine(zone):
    url = land(zone, page(1)).manifest_url
    assert read_manifest(url).quarantine is None
    assert read_quarantine(url) == []


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: b"", lambda raw: raw + raw], ids=["cut", "empty", "twice"]
)
def test_quarantine_part_that_is_not_whole_is_an_error(change, zone):
    writer = published(zone, 2)
    path = writer.folder / read_manifest(writer.manifest_url).quarantine.name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DSDestinationError, match=path.name):
        read_quarantine(writer.manifest_url)
    assert len(list(iter_rows(writer.manifest_url))) == 1


def test_superseded_quarantine_stays_for_one_replacement(zone):
    first = published(zone, 2)
    path = first.folder / read_manifest(first.manifest_url).quarantine.name
    there = []
    for _ in range(2):
        published(zone)
        there.append(path.exists())
    assert there == [True, False]


class TestNextRun:
    def test_knows_the_pending_numbers(self, zone):
        assert pending_numbers(zone, PLAIN) == []
        published(zone, 30, 4)
        assert pending_numbers(zone, PLAIN) == [4, 30]
        assert writer_at(zone, PLAIN).pending == {4, 30}

    def test_knows_the_pending_numbers_whatever_its_window_and_direction(self, zone):
        published(zone, 4, window=WINDOW)
        assert pending_numbers(zone, PLAIN) == pending_numbers(zone, select_dossiers(7, order="DESC")) == [4]

    @pytest.mark.parametrize(
        "other",
        [
            select_dossiers(8),
            select_dossiers(7, state="accepte"),
            select_dossiers(7, includes={"champs": False}),
            select_deleted_dossiers(7),
        ],
        ids=["of another group", "of another state", "of fewer parts", "of deletions"],
    )
    def test_ignores_the_registry_of_other_rows_or_parts(self, other, zone):
        published(zone, 4)
        assert pending_numbers(zone, other) == []

    def test_reads_one_dossier_and_leaves_the_others_pending(self, zone):
        published(zone, 4, 5)
        land(zone, page(1, 4), window=WINDOW)
        assert pending_numbers(zone, PLAIN) == [5]

    def test_meets_a_dossier_again_and_leaves_it_pending(self, zone):
        published(zone, 4)
        published(zone, 4, rows=(4,))
        assert pending_numbers(zone, PLAIN) == [4]

    def test_fails_and_leaves_all_pending(self, zone):
        published(zone, 4)
        begin(zone, None, page(4)).suspend()
        assert pending_numbers(zone, PLAIN) == [4]

    def test_resumes_a_try_that_read_one_dossier_and_removes_it(self, zone):
        published(zone, 4)
        store = MemoryStore()
        begin(zone, store, page(4))
        begin(zone, store).publish()
        assert pending_numbers(zone, PLAIN) == []

    def test_may_remove_a_dossier_twice(self, zone):
        published(zone, 4, 5)
        for _ in range(2):
            QuarantineRegistry(LandingTarget.of(zone, PLAIN)).remove(4)
        assert pending_numbers(zone, PLAIN) == [5]

    def test_finds_pending_numbers_in_a_bucket(self):
        zone, _ = bucket_zone("quarantine")
        assert pending_numbers(zone, PLAIN) == []
        published(zone, 4, 5)
        assert pending_numbers(zone, PLAIN) == [4, 5]
        land(zone, page(4))
        QuarantineRegistry(LandingTarget.of(zone, PLAIN)).remove(9)
        assert pending_numbers(zone, PLAIN) == [5]
        assert [record.number for record in read_quarantine(published(zone, 5).manifest_url)] == [5]

    def test_finds_what_another_process_registered_meanwhile(self):
        zone, bucket = bucket_zone("elsewhere")
        writer = published(zone, 4)
        assert pending_numbers(zone, PLAIN) == [4]
        bucket.put_elsewhere((writer.folder.parent / "quarantine/5.json").path, b"{}")
        assert pending_numbers(zone, PLAIN) == [4, 5]


def test_entry_says_which_extraction_met_the_dossier(zone):
    writer = published(zone, 4, window=WINDOW)
    entry = json.loads((writer.folder.parent / "quarantine/4.json").read_bytes())
    assert entry == {
        "number": 4,
        "cursor": None,
        "code": None,
        "exception_id": None,
        "message": "Internal Server Error",
        "dossier": {},
        "window": ["2026-11-01T00:00:00+00:00", None],
        "generation": read_manifest(writer.manifest_url).generation,
    }


def test_foreign_files_are_no_entries(zone):
    writer = published(zone, 4)
    for name in ("notes.txt", ".5.json", "5.json~", "x6.json"):
        (writer.folder.parent / "quarantine" / name).write_bytes(b"x")
    assert pending_numbers(zone, PLAIN) == [4]


def test_run_killed_at_any_step_leaves_the_quarantined_dossiers_of_its_manifest_pending(tmp_path, monkeypatch):
    faults = make_faulty(monkeypatch)
    outcomes = []
    for at in range(100):
        zone = zone_at(tmp_path / str(at))
        faults.arm(at, Killed())
        try:
            published(zone, 4, 5)
            done = True
        except Killed:
            done = False
        faults.disarm()
        manifest = find_manifest(zone / "groupe-7/dossiers/full")
        if manifest is not None:
            assert len(read_quarantine(str(zone / "groupe-7/dossiers/full/manifest.json"))) == 2
            assert pending_numbers(zone, PLAIN) == [4, 5]
        outcomes.append(manifest is not None)
        if done:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_registry_that_cannot_be_written_fails_the_extraction(zone):
    writer = begin(zone, None, page(1))
    (writer.folder.parent / "quarantine").write_bytes(b"a file where the registry should be")
    writer.add(poison_page(4))
    with pytest.raises(DSDestinationError):
        writer.publish()
    assert find_manifest(writer.folder) is None
