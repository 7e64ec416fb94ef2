"""An extract lands where its selection says, and only the same selection lands there again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pendulum
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.query.parameters import select_deleted_dossiers, select_dossiers, select_pending_deleted_dossiers
from ds_provider.api.query.selection import DOSSIER_STATES, Selection
from ds_provider.api.query.windows import Window
from ds_provider.landing.layout import (
    MANIFEST,
    ExtractFile,
    LandingTarget,
    extract_folders,
    files_in,
    generation_time,
    group_and_stream_of,
    is_part_of,
    new_generation,
    part_name,
    quarantine_part_name,
    quarantine_registries,
    scratch_name,
    stream_folder_url,
)
from tests.support.connection_model import Stored

ZONE = ObjectStoragePath("file:///zone")
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")
CURSOR = Stored(9, NOON).cursor


def name_of(selection: Selection) -> str:
    return str(LandingTarget.of(ZONE, selection).folder).removeprefix("file:///zone/")


def dossiers(start=None, end=None, column="created", **asked) -> str:
    return name_of(select_dossiers(7, window=Window(column, start, end) if start or end else None, **asked))


def test_folder_names_group_stream_and_window():
    assert dossiers() == "groupe-7/dossiers/full"
    assert dossiers(NOON, NOON.add(days=1)) == "groupe-7/dossiers/created_20261101T120000Z_20261102T120000Z"
    assert dossiers(NOON, column="updated") == "groupe-7/dossiers/updated_20261101T120000Z_open"
    assert dossiers(end=NOON) == "groupe-7/dossiers/created_open_20261101T120000Z"


def test_deletions_have_folders_of_their_own():
    since = {"deleted_since": "2026-11-01T12:00:00Z"}
    assert name_of(select_deleted_dossiers(7)) == "groupe-7/deleted_dossiers/full"
    assert name_of(select_deleted_dossiers(7, **since)) == "groupe-7/deleted_dossiers/deleted_20261101T120000Z_open"
    assert name_of(select_pending_deleted_dossiers(7)) == "groupe-7/pending_deleted_dossiers/full"


def test_window_bounds_are_utc_and_keep_a_fraction():
    paris = pendulum.datetime(2026, 11, 1, 0, 0, 0, 5, tz="Europe/Paris")
    assert dossiers(paris) == "groupe-7/dossiers/created_20261031T230000.000005Z_open"


@pytest.mark.parametrize(
    "asked",
    [
        {"state": "accepte"},
        {"archived": False},
        {"revision": "UHJv"},
        {"order": "DESC"},
        {"after": CURSOR},
        {"includes": {"messages": True}},
        {"includes": {"champs": "false"}},
    ],
    ids=str,
)
def test_extract_unlike_the_plain_one_has_a_suffix(asked):
    plain, varied = dossiers(), dossiers(**asked)
    assert varied.startswith(f"{plain}_")
    assert len(varied) == len(plain) + 9


def test_page_size_and_defaults_do_not_change_the_folder():
    assert dossiers(page_size=3) == dossiers(page_size=100) == dossiers(includes={"champs": True}, state="")


instants = st.datetimes(
    min_value=pendulum.datetime(2015, 1, 1).naive(), max_value=pendulum.datetime(2040, 1, 1).naive()
).map(lambda naive: pendulum.instance(naive, tz="UTC"))
# moments that lie close together, so that bounds differ by a fraction or by nothing
close = st.sampled_from([None, NOON, NOON.add(microseconds=1), NOON.add(seconds=1), NOON.in_timezone("Europe/Paris")])


@st.composite
def selections(draw):
    start, end = draw(close | instants), draw(close | instants)
    if start and end and start >= end:
        end = None
    window = Window(draw(st.sampled_from(["created", "updated"])), start, end) if start or end else None
    selection = select_dossiers(
        draw(st.integers(1, 12)),
        window=window,
        state=draw(st.sampled_from([None, *DOSSIER_STATES])),
        archived=draw(st.sampled_from([None, True, False, "true"])),
        revision=draw(st.sampled_from([None, "a", "b"])),
        order=draw(st.sampled_from(["ASC", "DESC"])),
        includes=draw(st.dictionaries(st.sampled_from(["champs", "avis", "messages"]), st.booleans())),
    )
    return replace(selection, after=draw(st.sampled_from([None, "a", "b"])))


def distinguishing_fields(selection: Selection) -> tuple[object, ...]:
    window = selection.window
    bounds = (window.date_column, window.start, window.end) if window else None
    return replace(selection, window=None, page_size=100), bounds


@given(selections(), selections())
def test_chosenshare_a_folder_only_if_they_are_the_same(one, other):
    same = distinguishing_fields(one) == distinguishing_fields(other)
    assert (name_of(one) == name_of(other)) is same
    assert (LandingTarget.of(ZONE, one).fingerprint == LandingTarget.of(ZONE, other).fingerprint) is same


def test_fingerprint_depends_on_the_lookback():
    window = Window("updated", NOON, NOON.add(days=1))
    looking_back = replace(window, lookback=timedelta(minutes=5))
    plain, back = (select_dossiers(7, window=one) for one in (window, looking_back))
    assert name_of(plain) == name_of(back)
    assert LandingTarget.of(ZONE, plain).fingerprint != LandingTarget.of(ZONE, back).fingerprint


def test_fingerprint_is_of_instants_whatever_their_time_zone():
    utc, paris = (
        select_dossiers(7, window=Window("updated", start)) for start in (NOON, NOON.in_timezone("Europe/Paris"))
    )
    assert LandingTarget.of(ZONE, utc).fingerprint == LandingTarget.of(ZONE, paris).fingerprint


def test_generations_differ_and_sort_by_time(monkeypatch):
    def at(moment):
        monkeypatch.setattr(pendulum, "now", lambda zone: moment.in_timezone(zone))
        return new_generation()

    first, second, later = at(NOON), at(NOON), at(NOON.add(seconds=1))
    assert first != second
    assert max(first, second) < later


DESTINATIONS = ["file:///zone", "/data/ds", "s3://my_conn@bucket/ds", "gs://bucket/groupe-3/dossiers"]


@given(selections(), st.sampled_from(DESTINATIONS), st.sampled_from(["", "/", "//"]))
def test_group_and_stream_of_a_manifest_are_those_of_its_folder(selection, destination, end):
    folder = stream_folder_url(destination + end, selection.groupe_instructeur_number, selection.stream.name)
    assert folder.startswith(f"{destination}/groupe-")
    manifest_url = f"{folder}/{LandingTarget.of(ZONE, selection).folder.name}/{MANIFEST}"
    assert group_and_stream_of(manifest_url) == (selection.groupe_instructeur_number, selection.stream.name)


@given(selections())
def test_url_of_a_stream_folder_is_where_its_extracts_land(selection):
    folder = stream_folder_url(str(ZONE), selection.groupe_instructeur_number, selection.stream.name)
    target = LandingTarget.of(ZONE, selection)
    assert str(target.folder.parent) == str(target.registry.parent) == folder


EARLY, LATE = "20261101T120000-0123abcd", "20261102T130000-89abcdef"
FILES = {
    part_name(EARLY, 0): (EARLY, "20261101T120000"),
    part_name(EARLY, 100_000): (EARLY, "20261101T120000"),
    quarantine_part_name(EARLY): (EARLY, "20261101T120000"),
    scratch_name(EARLY, MANIFEST): (EARLY, "20261101T120000"),
    part_name(f"{EARLY}-{LATE}", 0): (EARLY, "20261102T130000"),
    quarantine_part_name(f"{EARLY}-{LATE}"): (EARLY, "20261102T130000"),
    scratch_name(f"{EARLY}-{LATE}", MANIFEST): (EARLY, "20261102T130000"),
}


def test_files_of_an_extract_say_who_wrote_them_and_when(zone):
    for name in (*FILES, MANIFEST, "notes.txt", "20200101.jsonl.gz", EARLY, f"x{part_name(EARLY, 0)}"):
        (zone / name).write_bytes(b"")
    assert files_in(zone) == [ExtractFile(name, *written) for name, written in sorted(FILES.items())]


def test_parts_of_a_generation_differ_from_all_other_files():
    own = [name for name in FILES if is_part_of(name, EARLY)]
    assert own == [part_name(EARLY, 0), part_name(EARLY, 100_000)]
    assert is_part_of(part_name(f"{EARLY}-{LATE}", 0), f"{EARLY}-{LATE}")


def test_generations_begin_with_their_time(monkeypatch):
    monkeypatch.setattr(pendulum, "now", lambda zone: NOON.in_timezone(zone))
    assert new_generation().startswith(f"{generation_time(NOON)}-")


def test_extracts_and_registries_are_distinguished(zone):
    chosen = [select_dossiers(7), select_dossiers(12, state="accepte"), select_deleted_dossiers(7)]
    extracts = [LandingTarget.of(zone, selection).folder for selection in chosen]
    registries = [LandingTarget.of(zone, selection).registry for selection in chosen]
    for folder in (*extracts, *registries, zone / "groupe-7x/dossiers/full", zone / "else/dossiers/full"):
        folder.mkdir(parents=True)
    assert {str(folder) for folder in extract_folders(zone)} == set(map(str, extracts))
    assert {str(folder) for folder in quarantine_registries(zone)} == set(map(str, registries))
