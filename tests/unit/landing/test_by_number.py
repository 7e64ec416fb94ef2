"""A reading by dossier numbers lands beside the windows, under a name of its own, and shares their quarantine."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pendulum
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.pages import Page
from ds_provider.api.query import documents
from ds_provider.api.query.parameters import (
    select_deleted_dossiers,
    select_dossiers,
    select_numbers,
    select_pending_deleted_dossiers,
)
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSConfigurationError
from ds_provider.landing.layout import fingerprint, folder_of
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.quarantine import pending
from ds_provider.landing.writer import LandingWriter
from tests.support.landing_pages import Kept, culprit, landed, page, rows_of, zone_at

ZONE = ObjectStoragePath("file:///zone")
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")
DAY = Window("updated", NOON, NOON.add(days=1), timedelta(minutes=5))

# what earlier versions called these readings: watermarks and checkpoints are kept under such names
KNOWN = [
    (
        select_dossiers(7),
        "dossiers/whole",
        "45bdc762b96b512a6ac5c6e3f2382541a39cd82ed1cc84481d632d4265a34a29",
    ),
    (
        select_dossiers(7, window=DAY),
        "dossiers/updated_20261101T120000Z_20261102T120000Z",
        "d64719e4ba7922e8ef74da62a22e4cdd9f2ef897d3a70faa8a217fad389b8cc9",
    ),
    (
        select_dossiers(7, window=DAY, state="accepte", order="DESC", includes={"messages": True}),
        "dossiers/updated_20261101T120000Z_20261102T120000Z_b63e4a34",
        "ab408216a4581374777375a8e388bc28993f9efa3da5b0da7f0d748aa005220d",
    ),
    (
        select_dossiers(7, archived=False, revision="UHJv", after="abc"),
        "dossiers/whole_24e5b06c",
        "70cfdd104c5b056d2484132180ced3982c6dbeda83beefed4d828f93d65a54fc",
    ),
    (
        select_deleted_dossiers(7),
        "deleted_dossiers/whole",
        "38bf4b66180227648f0d1b489bd8b6394d026e626a18f22dbcb5c60706b30519",
    ),
    (
        select_pending_deleted_dossiers(7),
        "pending_deleted_dossiers/whole",
        "e52f9b59b3ea5c4bbcb2363bc4ce3a9988e79168da3d3d5ef6cb43a614650b62",
    ),
]


def name_of(selection) -> str:
    return str(folder_of(ZONE, selection)).removeprefix("file:///zone/groupe-7/")


@pytest.mark.parametrize(("selection", "name", "known_fingerprint"), KNOWN, ids=[name for _, name, _ in KNOWN])
def test_other_readings_are_called_what_they_were(selection, name, known_fingerprint, monkeypatch):
    monkeypatch.setattr(documents, "load", lambda document: f"query {document}")
    assert (name_of(selection), fingerprint(selection)) == (name, known_fingerprint)


def test_a_folder_by_numbers_has_a_short_name_however_many_they_are():
    name = name_of(select_numbers(7, range(1, 50_000)))
    assert name.startswith("dossiers/numbers_")
    assert len(name) == len("dossiers/numbers_") + 8


numbers = st.sets(st.integers(1, 12), min_size=1)
includes = st.dictionaries(st.sampled_from(["champs", "messages"]), st.booleans(), max_size=2)


@given(numbers, numbers, includes, includes)
def test_two_readings_share_a_folder_only_if_they_are_of_the_same_dossiers(one, other, parts, other_parts):
    first, second = select_numbers(7, one, parts), select_numbers(7, other, other_parts)
    same = first == second
    assert (one == other and first.includes == second.includes) is same
    assert (name_of(first) == name_of(second)) is same
    assert (fingerprint(first) == fingerprint(second)) is same


def test_in_whatever_order_they_are_given_they_are_the_same_reading():
    assert select_numbers(7, [3, 1, 2, 1]) == select_numbers(7, (1, 2, 3))
    assert select_numbers(7, [3, 1]).numbers == (1, 3)


@pytest.mark.parametrize("given_numbers", [[], [0], ["x"], [2**31]], ids=str)
def test_numbers_that_cannot_be_are_refused(given_numbers):
    with pytest.raises(DSConfigurationError, match="numbers"):
        select_numbers(7, given_numbers)


def test_the_manifest_says_how_many_and_not_which(tmp_path):
    selection = select_numbers(7, range(1_000, 11_000))
    landing = LandingWriter(zone_at(tmp_path), selection)
    landing.add(page(1_000, 1_001))
    landing.publish()
    manifest = read_manifest(landing.manifest_url)
    assert manifest.window is None
    assert manifest.selection["numbers"]["count"] == 10_000
    assert len(msgspec.json.encode(manifest)) < 2_000
    assert rows_of(landing.manifest_url) == [1_000, 1_001]


def test_what_is_not_to_be_had_is_told_beside_what_is_landed(tmp_path):
    landing = LandingWriter(zone_at(tmp_path), select_numbers(7, [1, 2, 3]))
    landing.add(Page([], 1, None, gone=[2]))
    landing.add(Page([], 1, None, foreign=[3]))
    landing.add(page(1))
    assert (landing.gone, landing.foreign, landing.requests) == ({2}, {3}, 3)


def test_a_dossier_that_cannot_be_read_waits_for_the_next_reading_of_any_kind(tmp_path):
    zone = zone_at(tmp_path)
    landing = LandingWriter(zone, select_numbers(7, [1, 2]))
    landing.add(page(1))
    landing.quarantine(culprit(2))
    landing.publish()
    assert pending(zone, select_dossiers(7)) == pending(zone, select_numbers(7, [5])) == [2]
    landed(zone, page(2))
    assert pending(zone, select_numbers(7, [5])) == []


def test_a_reading_by_numbers_heals_what_a_window_could_not_read(tmp_path):
    zone = zone_at(tmp_path)
    landing = LandingWriter(zone, select_dossiers(7))
    landing.quarantine(culprit(2))
    landing.publish()
    healed = LandingWriter(zone, select_numbers(7, [2, 3]))
    healed.add(page(2, 3))
    healed.publish()
    assert pending(zone, select_dossiers(7)) == []


def test_an_interrupted_reading_goes_on_with_what_is_missing(tmp_path):
    zone, kept, selection = zone_at(tmp_path), Kept(), select_numbers(7, [1, 2, 3])
    first = LandingWriter(zone, selection, kept)
    first.add(page(1, 2))
    first.suspend()
    second = LandingWriter(zone, selection, kept)
    assert sorted(second.landed) == [1, 2]
    second.add(page(3))
    second.publish()
    assert sorted(rows_of(second.manifest_url)) == [1, 2, 3]


def test_an_interrupted_reading_of_other_numbers_is_not_gone_on_with(tmp_path):
    zone, kept = zone_at(tmp_path), Kept()
    first = LandingWriter(zone, select_numbers(7, [1, 2, 3]), kept)
    first.add(page(1, 2))
    first.suspend()
    assert LandingWriter(zone, select_numbers(7, [1, 2, 4]), kept).landed == {}
