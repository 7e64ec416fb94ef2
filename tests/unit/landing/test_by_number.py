"""An extract by dossier numbers lands beside the windows, under a name of its own, and shares their quarantine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pendulum
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.pages import Page
from ds_provider.api.query.parameters import (
    parse_includes,
    select_deleted_dossiers,
    select_dossiers,
    select_numbers,
    select_pending_deleted_dossiers,
)
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSConfigurationError
from ds_provider.landing.layout import LandingTarget
from ds_provider.landing.manifest import read_manifest
from tests.support.landing_pages import (
    MemoryStore,
    SentRequests,
    land,
    page,
    pending_numbers,
    poison_page,
    rows_of,
    writer_at,
    zone_at,
)

ZONE = ObjectStoragePath("file:///zone")
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")
DAY = Window("updated", NOON, NOON.add(days=1), timedelta(minutes=5))

# extracts and checkpoints are found under these names: another name loses what is landed
KNOWN = [
    (
        select_dossiers(7),
        "dossiers/full",
        "d73b0e9d8d5524e3f2bc28ceefd0474af5fcdd8227edd080cade3775cfbcdc02",
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
        replace(select_dossiers(7, archived=False, revision="UHJv"), after="abc"),
        "dossiers/full_24e5b06c",
        "806e6e02a768e44d84e68a15dec0cb09cb65cf7bb9d61b3acf067c7cbdb2cdc4",
    ),
    (
        select_deleted_dossiers(7),
        "deleted_dossiers/full",
        "1dbb23aef9f01bf04c3138ce7bfd6fdfb141e641017211fdb51a43fcf09ccb9b",
    ),
    (
        select_pending_deleted_dossiers(7),
        "pending_deleted_dossiers/full",
        "2c1d155b32d6fb853fb755187eab80393ade578b7ac0e7698a67c1c4ecc629d8",
    ),
]


def name_of(selection) -> str:
    return str(LandingTarget.of(ZONE, selection).folder).removeprefix("file:///zone/groupe-7/")


@pytest.mark.parametrize(("selection", "name", "known_fingerprint"), KNOWN, ids=[name for _, name, _ in KNOWN])
def test_folder_names_and_fingerprints_never_change(selection, name, known_fingerprint):
    # the query's text may change: then its extracts are of another shape
    stream = replace(selection.stream, query=f"query {selection.stream.name}")
    target = LandingTarget.of(ZONE, replace(selection, stream=stream))
    assert (name_of(selection), target.fingerprint) == (name, known_fingerprint)


def test_folder_of_numbers_has_a_short_name_however_many_they_are():
    name = name_of(select_numbers(7, range(1, 50_000)))
    assert name.startswith("dossiers/numbers_")
    assert len(name) == len("dossiers/numbers_") + 8


numbers = st.sets(st.integers(1, 12), min_size=1)
includes = st.dictionaries(st.sampled_from(["champs", "messages"]), st.booleans(), max_size=2)


@given(numbers, numbers, includes, includes)
def test_extracts_share_a_folder_only_if_they_are_of_the_same_dossiers(one, other, parts, other_parts):
    first, second = select_numbers(7, one, parse_includes(parts)), select_numbers(7, other, parse_includes(other_parts))
    same = first == second
    assert (one == other and first.includes == second.includes) is same
    assert (name_of(first) == name_of(second)) is same
    assert (LandingTarget.of(ZONE, first).fingerprint == LandingTarget.of(ZONE, second).fingerprint) is same


def test_order_of_given_numbers_makes_no_difference():
    assert select_numbers(7, [3, 1, 2, 1]) == select_numbers(7, (1, 2, 3))
    assert select_numbers(7, [3, 1]).numbers == (1, 3)


@pytest.mark.parametrize("given_numbers", [[], [0], ["x"], [2**31]], ids=str)
def test_impossible_numbers_are_refused(given_numbers):
    with pytest.raises(DSConfigurationError, match="numbers"):
        select_numbers(7, given_numbers)


def test_manifest_says_how_many_numbers_and_not_which(tmp_path):
    selection = select_numbers(7, range(1_000, 11_000))
    writer = writer_at(zone_at(tmp_path), selection)
    writer.add(page(1_000, 1_001))
    writer.publish()
    manifest = read_manifest(writer.manifest_url)
    assert manifest.window is None
    assert manifest.selection["numbers"]["count"] == 10_000
    assert len(msgspec.json.encode(manifest)) < 2_000
    assert rows_of(writer.manifest_url) == [1_000, 1_001]


def test_writer_collects_numbers_that_are_not_found_or_unauthorized(tmp_path):
    sent = SentRequests()
    writer = writer_at(zone_at(tmp_path), select_numbers(7, [1, 2, 3]), requests=sent)
    for one in (Page([], not_found=[2]), Page([], unauthorized=[3]), page(1)):
        sent.land(writer, one)
    assert (writer.not_found, writer.unauthorized, writer.requests) == ({2}, {3}, 3)


def test_quarantined_dossier_waits_for_the_next_extraction_of_any_kind(tmp_path):
    zone = zone_at(tmp_path)
    writer = writer_at(zone, select_numbers(7, [1, 2]))
    writer.add(page(1))
    writer.add(poison_page(2))
    writer.publish()
    assert pending_numbers(zone, select_dossiers(7)) == pending_numbers(zone, select_numbers(7, [5])) == [2]
    land(zone, page(2))
    assert pending_numbers(zone, select_numbers(7, [5])) == []


def test_extraction_by_numbers_heals_a_dossier_that_a_window_could_not_read(tmp_path):
    zone = zone_at(tmp_path)
    writer = writer_at(zone, select_dossiers(7))
    writer.add(poison_page(2))
    writer.publish()
    healed = writer_at(zone, select_numbers(7, [2, 3]))
    healed.add(page(2, 3))
    healed.publish()
    assert pending_numbers(zone, select_dossiers(7)) == []


def test_interrupted_extraction_by_numbers_resumes(tmp_path):
    zone, store, selection = zone_at(tmp_path), MemoryStore(), select_numbers(7, [1, 2, 3])
    first = writer_at(zone, selection, store)
    first.add(page(1, 2))
    first.suspend()
    second = writer_at(zone, selection, store)
    assert sorted(second.landed) == [1, 2]
    second.add(page(3))
    second.publish()
    assert sorted(rows_of(second.manifest_url)) == [1, 2, 3]


def test_interrupted_extraction_of_other_numbers_is_not_resumed(tmp_path):
    zone, store = zone_at(tmp_path), MemoryStore()
    first = writer_at(zone, select_numbers(7, [1, 2, 3]), store)
    first.add(page(1, 2))
    first.suspend()
    assert writer_at(zone, select_numbers(7, [1, 2, 4]), store).landed == {}
