"""Idle groups: a list of groups with few changes costs few requests, and each idle group is landed as empty."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk import Asset

from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSDestinationError, DSGroupesFailedError, DSNotFoundError, DSTokenExpiredError
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.landing.storage import open_destination
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from tests.support.batched_groups import is_batched
from tests.support.flows import response
from tests.support.landing_pages import writer_at
from tests.support.operator_service import START, Store, Ti, dossiers, unauthorized
from tests.unit.operators.test_run_windows import at_instant, run

ASSET = Asset("ds://groupe/7")
FOLDER = "updated_20261101T080000Z_20261101T090000Z"


def at(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def operator(destination, groupes, *, window=None, **asked):
    asked = asked or ({} if window else {"updated_since": at(0), "updated_until": at(3600)})
    return DSExtractDossiersOperator(
        task_id="t",
        groupe_instructeur_number=groupes,
        destination=destination,
        window=window,
        outlets=[ASSET] if window else [],
        **asked,
    )


def url(destination: str, groupe: int, folder: str = FOLDER) -> str:
    return f"{destination}/groupe-{groupe}/dossiers/{folder}/manifest.json"


def read_alone(service) -> list[int]:
    return [asked["number"] for asked in service.variables if "number" in asked]


def test_only_the_groups_that_changed_are_read(service, destination):
    for groupe in (17, 58, 99):
        service.holds(groupe, *dossiers(groupe))
    summaries = operator(destination, list(range(1, 101))).execute({"ti": Ti()})
    assert len(service.requests) <= 8
    assert read_alone(service) == [17, 58, 99]
    assert [summary["groupe_instructeur_number"] for summary in summaries] == list(range(1, 101))
    assert {summary["groupe_instructeur_number"] for summary in summaries if summary["rows"]} == {17, 58, 99}


def test_summary_of_an_idle_group_equals_that_of_an_empty_extraction(service, destination):
    idle, _ = operator(destination, [1, 2]).execute({"ti": Ti()})
    assert read_alone(service) == []
    read = operator(destination, 1).execute({})
    assert read_alone(service) == [1]
    assert idle == read


def test_manifest_of_an_idle_group_lists_no_part_and_counts_no_request(service, destination):
    before = datetime.now(timezone.utc)
    operator(destination, [1, 2]).execute({"ti": Ti()})
    manifest = read_manifest(url(destination, 1))
    assert (manifest.rows, manifest.pages, manifest.requests, manifest.parts) == (0, 0, 0, [])
    assert manifest.window == ("2026-11-01T08:00:00+00:00", "2026-11-01T09:00:00+00:00")
    assert (manifest.first_date, manifest.last_date) == (None, None)
    assert manifest.groupe_instructeur_label == "défaut"
    assert before <= manifest.read_started_at <= manifest.read_finished_at
    assert list(iter_rows(url(destination, 1))) == []


def test_idle_group_is_as_fresh_as_the_request_that_found_it(service, destination):
    answered: list[datetime] = []
    service.holds(1, *dossiers(5))

    def note(request):
        answered.append(datetime.now(timezone.utc))

    service.fails(2, note)
    operator(destination, [1, 2]).execute({"ti": Ti()})
    assert read_manifest(url(destination, 2)).read_started_at <= answered[0]


def test_idle_group_replaces_an_earlier_extract_of_the_window(service, destination):
    service.holds(1, *dossiers(5))
    operator(destination, [1, 2]).execute({"ti": Ti()})
    first = read_manifest(url(destination, 1))
    service.holds(1, *dossiers(4000))
    operator(destination, [1, 2]).execute({"ti": Ti()})
    assert read_alone(service) == [1]
    second = read_manifest(url(destination, 1))
    assert (first.rows, second.rows, second.supersedes) == (1, 0, first.generation)


@pytest.mark.parametrize("code", ["not_found", "unauthorized"])
def test_missing_group_fails_alone_and_idle_groups_are_landed(code, service, destination):
    service.holds(3, *dossiers(5))
    service.fails(2, lambda request: unauthorized(code, "GroupeInstructeurWithDossiers not found"))
    ti = Ti()
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [1, 2, 3, 4]).execute({"ti": ti})
    assert list(caught.value.failures) == [2]
    assert caught.value.failures[2].groupe_instructeur_number == 2
    assert [(summary["groupe_instructeur_number"], summary["rows"]) for summary in ti.pushed["landed"]] == [
        (1, 0),
        (3, 1),
        (4, 0),
    ]
    assert read_alone(service) == [2, 3]


def test_missing_groups_are_each_named(service, destination):
    for groupe in (1, 2, 3):
        service.fails(groupe, lambda request: unauthorized("not_found", "not found"))
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [1, 2, 3]).execute({"ti": Ti()})
    assert {type(error) for error in caught.value.failures.values()} == {DSNotFoundError}
    assert list(caught.value.failures) == [1, 2, 3]


def test_combined_request_that_fails_loses_no_group(service, destination):
    service.holds(1, *dossiers(5))
    whole = service.answer
    service.answer = lambda request: response(status=502, body=b"<html>") if is_batched(request) else whole(request)
    summaries = operator(destination, [1, 2]).execute({"ti": Ti()})
    assert [summary["rows"] for summary in summaries] == [1, 0]
    assert read_alone(service) == [1, 2]


def test_refused_token_ends_the_task_at_the_first_request(service, destination):
    service.fails(1, lambda request: response({"errors": [{"message": "Token expired"}]}, status=401))
    with pytest.raises(DSTokenExpiredError):
        operator(destination, [1, 2, 3]).execute({"ti": Ti()})
    assert len(service.requests) == 1


def test_folder_that_fails_fails_its_group_alone(service, destination, tmp_path):
    (tmp_path / "zone").mkdir()
    (tmp_path / "zone/groupe-2").write_text("a file where the group's folder should be")
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [1, 2, 3]).execute({"ti": Ti()})
    assert {groupe: type(error) for groupe, error in caught.value.failures.items()} == {2: DSDestinationError}
    assert read_manifest(url(destination, 3)).rows == 0


def test_idle_group_does_not_move_its_watermark(service, destination):
    service.holds(8, *dossiers(900))
    store = Store(
        **{"ds-watermark-updated-7": at(700), "ds-watermark-updated-8": at(700), "ds-watermark-updated-9": at(1500)}
    )
    operator(destination, [7, 8, 9], window="updated").execute(run(store, ti=Ti()))
    assert store.writes == [("ds-watermark-updated-8", at(900))]
    assert read_alone(service) == [8]


def test_groups_are_asked_about_from_their_own_watermarks_on(service, destination):
    for groupe in (7, 8):
        service.holds(groupe, *dossiers(1000))
    store = Store(**{"ds-watermark-updated-7": at(700), "ds-watermark-updated-8": at(2000)})
    summaries = operator(destination, [7, 8], window="updated").execute(run(store, ti=Ti()))
    assert [summary["rows"] for summary in summaries] == [1, 0]
    assert summaries[1]["window"] == [at(2000), None]
    assert read_alone(service) == [7]


def test_group_with_rows_of_another_revision_is_not_idle(service, destination):
    service.holds(1, *dossiers(5, demarche={"revision": {"id": "old"}}))
    asked = {"updated_since": at(0), "updated_until": at(3600), "revision": "new"}
    summaries = operator(destination, [1, 2], **asked).execute({"ti": Ti()})
    assert [summary["rows"] for summary in summaries] == [0, 0]
    assert read_alone(service) == [1]


def test_group_with_a_quarantined_dossier_is_not_idle(service, destination):
    window = Window("updated", at_instant(0), at_instant(3600))
    selection = select_dossiers(1, window=window)
    earlier = writer_at(open_destination(destination), selection)
    earlier.add(Page([], quarantined=[Quarantined(number=5, message="the service failed")]))
    earlier.publish()
    operator(destination, [1, 2]).execute({"ti": Ti()})
    assert read_alone(service)[0] == 1
    assert 2 not in read_alone(service)


def test_idle_groups_are_logged_in_one_line(service, destination, caplog):
    service.holds(2, *dossiers(5))
    with caplog.at_level("INFO"):
        operator(destination, [1, 2, 3]).execute({"ti": Ti()})
    said = [record.getMessage() for record in caplog.records]
    assert said.count("2 of 3 groups hold nothing new: not read") == 1
    assert not [line for line in said if "group 1" in line or "group 3" in line]
    assert sum(map(is_batched, service.requests)) == 1


@pytest.mark.parametrize("asked", [{"order": "ASC"}, {"created_until": at(5)}], ids=["whole groups", "open below"])
def test_groups_are_read_one_by_one_without_a_window_that_has_a_start(asked, service, destination):
    operator(destination, [1, 2], **asked).execute({"ti": Ti()})
    assert read_alone(service) == [1, 2]
    assert not any(is_batched(request) for request in service.requests)


def test_deletions_are_read_group_by_group(service, destination):
    made = DSExtractDeletedDossiersOperator(
        task_id="t", groupe_instructeur_number=[1, 2], destination=destination, deleted_since=at(0)
    )
    made.execute({"ti": Ti()})
    assert not any(is_batched(request) for request in service.requests)
