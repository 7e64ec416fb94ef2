"""Refresh: each day a share of the dossiers that the warehouse holds is read again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSConfigurationError,
    DSGroupesFailedError,
    DSQuarantinedError,
    DSTransportError,
    DSUnauthorizedError,
)
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.tables.schemas import DOSSIERS
from tests.support.flows import response
from tests.support.numbered_dossiers import HIDDEN, asked_for, is_by_numbers
from tests.support.operator_service import Store, Ti, dossiers
from tests.support.operator_warehouse import held_dossiers

WEEK = timedelta(days=7)


class Warehouse:
    """Warehouse of one table in memory, in place of the real one and of its hook."""

    def __init__(self) -> None:
        self.held = held_dossiers()
        self.hooks: list[tuple[str | None, str]] = []

    def hook(self, warehouse_conn_id: str | None, dataset: str) -> SimpleNamespace:
        self.hooks.append((warehouse_conn_id, dataset))
        return SimpleNamespace(warehouse=lambda: self)

    def read(self, kind, columns, where=None) -> pa.Table:
        held = self.held if kind is DOSSIERS else kind.schema.empty_table()
        return held.select(list(columns))


@pytest.fixture
def warehouse(monkeypatch):
    warehouse = Warehouse()
    monkeypatch.setattr("ds_provider.operators._parameters.DSWarehouseHook", warehouse.hook)
    return warehouse


def operator(destination, groupe=7, **asked):
    return DSRefreshDossiersOperator(task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked)


def landed(summary) -> list[int]:
    return sorted(row["number"] for row in iter_rows(summary["manifest"]))


def test_dossiers_read_longest_ago_are_read_again(service, warehouse, destination):
    service.holds(7, *dossiers(*range(1, 22)))
    warehouse.held = held_dossiers(*((n, 7, n / 10) for n in range(1, 22)))
    (summary,) = operator(destination, max_age=WEEK).execute({})
    assert landed(summary) == [19, 20, 21], "a seventh of 21"
    assert summary == {
        "manifest": summary["manifest"],
        "groupe_instructeur_number": 7,
        "groupe_instructeur_label": None,
        "demarche_number": None,
        "rows": 3,
        "quarantined": 0,
        "window": None,
        "not_found": 0,
        "unauthorized": 0,
    }
    assert read_manifest(summary["manifest"]).selection["numbers"]["count"] == 3
    assert len(service.requests) == 1


def test_all_overdue_dossiers_are_read_again(service, warehouse, destination):
    service.holds(7, *dossiers(*range(1, 22)))
    warehouse.held = held_dossiers(*((n, 7, 8 if n <= 10 else 1) for n in range(1, 22)))
    (summary,) = operator(destination, max_age=WEEK).execute({})
    assert landed(summary) == list(range(1, 11))


@pytest.mark.parametrize("stage", ["pending", "deleted", "vanished"])
def test_flagged_dossiers_are_left_alone(stage, service, warehouse, destination):
    service.holds(7, *dossiers(1, 2, 3))
    warehouse.held = held_dossiers((1, 7, 30, stage), (2, 7, 30), (3, 7, 30, stage))
    (summary,) = operator(destination, max_age=WEEK).execute({})
    assert landed(summary) == [2]


def test_each_group_has_its_slice_and_its_summary(service, warehouse, destination):
    for groupe in (7, 8, 9):
        service.holds(groupe, *dossiers(*range(groupe * 100, groupe * 100 + 14)))
    warehouse.held = held_dossiers(*((g * 100 + i, g, i / 10) for g in (7, 8, 10) for i in range(14)))
    summaries = operator(destination, [7, 8, 9], max_age=WEEK).execute({})
    assert [summary["groupe_instructeur_number"] for summary in summaries] == [7, 8], "of group 9 nothing is held"
    assert [landed(summary) for summary in summaries] == [[712, 713], [812, 813]]


@pytest.mark.parametrize("groupe", [7, [7, 8], [[7], [8]]], ids=str)
def test_empty_warehouse_leads_to_no_request(groupe, service, warehouse, destination):
    ti = Ti()
    assert operator(destination, groupe).execute({"ti": ti}) == []
    assert ti.pushed == {"landed": []}
    assert service.requests == []
    assert not Path(destination.removeprefix("file://")).exists(), "nothing is due: no storage is needed"


def test_dossiers_that_are_not_found_are_counted(service, warehouse, destination):
    service.holds(7, *dossiers(1, 3))
    warehouse.held = held_dossiers(*((n, 7, 30) for n in (1, 2, 3, 4)))
    (summary,) = operator(destination).execute({})
    assert (landed(summary), summary["not_found"], summary["unauthorized"]) == ([1, 3], 2, 0)


def test_lost_rights_are_an_error_and_no_empty_extract(service, warehouse, destination):
    def refuse(request):
        path = [next(iter(asked_for(request)))] if is_by_numbers(request) else ["dossier"]
        return response({"data": None, "errors": [{**HIDDEN, "path": path, "extensions": {"code": "unauthorized"}}]})

    service.holds(7, *dossiers(1, 2, 3))
    warehouse.held = held_dossiers(*((n, 7, 30) for n in (1, 2, 3)))
    for number in (1, 2, 3):
        service.fails(number, refuse)
    with pytest.raises(DSUnauthorizedError) as caught:
        operator(destination).execute({})
    assert caught.value.groupe_instructeur_number == 7


def test_poison_dossier_is_named(service, warehouse, destination):
    service.holds(7, *dossiers(101, 102, 103))
    warehouse.held = held_dossiers(*((n, 7, 30) for n in (101, 102, 103)))
    service.fails(102, lambda request: response(status=500))
    ti = Ti()
    with pytest.raises(DSQuarantinedError, match="102"):
        operator(destination).execute({"ti": ti})
    assert landed(ti.pushed["landed"][0]) == [101, 103]
    (summary,) = operator(destination, on_dossier_error="quarantine").execute({})
    assert (landed(summary), summary["quarantined"]) == ([101, 103], 1)


def test_group_that_fails_does_not_stop_the_others(service, warehouse, destination):
    for groupe in (7, 8):
        service.holds(groupe, *dossiers(groupe * 100))
    warehouse.held = held_dossiers((700, 7, 30), (800, 8, 30))
    service.fails(700, lambda request: TransportFailure("dropped", sent=True))
    ti = Ti()
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [7, 8]).execute({"ti": ti})
    assert list(caught.value.failures) == [7]
    assert [landed(summary) for summary in ti.pushed["landed"]] == [[800]]


def test_retry_reads_only_the_missing_dossiers(service, warehouse, destination):
    service.holds(7, *dossiers(*range(101, 221)))
    warehouse.held = held_dossiers(*((n, 7, 30) for n in range(101, 221)))
    context = {"ti": Ti(), "task_state_store": Store()}
    service.fails(205, lambda request: TransportFailure("dropped", sent=True))
    with pytest.raises(DSTransportError):
        operator(destination).execute(context)
    service.fails(205, lambda request: None)
    service.requests.clear()
    (summary,) = operator(destination).execute(context)
    assert landed(summary) == list(range(101, 221))
    assert len(service.requests) == 1
    assert min(asked_for(service.requests[0]).values()) > 101


def test_includes_choose_the_parts_that_are_read(service, warehouse, destination):
    service.holds(7, *dossiers(1))
    warehouse.held = held_dossiers((1, 7, 30))
    operator(destination, include_messages="true", include_champs=False).execute({})
    asked = service.requests[0].variables
    assert (asked["includeMessages"], asked["includeChamps"], asked["includeAnnotations"]) == (True, False, True)


def test_operator_opens_the_named_warehouse(service, warehouse, destination):
    operator(destination).execute({})
    operator(destination, warehouse_conn_id="dwh", dataset="ds").execute({})
    assert warehouse.hooks == [(None, "demarches_simplifiees"), ("dwh", "ds")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("groupe_instructeur_number", "x"),
        ("groupe_instructeur_number", []),
        ("max_age", timedelta(hours=23)),
        ("max_age", 28),
        ("max_age", None),
        ("include_champs", "perhaps"),
        ("on_dossier_error", "ignore"),
    ],
)
def test_parameter_that_cannot_work_is_refused_before_anything_is_read(name, value, service, warehouse, destination):
    given_arguments = {"groupe_instructeur_number": 7, "destination": destination, name: value}
    with pytest.raises(DSConfigurationError, match=name):
        DSRefreshDossiersOperator(task_id="t", **given_arguments).execute({})
    assert warehouse.hooks == []
    assert service.requests == []
