"""A reading lands where its name says, and only the same reading lands there again."""

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
from ds_provider.landing.layout import fingerprint, folder_of, new_generation

ZONE = ObjectStoragePath("file:///zone")
NOON = pendulum.datetime(2026, 11, 1, 12, tz="UTC")


def name_of(selection: Selection) -> str:
    return str(folder_of(ZONE, selection)).removeprefix("file:///zone/")


def dossiers(start=None, end=None, column="created", **asked) -> str:
    return name_of(select_dossiers(7, window=Window(column, start, end) if start or end else None, **asked))


def test_a_folder_names_group_stream_and_window():
    assert dossiers() == "groupe-7/dossiers/whole"
    assert dossiers(NOON, NOON.add(days=1)) == "groupe-7/dossiers/created_20261101T120000Z_20261102T120000Z"
    assert dossiers(NOON, column="updated") == "groupe-7/dossiers/updated_20261101T120000Z_open"
    assert dossiers(end=NOON) == "groupe-7/dossiers/created_open_20261101T120000Z"


def test_deletions_have_folders_of_their_own():
    since = {"deleted_since": "2026-11-01T12:00:00Z"}
    assert name_of(select_deleted_dossiers(7)) == "groupe-7/deleted_dossiers/whole"
    assert name_of(select_deleted_dossiers(7, **since)) == "groupe-7/deleted_dossiers/deleted_20261101T120000Z_open"
    assert name_of(select_pending_deleted_dossiers(7)) == "groupe-7/pending_deleted_dossiers/whole"


def test_stamps_are_utc_and_keep_a_fraction():
    paris = pendulum.datetime(2026, 11, 1, 0, 0, 0, 5, tz="Europe/Paris")
    assert dossiers(paris) == "groupe-7/dossiers/created_20261031T230000.000005Z_open"


@pytest.mark.parametrize(
    "asked",
    [
        {"state": "accepte"},
        {"archived": False},
        {"revision": "UHJv"},
        {"order": "DESC"},
        {"after": "abc"},
        {"includes": {"messages": True}},
        {"includes": {"champs": "false"}},
    ],
    ids=str,
)
def test_a_reading_unlike_the_plain_one_has_a_suffix(asked):
    plain, varied = dossiers(), dossiers(**asked)
    assert varied.startswith(f"{plain}_")
    assert len(varied) == len(plain) + 9


def test_how_a_page_is_asked_for_does_not_change_where_it_lands():
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
    return select_dossiers(
        draw(st.integers(1, 12)),
        window=window,
        state=draw(st.sampled_from([None, *DOSSIER_STATES])),
        archived=draw(st.sampled_from([None, True, False, "true"])),
        revision=draw(st.sampled_from([None, "a", "b"])),
        order=draw(st.sampled_from(["ASC", "DESC"])),
        after=draw(st.sampled_from([None, "a", "b"])),
        includes=draw(st.dictionaries(st.sampled_from(["champs", "avis", "messages"]), st.booleans())),
    )


def what_differs(selection: Selection) -> tuple[object, ...]:
    window = selection.window
    bounds = (window.column, window.start, window.end) if window else None
    return replace(selection, window=None, page_size=100), bounds


@given(selections(), selections())
def test_two_readings_share_a_folder_only_if_they_are_the_same(one, other):
    same = what_differs(one) == what_differs(other)
    assert (name_of(one) == name_of(other)) is same
    assert (fingerprint(one) == fingerprint(other)) is same


def test_the_fingerprint_tells_how_far_reading_looked_back():
    window = Window("updated", NOON, NOON.add(days=1))
    looking = replace(window, lookback=timedelta(minutes=5))
    plain, back = (select_dossiers(7, window=one) for one in (window, looking))
    assert name_of(plain) == name_of(back)
    assert fingerprint(plain) != fingerprint(back)


def test_the_fingerprint_is_of_instants_whatever_their_time_zone():
    utc, paris = (
        select_dossiers(7, window=Window("updated", start)) for start in (NOON, NOON.in_timezone("Europe/Paris"))
    )
    assert fingerprint(utc) == fingerprint(paris)


def test_generations_differ_and_sort_by_time(monkeypatch):
    def at(moment):
        monkeypatch.setattr(pendulum, "now", lambda zone: moment.in_timezone(zone))
        return new_generation()

    first, second, later = at(NOON), at(NOON), at(NOON.add(seconds=1))
    assert first != second
    assert max(first, second) < later
