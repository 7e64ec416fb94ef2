"""A try goes on from where the one before was interrupted: no row is lost or lands twice, one page is read again."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.query.parameters import explicit_window, select_dossiers
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing import parts
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import (
    Failing,
    Kept,
    begun,
    date_of,
    finished,
    landed,
    page,
    parts_in,
    rows_of,
    whole_parts,
    zone_at,
)
from tests.support.storages import Killed, bucket_zone, make_faulty

PAGES = [page(1, 2), page(3), page(4, 5, 6), page(7)]


def assert_all_landed(landing: LandingWriter) -> None:
    assert sorted(rows_of(landing.manifest_url)) == [1, 2, 3, 4, 5, 6, 7]
    manifest = read_manifest(landing.manifest_url)
    assert (manifest.rows, manifest.first_date, manifest.last_date) == (7, date_of(1), date_of(7))


@pytest.mark.parametrize("size", ["one part", "one page a part"])
def test_killed_at_any_step_one_page_is_read_again_at_most(size, tmp_path, monkeypatch, request):
    if size == "one page a part":
        request.getfixturevalue("one_page_a_part")
    faults = make_faulty(monkeypatch)
    killed = 0
    for at in range(200):
        zone, kept = zone_at(tmp_path / str(at)), Kept()
        asked = 0
        faults.arm(at, Killed())
        try:
            landing = LandingWriter(zone, select_dossiers(7), kept)
            for one in PAGES:
                asked += 1
                landing.add(one)
            landing.publish()
        except Killed:
            killed += 1
        faults.disarm()
        landing, again = finished(zone, kept, *PAGES)
        assert_all_landed(landing)
        assert asked + again - len(PAGES) <= 1
        if killed <= at:
            break
    assert killed > 12


def test_an_open_part_cut_at_any_byte_loses_no_more_than_the_page_that_was_cut(tmp_path):
    pages = PAGES[:2]
    (part,) = parts_in(begun(zone_at(tmp_path / "whole"), Kept(), *pages).folder)
    whole = part.read_bytes()
    lost = []
    for length in range(len(whole) + 1):
        zone, kept = zone_at(tmp_path / str(length)), Kept()
        (part,) = parts_in(begun(zone, kept, *pages).folder)
        part.write_bytes(whole[:length])
        landing, again = finished(zone, kept, *pages)
        assert sorted(rows_of(landing.manifest_url)) == [1, 2, 3]
        lost.append(again)
    assert lost == sorted(lost, reverse=True)
    assert set(lost) == {2, 1, 0}


def test_killed_again_and_again_it_ends_with_all_and_no_page_was_read_twice(zone):
    kept, read = Kept(), 0
    for _ in range(len(PAGES)):
        landing = begun(zone, kept)
        (first, *_) = (one for one in PAGES if one.rows[0].head.number not in landing.landed)
        landing.add(first)
        read += 1
    landing, again = finished(zone, kept, *PAGES)
    assert_all_landed(landing)
    assert (read, again) == (4, 0)


def test_what_was_landed_is_told_with_its_dates(zone, one_page_a_part):
    kept = Kept()
    begun(zone, kept, page(3, 1), page(2))
    landing = begun(zone, kept)
    assert landing.landed == {number: date_of(number) for number in (1, 2, 3)}
    assert (landing.rows, landing.first_date, landing.last_date) == (3, date_of(1), date_of(3))


@pytest.mark.parametrize("changed_first", [False, True])
def test_a_row_that_changed_between_two_tries_is_told_with_its_later_date(changed_first, zone):
    kept = Kept()
    asked = {"window": explicit_window(updated_since="2026-11-01T00:00:00Z")}
    pages = [page(1), page(1, dateDerniereModification=date_of(50).isoformat())]
    for one in reversed(pages) if changed_first else pages:
        begun(zone, kept, one, **asked)
    assert begun(zone, kept, **asked).landed == {1: date_of(50)}


def test_pages_and_requests_of_all_tries_are_counted(zone, monkeypatch):
    kept = Kept()
    begun(zone, kept, page(1, requests=3), page(2, requests=2)).suspend()
    begun(zone, kept, page(3, requests=4))
    landing, _ = finished(zone, kept, page(4, requests=5))
    manifest = whole_parts(landing.manifest_url)
    assert manifest.pages == 4
    assert manifest.requests == 3 + 2 + 1 + 5, "of a page of a killed try it is only known that one was made"


def test_the_manifest_says_when_the_first_try_began(zone):
    kept = Kept()
    begun(zone, kept, page(1))
    began = json.loads(kept.saved[0])["read_started_at"]
    landing, _ = finished(zone, kept, *PAGES)
    manifest = read_manifest(landing.manifest_url)
    assert manifest.read_started_at.isoformat() == began.replace("Z", "+00:00")


def test_a_reading_that_failed_keeps_what_it_landed(zone):
    kept = Kept()
    begun(zone, kept, *PAGES[:2]).suspend()
    landing, again = finished(zone, kept, *PAGES)
    assert again == 2
    assert_all_landed(landing)


@pytest.mark.parametrize("at", [0, 1], ids=["the manifest is not written", "it is not put in place"])
def test_a_reading_that_failed_to_publish_has_nothing_to_read_again(at, zone, monkeypatch):
    faults = make_faulty(monkeypatch)
    kept = Kept()
    landing = begun(zone, kept, *PAGES)
    landing._writer.close()
    faults.arm(at, OSError("no space left"))
    with pytest.raises(DSDestinationError):
        landing.publish()
    faults.disarm()
    landing.suspend()
    landing, again = finished(zone, kept, *PAGES)
    assert again == 0
    assert_all_landed(landing)


def test_a_page_that_was_half_written_when_the_disk_was_full_is_read_again(zone, monkeypatch):
    faults = make_faulty(monkeypatch)
    kept = Kept()
    landing = begun(zone, kept, *PAGES[:2])
    faults.arm(0, OSError("no space left"))
    with pytest.raises(DSDestinationError):
        landing.add(PAGES[2])
    landing.suspend()
    faults.disarm()
    landing, again = finished(zone, kept, *PAGES)
    assert again == 2
    assert_all_landed(landing)


@pytest.mark.parametrize("kept", [None, Failing()], ids=["no checkpoint", "one that fails"])
def test_without_a_checkpoint_a_reading_that_failed_leaves_nothing(kept, zone):
    landing = begun(zone, kept, *PAGES)
    landing.suspend()
    assert list(landing.folder.iterdir()) == []


def test_a_checkpoint_that_fails_does_not_fail_the_reading(zone, one_page_a_part):
    landing, _ = finished(zone, Failing(), *PAGES)
    assert_all_landed(landing)


def test_a_store_that_fails_later_leaves_what_was_landed_to_be_found(zone, one_page_a_part):
    kept = Kept()
    landing = begun(zone, kept, PAGES[0])
    kept.save = lambda value: False
    for one in PAGES[1:]:
        landing.add(one)
    landing.suspend()
    landing, again = finished(zone, kept, *PAGES)
    assert again == 0
    assert_all_landed(landing)


def test_a_task_that_fails_after_it_published_does_not_read_again(zone):
    kept = Kept()
    first, _ = finished(zone, kept, *PAGES)
    listed = parts_in(first.folder)
    for _ in range(3):
        landing, again = finished(zone, kept, *PAGES)
        assert again == 0
        assert_all_landed(landing)
        assert parts_in(landing.folder) == listed
    assert read_manifest(landing.manifest_url).pages == 4


def test_what_is_taken_over_stays_while_any_manifest_in_use_lists_it(zone, one_page_a_part):
    kept = Kept()
    begun(zone, kept, *PAGES[:2])
    first, _ = finished(zone, kept, *PAGES)
    listed = read_manifest(first.manifest_url)
    assert len({part.name.rsplit("-", 1)[0] for part in listed.parts}) == 2
    landed(zone, page(8))
    assert {path.name for path in parts_in(first.folder)} > {part.name for part in listed.parts}, "it may still be read"


def test_a_part_that_others_removed_meanwhile_is_not_published(zone, one_page_a_part):
    kept = Kept()
    begun(zone, kept, *PAGES[:2])
    landing = begun(zone, kept)
    parts_in(landing.folder)[0].unlink()
    with pytest.raises(DSDestinationError, match="run the task again") as caught:
        landing.publish()
    assert caught.value.groupe_instructeur_number == 7
    landing.suspend()
    landing, again = finished(zone, kept, *PAGES)
    assert again == 3
    assert_all_landed(landing)


def test_in_a_bucket_what_was_closed_is_not_read_again(one_page_a_part):
    zone, _ = bucket_zone("resumed")
    kept = Kept()
    begun(zone, kept, *PAGES[:2])
    landing, again = finished(zone, kept, *PAGES)
    assert again == 2
    assert_all_landed(landing)


def test_in_a_bucket_a_reading_that_failed_keeps_the_part_that_was_open():
    zone, _ = bucket_zone("suspended")
    kept = Kept()
    begun(zone, kept, *PAGES[:2]).suspend()
    landing, again = finished(zone, kept, *PAGES)
    assert again == 2
    assert_all_landed(landing)


def test_in_a_bucket_what_was_copied_outlives_the_try_that_copied_it(monkeypatch):
    zone, _ = bucket_zone("copied")
    kept = Kept()
    with monkeypatch.context() as patched:
        patched.setattr(parts, "REMOTE_PART_BYTES", 1)
        first = begun(zone, kept, PAGES[0])
        patched.setattr(kept, "save", lambda value: False)
        first.add(PAGES[1])
    second = begun(zone, kept)
    landing, again = finished(zone, kept, *PAGES)
    assert len(second.landed) == 3
    assert again == 2
    assert_all_landed(landing)


class TestTwoTriesAtOnce:
    """A try that is believed dead may still be at work, until its worker learns of it."""

    def test_what_the_first_goes_on_to_write_is_not_in_the_second(self, zone):
        kept = Kept()
        first = begun(zone, kept, *PAGES[:2])
        second = begun(zone, kept)
        first.add(PAGES[2])
        for one in PAGES[2:]:
            second.add(one)
        second.publish()
        assert_all_landed(second)

    @pytest.mark.parametrize("end", ["publish", "suspend"])
    def test_whatever_way_the_first_ends_the_second_is_whole(self, end, zone, one_page_a_part):
        kept = Kept()
        first = begun(zone, kept, *PAGES[:2])
        second = begun(zone, kept, PAGES[2])
        first.add(page(9))
        getattr(first, end)()
        second.add(PAGES[3])
        second.publish()
        assert_all_landed(second)

    def test_what_the_first_published_is_whole_while_the_second_reads(self, zone, one_page_a_part):
        kept = Kept()
        first = begun(zone, kept, *PAGES)
        begun(zone, kept, page(8))
        first.publish()
        assert_all_landed(first)
