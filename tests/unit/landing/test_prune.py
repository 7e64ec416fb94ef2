"""An extract goes whole, or loses single dossiers, and no reader ever sees half of either."""

from __future__ import annotations

import contextlib
import gzip
import re
import tempfile
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing import parts, read_quarantine
from ds_provider.landing import prune as pruning
from ds_provider.landing.manifest import MANIFEST, find_manifest, read_manifest
from ds_provider.landing.prune import (
    landed_manifests,
    remove_abandoned,
    remove_extract,
    remove_from_quarantine,
    rewrite_without,
)
from ds_provider.landing.rows import iter_lines
from tests.support.landing_pages import (
    MemoryStore,
    begin,
    checked_manifest,
    finish,
    land,
    page,
    pending_numbers,
    poison_page,
    rows_of,
    writer_at,
    zone_at,
)
from tests.support.storages import Killed, bucket_zone, make_faulty

PLAIN = select_dossiers(7)
WITH_TWO = gzip.compress(b'{"number":2}\n', mtime=0)
LONG_AGO = "20200101T000000-0123abcd"


def published(zone: ObjectStoragePath, *pages: Any, poisons: tuple[int, ...] = (), **asked: Any) -> str:
    return land(zone, *pages, poison_page(*poisons), **asked).manifest_url


def folder_of(url: str) -> ObjectStoragePath:
    return ObjectStoragePath(url).parent


def names_beside(url: str) -> set[str]:
    return {path.name for path in folder_of(url).iterdir()} - {MANIFEST}


def numbers_in_files(zone: ObjectStoragePath) -> set[int]:
    """Return the numbers in all landed files, listed or not."""
    files = [path for path in Path(zone.path).rglob("*") if path.is_file() and path.name.endswith(".jsonl.gz")]
    return {int(number) for path in files for number in re.findall(rb'"number":(\d+)', readable(path.read_bytes()))}


def readable(stored: bytes) -> bytes:
    """Return all that can be decompressed of a part, even if it is cut."""
    text = b""
    while stored:
        inflate = zlib.decompressobj(31)
        text += inflate.decompress(stored)
        stored = inflate.unused_data
    return text


def generation_of_age(age: timedelta) -> str:
    return f"{datetime.now(timezone.utc) - age:%Y%m%dT%H%M%S}-0123abcd"


def write_part_beside(url: str, name: str, *numbers: int) -> None:
    lines = b"".join(b'{"number":%d}\n' % number for number in numbers)
    (folder_of(url) / name).write_bytes(gzip.compress(lines, mtime=0))


class TestRewriting:
    def test_keeps_the_other_rows_as_they_were_sent_and_in_order(self, zone):
        url = published(zone, page(5, 1, 9, nom="Zoé\u2028"), page(3, 1, 7, nom="é\\n"))
        before = [line for batch in iter_lines(url, read_manifest(url).parts) for line in batch]
        assert rewrite_without(url, {1, 7, 100}) == 3
        assert [line for batch in iter_lines(url, read_manifest(url).parts) for line in batch] == [
            before[i] for i in (0, 2, 3)
        ]
        assert rows_of(url) == [5, 9, 3]

    def test_changes_only_counts_and_files_in_the_manifest(self, zone, one_page_a_part):
        url = published(zone, page(1, 2), page(3), poisons=(8, 9))
        before = read_manifest(url)
        rewrite_without(url, {2, 8})
        after = checked_manifest(url)
        assert (after.rows, after.quarantined, after.quarantine.rows) == (2, 1, 1)
        assert after.bytes == sum(part.bytes for part in after.parts)
        changed = {name for name in after.__struct_fields__ if getattr(after, name) != getattr(before, name)}
        assert changed == {"rows", "bytes", "parts", "quarantined", "quarantine"}

    def test_does_not_rewrite_a_part_without_these_dossiers(self, zone, one_page_a_part):
        url = published(zone, page(1), page(2, 3), page(4))
        before = read_manifest(url).parts
        rewrite_without(url, {3})
        after = read_manifest(url).parts
        assert (after[0], after[2]) == (before[0], before[2])
        assert after[1].name not in {part.name for part in before}
        assert names_beside(url) == {part.name for part in after}

    def test_writes_nothing_if_the_extract_holds_none_of_them(self, zone, monkeypatch):
        url = published(zone, page(1, 2), poisons=(3,))
        faults = make_faulty(monkeypatch)
        for numbers in ({4}, set()):
            assert rewrite_without(url, numbers) == 0
        assert faults.steps == []

    def test_leaves_an_empty_extract_if_all_are_removed(self, zone):
        url = published(zone, page(1, 2), poisons=(3,))
        assert rewrite_without(url, {1, 2, 3}) == 3
        manifest = checked_manifest(url)
        assert (manifest.rows, manifest.bytes, manifest.parts, manifest.quarantine) == (0, 0, [], None)
        assert (names_beside(url), read_quarantine(url), rows_of(url)) == (set(), [], [])

    def test_works_again_for_other_dossiers(self, zone):
        url = published(zone, page(1, 2, 3))
        for number in (1, 2):
            assert rewrite_without(url, {1, number}) == 1
        assert rows_of(url) == [3]
        assert names_beside(url) == read_manifest(url).files

    def test_works_in_a_bucket(self, one_page_a_part):
        zone, bucket = bucket_zone("rewritten")
        url = published(zone, page(1, 2), page(3))
        assert rewrite_without(url, {2}) == 1
        assert rows_of(url) == [1, 3]
        assert len(bucket.store) == 1 + 2

    def test_fails_on_a_damaged_extract_and_leaves_it(self, zone):
        url = published(zone, page(1, 2))
        path = folder_of(url) / read_manifest(url).parts[0].name
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(DSDestinationError, match=path.name):
            rewrite_without(url, {3})
        with pytest.raises(DSDestinationError, match=path.name):
            rewrite_without(url, {2})
        assert names_beside(url) == {path.name}

    def test_leaves_an_extract_that_the_next_run_replaces_as_any_other(self, zone):
        url = published(zone, page(1, 2))
        rewrite_without(url, {2})
        for number in (3, 4, 5):
            published(zone, page(number))
        assert rows_of(url) == [5]
        assert numbers_in_files(zone) == {4, 5}

    def test_leaves_an_extract_that_was_landed_meanwhile(self, zone, monkeypatch):
        url = published(zone, page(1, 2))
        copy = pruning.PartWriter.close

        def overtaken(writer):
            copy(writer)
            monkeypatch.undo()
            published(zone, page(1, 2, 3))

        monkeypatch.setattr(pruning.PartWriter, "close", overtaken)
        assert rewrite_without(url, {2}) == 0
        assert rows_of(url) == [1, 2, 3]
        assert rewrite_without(url, {2}) == 1
        assert numbers_in_files(zone) == {1, 3}

    def test_leaves_rows_from_which_a_try_that_had_published_resumes(self, zone):
        store = MemoryStore()
        finish(zone, store, page(1, 2))
        rewrite_without(str(zone / "groupe-7/dossiers/full" / MANIFEST), {2})
        again, read = finish(zone, store, page(1))
        assert (rows_of(again.manifest_url), read) == ([1], 0)


class TestUnlistedFiles:
    def test_superseded_part_goes_if_it_holds_a_dossier(self, zone, one_page_a_part):
        published(zone, page(1, 2), page(3))
        url = published(zone, page(1))
        assert numbers_in_files(zone) == {1, 2, 3}
        assert rewrite_without(url, {2}) == 0
        assert numbers_in_files(zone) == {1, 3}
        assert rows_of(url) == [1]

    def test_part_of_an_interrupted_try_goes_if_it_holds_a_dossier(self, zone):
        begin(zone, MemoryStore(), page(1, 2))
        url = published(zone, page(1))
        rewrite_without(url, {2})
        assert numbers_in_files(zone) == {1}

    def test_part_of_a_try_that_may_be_going_on_stays(self, zone):
        url = published(zone, page(1))
        name = f"{generation_of_age(-timedelta(minutes=1))}-00000.jsonl.gz"
        write_part_beside(url, name, 2)
        rewrite_without(url, {2})
        assert name in names_beside(url)

    @pytest.mark.parametrize("numbers", [set(), {2}])
    def test_file_that_is_two_days_old_goes(self, numbers, zone):
        url = published(zone, page(1))
        for name in (f"{LONG_AGO}-00000.jsonl.gz", f"{LONG_AGO}-quarantine.jsonl.gz", f".{LONG_AGO}-quarantine-2.json"):
            write_part_beside(url, name, 3)
        rewrite_without(url, numbers)
        assert names_beside(url) == read_manifest(url).files

    def test_part_of_yesterday_goes_only_if_it_holds_a_dossier(self, zone):
        url = published(zone, page(1))
        kept, removed = (f"{generation_of_age(timedelta(hours=23))}-0000{at}.jsonl.gz" for at in range(2))
        write_part_beside(url, kept, 3)
        write_part_beside(url, removed, 3, 2)
        rewrite_without(url, {2})
        assert names_beside(url) == read_manifest(url).files | {kept}

    def test_part_of_a_pruning_that_is_going_on_stays_however_old_its_extract(self, zone):
        url = published(zone, page(1))
        name = f"{LONG_AGO}-{generation_of_age(timedelta())}-00000.jsonl.gz"
        write_part_beside(url, name, 3)
        rewrite_without(url, {2})
        assert name in names_beside(url)

    @pytest.mark.parametrize("length", range(1, len(WITH_TWO)))
    def test_cut_part_goes(self, length, zone):
        url = published(zone, page(1))
        (folder_of(url) / f"{generation_of_age(timedelta(hours=1))}-00000.jsonl.gz").write_bytes(WITH_TWO[:length])
        assert rewrite_without(url, {2}) == 0
        assert names_beside(url) == read_manifest(url).files

    @pytest.mark.parametrize("name", [".{}-quarantine-2.json", "{}-00000.jsonl.gz"])
    @pytest.mark.parametrize(
        "content", [b'{"number":2}', gzip.compress(b"no JSON\n", mtime=0), WITH_TWO[:12] + b"\xff" * 20]
    )
    def test_unreadable_file_goes(self, content, name, zone):
        url = published(zone, page(1))
        (folder_of(url) / name.format(generation_of_age(timedelta(hours=1)))).write_bytes(content)
        assert rewrite_without(url, {2}) == 0
        assert names_beside(url) == read_manifest(url).files

    def test_foreign_file_stays(self, zone):
        url = published(zone, page(1, 2))
        (folder_of(url) / "notes.txt").write_bytes(b"2")
        rewrite_without(url, {2})
        remove_extract(url, read_manifest(url).generation)
        assert {path.name for path in folder_of(url).iterdir()} == {"notes.txt"}


EXTRACTS = st.lists(st.lists(st.integers(1, 12), max_size=6), max_size=5)


@settings(max_examples=80)
@given(
    rows=EXTRACTS,
    poisons=st.lists(st.integers(1, 12), max_size=4, unique=True),
    numbers=st.sets(st.integers(1, 14)),
    one_page_a_part=st.booleans(),
    killed_at=st.none() | st.integers(0, 25),
)
def test_any_extract_loses_any_numbers_whenever_it_is_killed_first(rows, poisons, numbers, one_page_a_part, killed_at):
    before = [number for page_of in rows for number in page_of]
    old = (before, sorted(poisons))
    new = ([number for number in before if number not in numbers], sorted(set(poisons) - numbers))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "PART_BYTES", 1 if one_page_a_part else parts.PART_BYTES)
        zone, faults = zone_at(folder), make_faulty(patched)
        url = published(zone, *(page(*page_of) for page_of in rows), poisons=tuple(poisons))
        if killed_at is not None:
            faults.arm(killed_at, Killed())
            with contextlib.suppress(Killed):
                rewrite_without(url, numbers)
            faults.disarm()
        seen = numbers_held(url)
        assert seen in (old, new)
        assert rewrite_without(url, numbers) == sum(map(len, seen)) - sum(map(len, new))
        assert numbers_held(url) == new
        assert (read_manifest(url).rows, read_manifest(url).quarantined) == tuple(map(len, new))
        assert numbers_in_files(zone).isdisjoint(numbers)
        if killed_at is None:
            assert names_beside(url) == read_manifest(url).files
        assert rewrite_without(url, numbers) == 0


def numbers_held(url: str) -> tuple[list[int], list[int]]:
    """Return the numbers of an extract's rows and of its quarantine, and fail if a part is not whole."""
    return rows_of(url), [record.number for record in read_quarantine(url)]


class TestInterruptions:
    def test_rewriting_killed_at_any_step_shows_the_old_or_the_new_and_a_second_run_ends_it(
        self, tmp_path, monkeypatch, one_page_a_part
    ):
        faults = make_faulty(monkeypatch)
        seen = []
        for at in range(200):
            zone = zone_at(tmp_path / str(at))
            published(zone, page(2, 9))
            url = published(zone, page(1, 2), page(3), page(2), poisons=(4, 5))
            faults.arm(at, Killed())
            try:
                rewrite_without(url, {2, 5})
                done = True
            except Killed:
                done = False
            faults.disarm()
            seen.append(numbers_held(url))
            rewrite_without(url, {2, 5})
            assert numbers_held(url) == ([1, 3], [4])
            assert numbers_in_files(zone) <= {1, 3, 4}
            if done:
                break

        old, new = ([1, 2, 3, 2], [4, 5]), ([1, 3], [4])
        assert done, "there are fewer steps than that"
        at = seen.index(new)
        assert seen == [old] * at + [new] * (len(seen) - at)
        assert at > 6, "the manifest comes after the parts"
        assert len(seen) - at > 3, "old files are removed after the manifest"

    @pytest.mark.parametrize(
        "error", [OSError(28, "No space left on device"), RuntimeError("of its own kind")], ids=repr
    )
    def test_failing_storage_is_one_error_and_the_old_extract_stays(self, error, tmp_path, monkeypatch):
        faults = make_faulty(monkeypatch)
        for at in range(3):
            url = published(zone_at(tmp_path / str(at)), page(1, 2))
            faults.arm(at, error)
            with pytest.raises(DSDestinationError, match=str(error.args[-1])) as caught:
                rewrite_without(url, {2})
            faults.disarm()
            assert "\n" not in str(caught.value)
            assert rows_of(url) == [1, 2]

    def test_failure_leaves_no_file(self, zone, one_page_a_part):
        url = published(zone, page(1, 2), page(3))
        last = folder_of(url) / read_manifest(url).parts[-1].name
        last.write_bytes(b"damaged")
        with pytest.raises(DSDestinationError):
            rewrite_without(url, {2})
        assert names_beside(url) == read_manifest(url).files

    def test_killed_removal_leaves_no_extract_with_missing_parts(self, tmp_path, monkeypatch, one_page_a_part):
        faults = make_faulty(monkeypatch)
        outcomes = []
        for at in range(20):
            url = published(zone_at(tmp_path / str(at)), page(1), page(2))
            faults.arm(at, Killed())
            with contextlib.suppress(Killed):
                remove_extract(url, read_manifest(url).generation)
            faults.disarm()
            outcomes.append((find_manifest(folder_of(url)) is not None, len(names_beside(url))))
            if outcomes[-1][0]:
                assert rows_of(url) == [1, 2]
        assert outcomes[:4] == [(True, 2), (False, 2), (False, 1), (False, 0)]


class TestRemoving:
    def test_leaves_nothing_of_an_extract(self, zone, one_page_a_part):
        begin(zone, MemoryStore(), page(9))
        for number in range(3):
            url = published(zone, page(number), page(number + 1), poisons=(number + 2,))
        rewrite_without(url, {3})
        assert remove_extract(url, read_manifest(url).generation)
        assert list(folder_of(url).iterdir()) == []
        assert list(landed_manifests(zone)) == []

    def test_leaves_an_extract_that_was_landed_in_its_place(self, zone):
        generation = read_manifest(published(zone, page(1))).generation
        url = published(zone, page(2))
        assert not remove_extract(url, generation)
        assert rows_of(url) == [2]

    def test_accepts_that_an_extract_is_missing(self, zone):
        url = published(zone, page(1))
        generation = read_manifest(url).generation
        assert [remove_extract(url, generation) for _ in range(2)] == [True, False]

    def test_leaves_a_try_that_may_be_going_on(self, zone):
        url = published(zone, page(1))
        name = f"{generation_of_age(-timedelta(minutes=1))}-00000.jsonl.gz"
        write_part_beside(url, name, 2)
        remove_extract(url, read_manifest(url).generation)
        assert names_beside(url) == {name}

    def test_works_in_a_bucket(self):
        zone, bucket = bucket_zone("removed")
        published(zone, page(1))
        url = published(zone, page(2))
        assert remove_extract(url, read_manifest(url).generation)
        assert bucket.store == {}

    def test_takes_old_files_in_a_folder_without_an_extract(self, zone):
        url, abandoned = published(zone, page(1)), str(zone / "groupe-8/dossiers/full" / MANIFEST)
        begin(zone, MemoryStore(), page(2), window=None, state="accepte")
        folder_of(abandoned).mkdir(parents=True)
        write_part_beside(abandoned, f"{LONG_AGO}-00000.jsonl.gz", 2)
        write_part_beside(abandoned, "notes.txt", 2)
        remove_abandoned(zone)
        assert names_beside(abandoned) == {"notes.txt"}
        assert numbers_in_files(zone) == {1, 2}
        assert rows_of(url) == [1]

    def test_leaves_old_files_beside_a_manifest_that_cannot_be_read(self, zone):
        url = str(zone / "groupe-8/dossiers/full" / MANIFEST)
        folder_of(url).mkdir(parents=True)
        write_part_beside(url, f"{LONG_AGO}-00000.jsonl.gz", 2)
        (folder_of(url) / MANIFEST).write_bytes(b'{"schema_version": 2}')
        remove_abandoned(zone)
        assert len(names_beside(url)) == 1


class TestZone:
    @pytest.mark.parametrize("kind", ["files", "bucket"])
    def test_extracts_are_found_with_their_manifests(self, kind, tmp_path):
        zone = zone_at(tmp_path) if kind == "files" else bucket_zone("found")[0]
        writers = [
            land(zone, page(1)),
            land(zone, page(2), state="accepte"),
            land(zone, page(3), groupe=12),
            writer_at(zone, select_deleted_dossiers(7)),
        ]
        writers[-1].add(poison_page(3))
        writers[-1].publish()
        begin(zone, MemoryStore(), page(4), state="refuse")
        expected = {writer.manifest_url: read_manifest(writer.manifest_url) for writer in writers}
        assert dict(landed_manifests(zone)) == expected

    def test_empty_zone_holds_no_extract(self, zone):
        assert list(landed_manifests(zone)) == []

    def test_foreign_files_are_no_extracts(self, zone):
        url = published(zone, page(1))
        (zone / "groupe-7/notes.txt").write_bytes(b"x")
        (zone / "groupe-7x/dossiers/full").mkdir(parents=True)
        (zone / "groupe-7x/dossiers/full" / MANIFEST).write_bytes(b"x")
        (zone / "groupe-7/dossiers/notes.txt").write_bytes(b"x")
        assert [found for found, _ in landed_manifests(zone)] == [url]

    def test_manifest_that_cannot_be_read_is_an_error(self, zone):
        url = published(zone, page(1))
        ObjectStoragePath(url).write_bytes(b'{"schema_version": 2}')
        with pytest.raises(DSDestinationError, match=r"manifest\.json"):
            list(landed_manifests(zone))

    def test_erased_dossiers_are_removed_from_all_registries(self, zone):
        published(zone, page(1), poisons=(4, 5))
        published(zone, page(1), poisons=(4, 6), state="accepte")
        remove_from_quarantine(zone, {4, 100})
        assert pending_numbers(zone, PLAIN) == [5]
        assert pending_numbers(zone, select_dossiers(7, state="accepte")) == [6]
