"""Deletions are two lists: definitive ones, and pending ones that may still be taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
import pytest

from ds_provider.exceptions import DSConfigurationError, DSUnauthorizedError
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator
from tests.support.operator_service import START, connection_of, dossiers, unauthorized

SINCE = (START + timedelta(seconds=3)).isoformat()


@pytest.fixture
def both(service):
    service.holds(7, *dossiers(1, 2, 3, 4, 5), connection="deletedDossiers")
    service.holds(7, *dossiers(2, 8), connection="pendingDeletedDossiers")
    return service


def operator(destination, groupe=7, **asked):
    return DSExtractDeletedDossiersOperator(
        task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked
    )


def numbers(url: str) -> list[int]:
    return [node["number"] for node in iter_rows(url)]


def asked_of(service) -> list[str]:
    return [connection_of(request) for request in service.requests]


def test_deletions_land_as_two_extracts_and_the_summary_names_both(both, destination):
    summary = operator(destination).execute({})
    assert summary == {
        "manifest": f"{destination}/groupe-7/deleted_dossiers/full/manifest.json",
        "manifest_pending": f"{destination}/groupe-7/pending_deleted_dossiers/full/manifest.json",
        "groupe_instructeur_number": 7,
        "groupe_instructeur_label": "défaut",
        "demarche_number": None,
        "rows": 5,
        "rows_pending": 2,
        "quarantined": 0,
        "window": None,
    }
    assert numbers(summary["manifest"]) == [1, 2, 3, 4, 5]
    assert numbers(summary["manifest_pending"]) == [2, 8]
    assert read_manifest(summary["manifest_pending"]).stream == "pending_deleted_dossiers"


@pytest.mark.parametrize(("days", "warnings"), [(44, 1), (46, 0)])
def test_bound_that_loses_deletions_is_one_warning_for_all_groups(both, destination, caplog, days, warnings):
    since = pendulum.now("Europe/Paris").subtract(days=days)
    operator(destination, [7, 8], deleted_since=since).execute({})
    assert caplog.text.count("loses deletions") == warnings


def test_pending_deletions_are_read_first(both, destination):
    operator(destination, page_size=2).execute({})
    order = asked_of(both)
    assert order == sorted(order, key=["pendingDeletedDossiers", "deletedDossiers"].index)
    assert set(order) == {"pendingDeletedDossiers", "deletedDossiers"}


def test_deleted_since_bounds_only_definitive_deletions(both, destination):
    summary = operator(destination, deleted_since=SINCE).execute({})
    assert summary["window"] == ["2026-11-01T08:00:03+00:00", None]
    assert numbers(summary["manifest"]) == [3, 4, 5]
    assert numbers(summary["manifest_pending"]) == [2, 8], "a snapshot is always whole"
    given = {
        connection_of(request): "deletedSince" in asked
        for request, asked in zip(both.requests, both.variables, strict=True)
    }
    assert given == {"pendingDeletedDossiers": False, "deletedDossiers": True}


def test_order_and_page_size_hold_for_both_lists(both, destination):
    summary = operator(destination, order="DESC", page_size="2").execute({})
    assert numbers(summary["manifest"]) == [5, 4, 3, 2, 1]
    assert numbers(summary["manifest_pending"]) == [8, 2]
    assert all(asked["last"] == 2 for asked in both.variables)


def test_failure_of_the_definitive_deletions_leaves_no_extract_of_them(both, destination):
    both.fails(7, lambda request: unauthorized() if connection_of(request) == "deletedDossiers" else None)
    with pytest.raises(DSUnauthorizedError) as caught:
        operator(destination).execute({})
    assert caught.value.stream == "deleted_dossiers"
    zone = Path(destination.removeprefix("file://"))
    assert not (zone / "groupe-7/deleted_dossiers/full/manifest.json").exists()


def test_list_of_groups_returns_a_list_of_summaries(both, destination):
    summaries = operator(destination, [7, 8]).execute({})
    assert [(one["groupe_instructeur_number"], one["rows"], one["rows_pending"]) for one in summaries] == [
        (7, 5, 2),
        (8, 0, 0),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("deleted_since", "2026-11-01"),
        ("deleted_since", "then"),
        ("order", "up"),
        ("page_size", 101),
        ("groupe_instructeur_number", "x"),
        ("destination", "zone"),
    ],
)
def test_parameter_that_cannot_work_is_named_before_any_request(name, value, both, destination):
    given = {"groupe_instructeur_number": 7, "destination": destination, name: value}
    with pytest.raises(DSConfigurationError, match=rf"\b{name}\b") as caught:
        DSExtractDeletedDossiersOperator(task_id="t", **given).execute({})
    assert "\n" not in str(caught.value)
    assert both.requests == []
