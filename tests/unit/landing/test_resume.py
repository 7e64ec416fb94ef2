"""A try resumes where the one before was interrupted: no row is lost or lands twice, one page is read again."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.paging.pages import Page
from ds_provider.api.query.parameters import explicit_window, select_dossiers
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing import parts
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import (
    FailingStore,
    MemoryStore,
    SentRequests,
    begin,
    checked_manifest,
    date_of,
    finish,
    land,
    page,
    parts_in,
    rows_of,
    writer_at,
    zone_at,
)
from tests.support.storages import Killed, bucket_zone, make_faulty

PAGES = [page(1, 2), page(3), page(4, 5, 6), page(7)]


def assert_all_landed(writer: LandingWriter) -> None:
    assert sorted(rows_of(writer.manifest_url)) == [1, 2, 3, 4, 5, 6, 7]
    manifest = read_manifest(writer.manifest_url)
    assert (manifest.rows, manifest.first_date, manifest.last_date) == (7, date_of(1), date_of(7))


@pytest.mark.parametrize("size", ["one part", "one page a part"])
def test_try_killed_at_any_step_costs_one_page_at_most(size, tmp_path, monkeypatch, request):
    if size == "one page a part":
        request.getfixturevalue("one_page_a_part")
    faults = make_faulty(monkeypatch)
    killed = 0
    for at in range(200):
        zone, store = zone_at(tmp_path / str(at)), MemoryStore()
        asked = 0
        faults.arm(at, Killed())
        try:
            writer = writer_at(zone, select_dossiers(7), store)
            for one in PAGES:
                asked += 1
                writer.add(one)
            writer.publish()
        except Killed:
            killed += 1
        faults.disarm()
        writer, again = finish(zone, store, *PAGES)
        assert_all_landed(writer)
        assert asked + again - len(PAGES) <= 1
        if killed <= at:
            break
    assert killed > 12


def test_open_part_cut_at_any_byte_loses_no_more_than_the_page_that_was_cut(tmp_path):
    pages = PAGES[:2]
    (part,) = parts_in(begin(zone_at(tmp_path / "whole"), MemoryStore(), *pages).folder)
    whole = part.read_bytes()
    lost = []
    for length in range(len(whole) + 1):
        zone, store = zone_at(tmp_path / str(length)), MemoryStore()
        (part,) = parts_in(begin(zone, store, *pages).folder)
        part.write_bytes(whole[:length])
        writer, again = finish(zone, store, *pages)
        assert sorted(rows_of(writer.manifest_url)) == [1, 2, 3]
        lost.append(again)
    assert lost == sorted(lost, reverse=True)
    assert set(lost) == {2, 1, 0}


def test_extraction_killed_again_and_again_reads_no_page_twice(zone):
    store, read = MemoryStore(), 0
    for _ in range(len(PAGES)):
        writer = begin(zone, store)
        (first, *_) = (one for one in PAGES if one.rows[0].head.number not in writer.landed)
        writer.add(first)
        read += 1
    writer, again = finish(zone, store, *PAGES)
    assert_all_landed(writer)
    assert (read, again) == (4, 0)


def test_resumed_rows_have_their_dates(zone, one_page_a_part):
    store = MemoryStore()
    begin(zone, store, page(3, 1), page(2))
    writer = begin(zone, store)
    assert writer.landed == {number: date_of(number) for number in (1, 2, 3)}
    assert (writer.rows, writer.first_date, writer.last_date) == (3, date_of(1), date_of(3))


@pytest.mark.parametrize("changed_first", [False, True])
def test_row_that_changed_between_two_tries_has_its_later_date(changed_first, zone):
    store = MemoryStore()
    asked = {"window": explicit_window(updated_since="2026-11-01T00:00:00Z")}
    pages = [page(1), page(1, dateDerniereModification=date_of(50).isoformat())]
    for one in reversed(pages) if changed_first else pages:
        begin(zone, store, one, **asked)
    assert begin(zone, store, **asked).landed == {1: date_of(50)}


def begin_counted(zone, store, *pages: tuple[Page, int]) -> LandingWriter:
    """Begin an extraction whose client counts the requests that each page took."""
    sent = SentRequests()
    writer = writer_at(zone, select_dossiers(7), store, requests=sent)
    for one, requests in pages:
        sent.land(writer, one, requests)
    return writer


def test_pages_and_requests_of_all_tries_are_counted(zone):
    store = MemoryStore()
    begin_counted(zone, store, (page(1), 3), (page(2), 2)).suspend()
    begin_counted(zone, store, (page(3), 4))
    writer = begin_counted(zone, store, (page(4), 5))
    writer.publish()
    manifest = checked_manifest(writer.manifest_url)
    assert manifest.pages == 4
    assert manifest.requests == writer.requests == 3 + 2 + 1 + 5, "a page of a killed try took at least one"


def test_first_page_of_a_killed_try_is_counted_once(zone):
    store = MemoryStore()
    begin_counted(zone, store, (page(), 2), (page(1), 1))
    writer = begin_counted(zone, store)
    assert (writer.pages, writer.requests) == (2, 2)
    assert writer.publish().requests == 2


def test_requests_of_a_published_try_are_those_of_its_manifest(zone):
    store = MemoryStore()
    begin_counted(zone, store, (page(1), 3)).publish()
    writer = begin_counted(zone, store, (page(2), 2))
    assert writer.publish().requests == 5


def test_manifest_says_when_the_first_try_began(zone):
    store = MemoryStore()
    begin(zone, store, page(1))
    began = json.loads(store.saved[0])["read_started_at"]
    writer, _ = finish(zone, store, *PAGES)
    manifest = read_manifest(writer.manifest_url)
    assert manifest.read_started_at.isoformat() == began.replace("Z", "+00:00")


def test_failed_extraction_keeps_its_pages(zone):
    store = MemoryStore()
    begin(zone, store, *PAGES[:2]).suspend()
    writer, again = finish(zone, store, *PAGES)
    assert again == 2
    assert_all_landed(writer)


@pytest.mark.parametrize("at", [0, 1], ids=["the manifest is not written", "it is not put in place"])
def test_extraction_that_failed_to_publish_reads_nothing_again(at, zone, monkeypatch):
    faults = make_faulty(monkeypatch)
    store = MemoryStore()
    writer = begin(zone, store, *PAGES)
    writer._writer.close()
    faults.arm(at, OSError("no space left"))
    with pytest.raises(DSDestinationError):
        writer.publish()
    faults.disarm()
    writer.suspend()
    writer, again = finish(zone, store, *PAGES)
    assert again == 0
    assert_all_landed(writer)


def test_page_that_was_half_written_when_the_disk_was_full_is_read_again(zone, monkeypatch):
    faults = make_faulty(monkeypatch)
    store = MemoryStore()
    writer = begin(zone, store, *PAGES[:2])
    faults.arm(0, OSError("no space left"))
    with pytest.raises(DSDestinationError):
        writer.add(PAGES[2])
    writer.suspend()
    faults.disarm()
    writer, again = finish(zone, store, *PAGES)
    assert again == 2
    assert_all_landed(writer)


@pytest.mark.parametrize("store", [None, FailingStore()], ids=["no checkpoint", "one that fails"])
def test_failed_extraction_without_a_checkpoint_leaves_nothing(store, zone):
    writer = begin(zone, store, *PAGES)
    writer.suspend()
    assert list(writer.folder.iterdir()) == []


def test_failing_store_does_not_fail_the_extraction(zone, one_page_a_part):
    writer, _ = finish(zone, FailingStore(), *PAGES)
    assert_all_landed(writer)


def test_pages_are_found_after_the_store_began_to_fail(zone, one_page_a_part):
    store = MemoryStore()
    writer = begin(zone, store, PAGES[0])
    store.save = lambda value: False
    for one in PAGES[1:]:
        writer.add(one)
    writer.suspend()
    writer, again = finish(zone, store, *PAGES)
    assert again == 0
    assert_all_landed(writer)


def test_task_that_failed_after_it_published_reads_nothing_again(zone):
    store = MemoryStore()
    first, _ = finish(zone, store, *PAGES)
    listed = parts_in(first.folder)
    for _ in range(3):
        writer, again = finish(zone, store, *PAGES)
        assert again == 0
        assert_all_landed(writer)
        assert parts_in(writer.folder) == listed
    assert read_manifest(writer.manifest_url).pages == 4


def test_resumed_parts_stay_while_a_manifest_in_use_lists_them(zone, one_page_a_part):
    store = MemoryStore()
    begin(zone, store, *PAGES[:2])
    first, _ = finish(zone, store, *PAGES)
    listed = read_manifest(first.manifest_url)
    assert len({part.name.rsplit("-", 1)[0] for part in listed.parts}) == 2
    land(zone, page(8))
    assert {path.name for path in parts_in(first.folder)} > {part.name for part in listed.parts}, "it may still be read"


def test_part_that_others_removed_meanwhile_is_not_published(zone, one_page_a_part):
    store = MemoryStore()
    begin(zone, store, *PAGES[:2])
    writer = begin(zone, store)
    parts_in(writer.folder)[0].unlink()
    with pytest.raises(DSDestinationError, match="run the task again") as caught:
        writer.publish()
    assert caught.value.groupe_instructeur_number == 7
    writer.suspend()
    writer, again = finish(zone, store, *PAGES)
    assert again == 3
    assert_all_landed(writer)


def test_closed_part_in_a_bucket_is_not_read_again(one_page_a_part):
    zone, _ = bucket_zone("resumed")
    store = MemoryStore()
    begin(zone, store, *PAGES[:2])
    writer, again = finish(zone, store, *PAGES)
    assert again == 2
    assert_all_landed(writer)


def test_failed_extraction_keeps_its_open_part_in_a_bucket():
    zone, _ = bucket_zone("suspended")
    store = MemoryStore()
    begin(zone, store, *PAGES[:2]).suspend()
    writer, again = finish(zone, store, *PAGES)
    assert again == 2
    assert_all_landed(writer)


def test_copied_page_in_a_bucket_outlives_the_try_that_copied_it(monkeypatch):
    zone, _ = bucket_zone("copied")
    store = MemoryStore()
    with monkeypatch.context() as patched:
        patched.setattr(parts, "REMOTE_PART_BYTES", 1)
        first = begin(zone, store, PAGES[0])
        patched.setattr(store, "save", lambda value: False)
        first.add(PAGES[1])
    second = begin(zone, store)
    writer, again = finish(zone, store, *PAGES)
    assert len(second.landed) == 3
    assert again == 2
    assert_all_landed(writer)


class TestTwoTriesAtOnce:
    """A try that is believed dead may still be at work, until its worker learns of it."""

    def test_later_pages_of_the_first_are_not_in_the_second(self, zone):
        store = MemoryStore()
        first = begin(zone, store, *PAGES[:2])
        second = begin(zone, store)
        first.add(PAGES[2])
        for one in PAGES[2:]:
            second.add(one)
        second.publish()
        assert_all_landed(second)

    @pytest.mark.parametrize("end", ["publish", "suspend"])
    def test_second_is_whole_whatever_way_the_first_ends(self, end, zone, one_page_a_part):
        store = MemoryStore()
        first = begin(zone, store, *PAGES[:2])
        second = begin(zone, store, PAGES[2])
        first.add(page(9))
        getattr(first, end)()
        second.add(PAGES[3])
        second.publish()
        assert_all_landed(second)

    def test_extract_of_the_first_is_whole_while_the_second_reads(self, zone, one_page_a_part):
        store = MemoryStore()
        first = begin(zone, store, *PAGES)
        begin(zone, store, page(8))
        first.publish()
        assert_all_landed(first)
