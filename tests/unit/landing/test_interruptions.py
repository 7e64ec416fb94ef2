"""Whatever happens to an extraction on its way, readers see the extract before it or the new one, whole."""

from __future__ import annotations

import threading

import pytest

from ds_provider.api.paging.pages import Page
from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.manifest import find_manifest
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import START, checked_manifest, land, page, rows_of, writer_at, zone_at
from tests.support.storages import Killed, bucket_zone, make_faulty


def url_in(zone) -> str:
    return str(zone / "groupe-7/dossiers/full/manifest.json")


@pytest.mark.parametrize("before", [0, 2], ids=["the first extract", "a replacement"])
def test_run_killed_at_any_step_leaves_the_old_or_the_new_extract_whole(before, tmp_path, monkeypatch, one_page_a_part):
    faults = make_faulty(monkeypatch)
    seen = []
    for at in range(200):
        zone = zone_at(tmp_path / f"{before}-{at}")
        for _ in range(before):
            land(zone, page(1), page(2))
        faults.arm(at, Killed())
        try:
            land(zone, page(1), page(2), page(3))
            finished = True
        except Killed:
            finished = False
        faults.disarm()
        manifest = find_manifest(zone / "groupe-7/dossiers/full")
        seen.append(None if manifest is None else rows_of(url_in(zone)))
        if finished:
            break

    old = [1, 2] if before else None
    assert finished, "there are fewer steps than that"
    assert seen[-1] == [1, 2, 3]
    published = seen.index([1, 2, 3])
    assert seen[:published] == [old] * published
    assert seen[published:] == [[1, 2, 3]] * (len(seen) - published)
    assert published > 8, "the manifest comes last"


def test_files_of_a_killed_run_do_not_disturb_the_next(zone, monkeypatch, one_page_a_part):
    faults = make_faulty(monkeypatch)
    for at in range(2, 12):
        faults.arm(at, Killed())
        with pytest.raises(Killed):
            land(zone, page(8), page(9))
        faults.disarm()
        land(zone, page(at))
        assert rows_of(url_in(zone)) == [at]


def test_object_store_is_never_left_with_half_a_manifest():
    zone, bucket = bucket_zone("killed")
    first = land(zone, page(1, 2))
    writer = writer_at(zone, select_dossiers(7))
    writer.add(page(3))
    writer._writer.close()
    # a terminated task raises wherever it is, and closes its open files on its way out
    bucket.faults.step = killing_at_the_first(bucket.faults)
    with pytest.raises(Killed):
        writer.publish()
    bucket.faults.step = lambda name: None
    assert rows_of(first.manifest_url) == [1, 2]


def killing_at_the_first(faults):
    def step(name):
        faults.steps.append(name)
        if len(faults.steps) == 1:
            raise Killed

    faults.steps = []
    return step


def test_object_store_holds_extracts_and_replaces_them(one_page_a_part):
    zone, bucket = bucket_zone("plain")
    for n in range(3):
        last = land(zone, page(n), page(n + 1))
    assert rows_of(last.manifest_url) == [2, 3]
    assert len(checked_manifest(last.manifest_url).parts) == 2
    assert len(bucket.store) == 1 + 2 + 2


def test_readers_never_see_half_of_an_extract_while_it_is_replaced(zone, one_page_a_part):
    url = land(zone, page(0, 0)).manifest_url
    failures: list[Exception] = []
    read: list[int] = []
    done = threading.Event()

    def reader():
        try:
            while not done.is_set():
                manifest = checked_manifest(url)
                read.append(manifest.rows)
        except (DSDestinationError, OSError, AssertionError) as error:
            failures.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for n in range(1, 60):
            land(zone, page(*[n] * (1 + n % 5)))
            # a reader has one replacement's time, not none: wait until it has begun anew
            turn = len(read)
            while len(read) == turn and thread.is_alive():
                done.wait(0.0005)
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert len(set(read)) > 1


ERRORS = [OSError(28, "No space left on device"), RuntimeError("of the storage's own kind")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("at", range(8))
def test_failing_storage_is_one_error_with_its_context(at, error, tmp_path, monkeypatch, one_page_a_part):
    faults = make_faulty(monkeypatch)
    zone = zone_at(tmp_path)
    writer = writer_at(zone, select_deleted_dossiers(7, deleted_since="2026-11-01T00:00:00Z"))
    faults.arm(at, error)
    with pytest.raises(DSDestinationError, match=str(error.args[-1])) as caught:
        add_and_publish(writer, page(1, 2, dateSupression=START.isoformat()))
    assert (caught.value.groupe_instructeur_number, caught.value.stream) == (7, "deleted_dossiers")
    assert caught.value.window == str(writer.selection.window)
    assert "\n" not in str(caught.value)


def add_and_publish(writer: LandingWriter, one: Page) -> None:
    for at in range(2):
        writer.add(Page(one.rows[at : at + 1]))
    writer.publish()


def test_folder_that_cannot_be_made_is_the_same_error(zone):
    (zone / "groupe-7").write_bytes(b"a file where the group's folder should be")
    with pytest.raises(DSDestinationError) as caught:
        writer_at(zone, select_dossiers(7))
    assert caught.value.groupe_instructeur_number == 7


def test_extract_with_a_page_that_failed_to_land_is_not_published(zone, monkeypatch):
    faults = make_faulty(monkeypatch)
    writer = writer_at(zone, select_dossiers(7))
    writer.add(page(1))
    faults.arm(0, OSError("no space left"))
    with pytest.raises(DSDestinationError, match="no space left"):
        writer.add(page(2))
    faults.disarm()
    writer.add(page(3))
    with pytest.raises(DSDestinationError, match="run the task again"):
        writer.publish()
    assert find_manifest(writer.folder) is None
