"""A dossier that cannot be read is kept with all that is known of it, and tried again until it can."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.query.parameters import explicit_window, select_deleted_dossiers, select_dossiers
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.manifest import find_manifest, read_manifest
from ds_provider.landing.quarantine import pending, resolve
from ds_provider.landing.rows import iter_rows, read_quarantine
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import Kept, begun, culprit, landed, page, rows_of, whole_parts, zone_at
from tests.support.storages import Killed, bucket_zone, make_faulty

PLAIN = select_dossiers(7)
WINDOW = explicit_window(created_since="2026-11-01T00:00:00Z")


def published(zone, *culprits: int, rows=(1,), **asked) -> LandingWriter:
    landing = begun(zone, None, page(*rows), **asked)
    for number in culprits:
        landing.quarantine(culprit(number))
    landing.publish()
    return landing


def test_what_is_known_of_it_comes_back_as_it_was_noted(zone):
    records = [
        culprit(3, cursor="c", code="internal_server_error", exception_id="e1", dossier={"number": 3, "état": "é\n"}),
        culprit(2),
    ]
    landing = begun(zone, None, page(1))
    for record in records:
        landing.quarantine(record)
    landing.publish()
    assert read_quarantine(landing.manifest_url) == sorted(records, key=lambda record: record.number)


def test_it_is_counted_apart_from_the_rows(zone):
    url = published(zone, 2, 3).manifest_url
    manifest = whole_parts(url)
    assert (manifest.rows, manifest.quarantined, manifest.quarantine.rows) == (1, 2, 2)
    assert manifest.bytes == sum(part.bytes for part in manifest.parts)
    assert manifest.quarantine.name == f"{manifest.generation}-quarantine.jsonl.gz"
    assert rows_of(url) == [1]


def test_one_that_is_met_twice_counts_once(zone):
    landing = begun(zone, None)
    landing.quarantine(culprit(2, code="timeout"))
    landing.quarantine(culprit(2, code="invalid_null"))
    assert [record.code for record in landing.quarantined] == ["invalid_null"]
    assert landing.publish().quarantined == 1


def test_a_reading_without_any_has_no_quarantine(zone):
    url = landed(zone, page(1)).manifest_url
    assert read_manifest(url).quarantine is None
    assert read_quarantine(url) == []


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: b"", lambda raw: raw + raw], ids=["cut", "empty", "twice"]
)
def test_a_quarantine_that_is_not_whole_is_told(change, zone):
    landing = published(zone, 2)
    path = landing.folder / read_manifest(landing.manifest_url).quarantine.name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DSDestinationError, match=path.name):
        read_quarantine(landing.manifest_url)
    assert len(list(iter_rows(landing.manifest_url))) == 1


def test_a_superseded_quarantine_stays_for_one_replacement(zone):
    first = published(zone, 2)
    path = first.folder / read_manifest(first.manifest_url).quarantine.name
    there = []
    for _ in range(2):
        published(zone)
        there.append(path.exists())
    assert there == [True, False]


class TestTheNextRun:
    def test_knows_the_numbers(self, zone):
        assert pending(zone, PLAIN) == []
        published(zone, 30, 4)
        assert pending(zone, PLAIN) == [4, 30]
        assert LandingWriter(zone, PLAIN).pending == {4, 30}

    def test_knows_them_whatever_its_window_and_direction(self, zone):
        published(zone, 4, window=WINDOW)
        assert pending(zone, PLAIN) == pending(zone, select_dossiers(7, order="DESC")) == [4]

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
    def test_does_not_take_them_from_a_reading_of_other_rows_or_parts(self, other, zone):
        published(zone, 4)
        assert pending(zone, other) == []

    def test_that_reads_one_lets_the_others_stay(self, zone):
        published(zone, 4, 5)
        landed(zone, page(1, 4), window=WINDOW)
        assert pending(zone, PLAIN) == [5]

    def test_that_meets_one_again_lets_it_stay(self, zone):
        published(zone, 4)
        published(zone, 4, rows=(4,))
        assert pending(zone, PLAIN) == [4]

    def test_that_fails_lets_all_stay(self, zone):
        published(zone, 4)
        begun(zone, None, page(4)).suspend()
        assert pending(zone, PLAIN) == [4]

    def test_that_goes_on_from_a_try_which_read_one_removes_it(self, zone):
        published(zone, 4)
        kept = Kept()
        begun(zone, kept, page(4))
        begun(zone, kept).publish()
        assert pending(zone, PLAIN) == []

    def test_may_give_one_up(self, zone):
        published(zone, 4, 5)
        for _ in range(2):
            resolve(zone, PLAIN, 4)
        assert pending(zone, PLAIN) == [5]

    def test_finds_them_in_a_bucket(self):
        zone, _ = bucket_zone("quarantine")
        assert pending(zone, PLAIN) == []
        published(zone, 4, 5)
        assert pending(zone, PLAIN) == [4, 5]
        landed(zone, page(4))
        resolve(zone, PLAIN, 9)
        assert pending(zone, PLAIN) == [5]
        assert [record.number for record in read_quarantine(published(zone, 5).manifest_url)] == [5]

    def test_finds_what_another_process_has_noted_meanwhile(self):
        zone, bucket = bucket_zone("elsewhere")
        landing = published(zone, 4)
        assert pending(zone, PLAIN) == [4]
        bucket.put_elsewhere((landing.folder.parent / "quarantine/5.json").path, b"{}")
        assert pending(zone, PLAIN) == [4, 5]


def test_an_entry_says_which_reading_met_it(zone):
    landing = published(zone, 4, window=WINDOW)
    entry = json.loads((landing.folder.parent / "quarantine/4.json").read_bytes())
    assert entry == {
        "number": 4,
        "cursor": None,
        "code": None,
        "exception_id": None,
        "message": "Internal Server Error",
        "dossier": {},
        "window": ["2026-11-01T00:00:00+00:00", None],
        "generation": read_manifest(landing.manifest_url).generation,
    }


def test_only_entries_are_taken_for_such(zone):
    landing = published(zone, 4)
    for name in ("notes.txt", ".5.json", "5.json~", "x6.json"):
        (landing.folder.parent / "quarantine" / name).write_bytes(b"x")
    assert pending(zone, PLAIN) == [4]


def test_killed_at_any_step_what_a_manifest_says_is_quarantined_is_tried_again(tmp_path, monkeypatch):
    faults = make_faulty(monkeypatch)
    outcomes = []
    for at in range(100):
        zone = zone_at(tmp_path / str(at))
        faults.arm(at, Killed())
        try:
            published(zone, 4, 5)
            finished = True
        except Killed:
            finished = False
        faults.disarm()
        manifest = find_manifest(zone / "groupe-7/dossiers/whole")
        if manifest is not None:
            assert len(read_quarantine(str(zone / "groupe-7/dossiers/whole/manifest.json"))) == 2
            assert pending(zone, PLAIN) == [4, 5]
        outcomes.append(manifest is not None)
        if finished:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_a_registry_that_cannot_be_written_fails_the_reading(zone):
    landing = begun(zone, None, page(1))
    (landing.folder.parent / "quarantine").write_bytes(b"a file where the registry should be")
    landing.quarantine(culprit(4))
    with pytest.raises(DSDestinationError):
        landing.publish()
    assert find_manifest(landing.folder) is None
