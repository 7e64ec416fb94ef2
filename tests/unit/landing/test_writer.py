"""What readers see changes in one step, from one whole reading to the next, whenever a run is killed or overlapped."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pendulum
from airflow.sdk import ObjectStoragePath

from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.landing.layout import fingerprint
from ds_provider.landing.manifest import find_manifest, read_manifest
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import START, date_of, landed, page, rows_of, whole_parts
from tests.support.storages import make_faulty

EIGHT = pendulum.instance(START)
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")
FIELDS = {
    "schema_version",
    "groupe_instructeur_number",
    "stream",
    "window",
    "window_column",
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
    "read_finished_at",
    "generation",
    "supersedes",
}


def whole_rows(zone) -> list[int]:
    return rows_of(str(zone / "groupe-7/dossiers/whole/manifest.json"))


def names(landing: LandingWriter) -> list[str]:
    return sorted(path.name for path in landing.folder.iterdir())


def test_a_manifest_holds_what_a_reader_needs(zone, one_page_a_part):
    window = Window("updated", EIGHT, EIGHT.add(days=1), timedelta(minutes=5))
    landing = landed(
        zone, page(2, requests=2), page(3), page(5), window=window, state="accepte", includes={"avis": True}
    )
    manifest = whole_parts(landing.manifest_url)

    assert set(json.loads(ObjectStoragePath(landing.manifest_url).read_bytes())) == FIELDS
    assert (manifest.schema_version, manifest.groupe_instructeur_number, manifest.stream) == (1, 7, "dossiers")
    assert manifest.window == ("2026-11-01T08:00:00+00:00", "2026-11-02T08:00:00+00:00")
    assert (manifest.window_column, manifest.read_from) == ("updated", "2026-11-01T07:55:00+00:00")
    assert manifest.selection == {"state": "accepte", "include_avis": True}
    assert manifest.fingerprint == fingerprint(landing.selection)
    assert (manifest.rows, manifest.pages, manifest.requests, manifest.quarantined) == (3, 3, 4, 0)
    assert [part.rows for part in manifest.parts] == [1, 1, 1]
    assert manifest.bytes == sum(part.bytes for part in manifest.parts)
    assert (manifest.first_date, manifest.last_date) == (START + timedelta(seconds=2), START + timedelta(seconds=5))
    assert manifest.read_started_at <= manifest.read_finished_at
    assert all(part.name.startswith(f"{manifest.generation}-") for part in manifest.parts)
    assert (manifest.quarantine, manifest.supersedes) == (None, None)


def test_a_manifest_reads_back_as_it_was_published(zone):
    landing = LandingWriter(zone, select_dossiers(7, window=Window("created", end=NOON)))
    landing.add(page(1, 2))
    published = landing.publish()
    assert read_manifest(landing.manifest_url) == find_manifest(landing.folder) == published
    assert published.window == (None, "2026-11-01T12:00:00+00:00")


def test_the_first_and_last_dates_are_the_smallest_and_largest_in_any_order(zone):
    landing = landed(zone, page(5, 4), page(3, 9), order="DESC")
    manifest = read_manifest(landing.manifest_url)
    assert (manifest.first_date, manifest.last_date) == (START + timedelta(seconds=3), START + timedelta(seconds=9))


def test_an_empty_reading_is_published_too(zone):
    manifest = whole_parts(landed(zone, page()).manifest_url)
    assert (manifest.rows, manifest.bytes, manifest.pages, manifest.parts) == (0, 0, 1, [])
    assert (manifest.window, manifest.window_column, manifest.first_date, manifest.last_date) == (None,) * 4


def test_no_manifest_is_found_where_nothing_was_published(zone):
    landing = LandingWriter(zone, select_dossiers(7))
    landing.add(page(1))
    assert find_manifest(landing.folder) is None


def test_a_second_run_replaces_the_first(zone):
    landed(zone, page(1, 2))
    second = landed(zone, page(2, 3, 4))
    assert rows_of(second.manifest_url) == [2, 3, 4]


def test_a_reading_leaves_the_folders_of_others_alone(zone):
    first, other = landed(zone, page(1)), landed(zone, page(2), state="accepte")
    landed(zone, page(3), groupe=8)
    landed(zone, page(4), state="accepte")
    assert (rows_of(first.manifest_url), rows_of(other.manifest_url)) == ([1], [4])


def test_what_is_superseded_stays_for_one_replacement(zone, one_page_a_part):
    manifests = [read_manifest(landed(zone, page(n), page(n + 1)).manifest_url) for n in range(3)]
    assert [manifest.supersedes for manifest in manifests] == [
        None,
        manifests[0].generation,
        manifests[1].generation,
    ]
    left = {path.name for path in (zone / "groupe-7/dossiers/whole").iterdir()}
    assert left == {"manifest.json"} | {part.name for manifest in manifests[1:] for part in manifest.parts}


def test_only_old_orphans_go_and_nothing_foreign_does(zone):
    landing = landed(zone, page(1))
    now = pendulum.now("UTC")
    young, old = (now - timedelta(days=days) for days in (6, 8))
    stamps = {"young": f"{young:%Y%m%dT%H%M%S}-00000000", "old": f"{old:%Y%m%dT%H%M%S}-00000000"}
    kept = {f"{stamps['young']}-00000.jsonl.gz", f".{stamps['young']}-manifest.json", "notes.txt", "20200101.jsonl.gz"}
    gone = {f"{stamps['old']}-00000.jsonl.gz", f".{stamps['old']}-manifest.json"}
    for name in kept | gone:
        (landing.folder / name).write_bytes(b"x")
    (landing.folder / "folder").mkdir()

    left = set(names(landed(zone, page(2))))
    assert left >= kept | {"folder"}
    assert not left & gone


def test_a_generation_that_is_read_is_kept_however_old(zone, monkeypatch):
    long_ago = pendulum.now("UTC").subtract(days=30)
    with monkeypatch.context() as patched:
        patched.setattr(pendulum, "now", lambda zone: long_ago)
        first = landed(zone, page(1, 2))
    old = read_manifest(first.manifest_url)
    landed(zone, page(3))
    assert {part.name for part in old.parts} <= set(names(first))


def test_leftovers_that_cannot_go_do_not_fail_what_is_published(zone, monkeypatch):
    for _ in range(2):
        landed(zone, page(1))
    faults = make_faulty(monkeypatch)
    landing = LandingWriter(zone, select_dossiers(7))
    landing.add(page(2))
    step = faults.step

    def refuse(name):
        if name.startswith("rm"):
            raise PermissionError("not yours")
        step(name)

    monkeypatch.setattr(faults, "step", refuse)
    landing.publish()
    assert rows_of(landing.manifest_url) == [2]


def test_of_two_readings_at_once_the_last_published_wins_whole(zone, one_page_a_part):
    landed(zone, page(0))
    early, late = (LandingWriter(zone, select_dossiers(7)) for _ in range(2))
    early.add(page(1))
    late.add(page(10))
    early.add(page(2))
    late.add(page(11))
    late.publish()
    assert whole_rows(zone) == [10, 11]
    early.publish()
    assert whole_rows(zone) == [1, 2]


def test_a_reading_that_is_still_going_on_keeps_its_parts_while_others_publish(zone, one_page_a_part):
    slow = LandingWriter(zone, select_dossiers(7))
    slow.add(page(1, 2))
    for n in range(5):
        landed(zone, page(n))
    slow.add(page(3))
    slow.publish()
    assert whole_rows(zone) == [1, 2, 3]


def test_a_manifest_that_is_damaged_does_not_stop_the_next_reading(zone):
    landing = landed(zone, page(1))
    ObjectStoragePath(landing.manifest_url).write_bytes(b"")
    assert rows_of(landed(zone, page(2)).manifest_url) == [2]


def test_a_row_that_changed_while_it_was_read_is_not_passed_by_the_last_date(zone):
    landing = LandingWriter(zone, select_dossiers(7))
    landing.add(page(1, 9))
    landing.add(replace(page(8), newer=date_of(6)))
    assert landing.publish().last_date == date_of(6)


def test_a_dossier_from_outside_the_window_says_nothing_of_how_far_it_was_read(zone):
    window = Window("updated", pendulum.instance(date_of(3)), pendulum.instance(date_of(8)))
    landing = LandingWriter(zone, select_dossiers(7, window=window))
    for number in (4, 6, 1, 50):
        landing.add(page(number))
    manifest = landing.publish()
    assert (manifest.rows, manifest.first_date, manifest.last_date) == (4, date_of(4), date_of(6))
