"""Extraction of dossiers: a task lands its selection whole or not at all, and returns a summary."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import DSConfigurationError, DSDestinationError, DSTransportError, DSUnauthorizedError
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.extract import DSExtractDossiersOperator
from tests.support.connection_model import Connection
from tests.support.flows import response
from tests.support.operator_service import START, dossiers, from_the_second_page, unauthorized


def operator(destination, groupe=7, **asked):
    return DSExtractDossiersOperator(task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked)


def numbers(summary, key="manifest"):
    return [node["number"] for node in iter_rows(summary[key])]


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def test_full_group_lands_and_the_summary_names_its_manifest(service, destination):
    service.holds(7, *dossiers(*range(1, 26)))
    summary = operator(destination, page_size=10, concurrency=1).execute({})
    assert summary == {
        "manifest": f"{destination}/groupe-7/dossiers/full/manifest.json",
        "groupe_instructeur_number": 7,
        "groupe_instructeur_label": "défaut",
        "demarche_number": None,
        "rows": 25,
        "quarantined": 0,
        "window": None,
    }
    assert json.loads(json.dumps(summary)) == summary, "it goes through XCom"
    assert numbers(summary) == list(range(1, 26))
    manifest = read_manifest(summary["manifest"])
    assert (manifest.pages, manifest.requests) == (3, 3)


@pytest.mark.parametrize("column", ["created", "updated"])
def test_explicit_bounds_are_the_window(column, service, destination):
    service.holds(7, *dossiers(*range(1, 26)))
    bounds = {f"{column}_since": at(5), f"{column}_until": at(20)}
    summary = operator(destination, page_size=4, **bounds).execute({})
    assert summary["window"] == ["2026-11-01T08:00:05+00:00", "2026-11-01T08:00:20+00:00"]
    assert (numbers(summary), summary["rows"]) == (list(range(5, 20)), 15)
    assert service.variables[0][f"{column}Since"] == "2026-11-01T08:00:05+00:00"


def test_open_bound_is_null_in_the_summary(service, destination):
    service.holds(7, *dossiers(1, 2, 3))
    since = operator(destination, created_since=at(2)).execute({})
    until = operator(destination, created_until=at(2)).execute({})
    assert (since["window"], numbers(since)) == (["2026-11-01T08:00:02+00:00", None], [2, 3])
    assert (until["window"], numbers(until)) == ([None, "2026-11-01T08:00:02+00:00"], [1])
    assert since["manifest"] != until["manifest"]


def test_rows_land_byte_for_byte(service, destination):
    rows = dossiers(1, nom="Zoé «x»", montant=1.10, vide=None)
    service.holds(7, *rows)
    sent = msgspec.json.decode(Connection(rows)(type("R", (), {"body": b'{"variables": {}}'})).body)
    summary = operator(destination).execute({})
    assert list(iter_rows(summary["manifest"])) == sent["data"]["groupeInstructeur"]["dossiers"]["nodes"]


def test_group_without_rows_lands_as_an_empty_extract(service, destination):
    summary = operator(destination).execute({})
    assert (summary["rows"], numbers(summary)) == (0, [])


def test_descending_order_reads_from_the_newest_dossier_on(service, destination):
    service.holds(7, *dossiers(*range(1, 8)))
    summary = operator(destination, order="desc", page_size=3, created_since=at(2), created_until=at(6)).execute({})
    assert numbers(summary) == [5, 4, 3, 2]
    pages = service.variables[1:]
    assert all("last" in asked and "first" not in asked for asked in pages)


def test_revision_filters_what_lands(service, destination):
    odd, even = ({"demarche": {"revision": {"id": name}}} for name in ("odd", "even"))
    service.holds(7, *dossiers(1, 3, 5, **odd), *dossiers(2, 4, **even))
    summary = operator(destination, revision="odd", page_size=2).execute({})
    assert (numbers(summary), summary["rows"]) == ([1, 3, 5], 3)
    assert all("revision" not in asked for asked in service.variables)


def test_parameters_reach_the_service(service, destination):
    rows = dossiers(1, 2, 3)
    service.holds(7, *rows)
    asked = {"state": "accepte", "archived": "false", "page_size": "2", "after": rows[0].cursor}
    flags = {"include_champs": "False", "include_messages": "true", "include_avis": None}
    summary = operator(destination, **asked, **flags).execute({})
    assert numbers(summary) == [2, 3]
    variables = service.variables[0]
    assert (variables["number"], variables["state"], variables["archived"]) == (7, "accepte", False)
    assert (variables["first"], variables["after"]) == (2, rows[0].cursor)
    included = {name for name, value in variables.items() if name.startswith("include") and value}
    assert included == {"includeAnnotations", "includeTraitements", "includeInstructeurs", "includeMessages"}


def test_operator_uses_the_named_connection_and_closes_it(service, destination):
    operator(destination, ds_conn_id="ds_other").execute({})
    assert (service.conn_ids, service.open_clients) == (["ds_other"], 0)
    service.fails(7, lambda request: unauthorized())
    with pytest.raises(DSUnauthorizedError):
        operator(destination).execute({})
    assert (service.conn_ids[1:], service.open_clients) == (["ds_default"], 0)


def test_single_group_raises_its_own_error_with_context(service, destination):
    rows = dossiers(*range(1, 26))
    service.holds(7, *rows)
    service.fails(7, from_the_second_page(unauthorized()))
    with pytest.raises(DSUnauthorizedError) as caught:
        operator(destination, page_size=10).execute({})
    assert caught.value.groupe_instructeur_number == 7
    assert caught.value.cursor == rows[9].cursor


@pytest.mark.parametrize(
    "failure", [unauthorized(), TransportFailure("dropped", sent=True), response(status=502, body=b"<html>")], ids=repr
)
def test_extraction_that_fails_midway_publishes_nothing(failure, service, destination):
    service.holds(7, *dossiers(*range(1, 6)))
    service.fails(7, from_the_second_page(failure))
    with pytest.raises(Exception, match="cursor"):
        operator(destination, page_size=2).execute({})
    assert not (Path(destination.removeprefix("file://")) / "groupe-7/dossiers/full/manifest.json").exists()


def test_earlier_extract_outlives_an_extraction_that_fails(service, destination):
    service.holds(7, *dossiers(*range(1, 6)))
    first = operator(destination, page_size=2).execute({})
    manifest = read_manifest(first["manifest"])
    service.holds(7, *dossiers(*range(1, 10)))
    service.fails(7, from_the_second_page(TransportFailure("dropped", sent=True)))
    with pytest.raises(DSTransportError):
        operator(destination, page_size=2).execute({})
    assert read_manifest(first["manifest"]) == manifest
    assert numbers(first) == [1, 2, 3, 4, 5]


def test_second_run_replaces_the_first(service, destination):
    service.holds(7, *dossiers(1, 2, 3))
    first = operator(destination).execute({})
    service.holds(7, *dossiers(2, 3, 4, 5))
    second = operator(destination).execute({})
    assert second["manifest"] == first["manifest"]
    assert numbers(second) == [2, 3, 4, 5]


def test_transient_fault_is_waited_for(service, destination):
    service.holds(7, *dossiers(1, 2, 3))
    faults = iter([response(status=502, body=b"<html>"), TransportFailure("dropped", sent=True)])
    service.fails(7, lambda request: next(faults, None))
    summary = operator(destination).execute({})
    assert numbers(summary) == [1, 2, 3]
    assert service.pauses
    assert read_manifest(summary["manifest"]).requests == 3


BAD = {
    "groupe_instructeur_number": ["x", "", None, 0, -1, 2**31, True, "1.5", [], "[]", "[1", [1, "x"], [[1]]],
    "destination": ["", "zone", None, 12, "nosuch://bucket/ds"],
    "state": ["closed", 3],
    "archived": ["maybe"],
    "revision": [12],
    "order": ["up"],
    "page_size": [0, 101, "many", -1],
    "after": [5],
    "include_messages": ["perhaps"],
    "created_since": ["yesterday", "2026-11-01", "2026-11-01T08:00:00", 20261101],
    "updated_until": ["2026-13-01T00:00:00Z"],
    "window": ["deleted", "Updated"],
    "lookback": [timedelta(minutes=-5), 300, "5m", None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD for value in BAD[name]], ids=repr)
def test_parameter_that_cannot_work_is_named_before_any_request(name, value, service, destination):
    needed = {"window": "updated"} if name == "lookback" else {}
    asked = {"groupe": 7, "destination": destination, **needed}
    asked["groupe" if name == "groupe_instructeur_number" else name] = value
    end = START + timedelta(days=1)
    with pytest.raises(DSConfigurationError, match=rf"\b{name}\b") as caught:
        operator(**asked).execute({"data_interval_start": START, "data_interval_end": end})
    assert "\n" not in str(caught.value)
    assert service.requests == []


@pytest.mark.parametrize(
    "asked",
    [
        {"created_since": at(5), "updated_until": at(9)},
        {"created_since": at(9), "created_until": at(5)},
        {"updated_since": at(5), "updated_until": at(5)},
        {"window": "updated", "updated_since": at(5)},
        {"window": "updated", "created_until": at(5)},
    ],
    ids=str,
)
def test_contradicting_bounds_are_refused_before_any_request(asked, service, destination):
    context = {"data_interval_start": START, "data_interval_end": START + timedelta(days=1)}
    with pytest.raises(DSConfigurationError) as caught:
        operator(destination, **asked).execute(context)
    assert next(iter(asked)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert service.requests == []


def test_destination_that_cannot_be_written_is_refused_before_any_request(service, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DSDestinationError, match="destination"):
        operator(f"file://{tmp_path}/file/zone").execute({})
    assert service.requests == []


def test_row_without_its_date_is_an_error_with_context(service, destination):
    service.holds(7, *dossiers(1), *dossiers(2, dateDepot=None), *dossiers(3))
    with pytest.raises(Exception, match="dossier 2 came without its created date") as caught:
        operator(destination).execute({})
    assert caught.value.groupe_instructeur_number == 7
