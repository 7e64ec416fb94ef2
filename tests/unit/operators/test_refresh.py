"""Each day a slice of what the warehouse holds is read again, so that within some days all of it is."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from ds_provider.operators import refresh as reread
from ds_provider.operators.refresh import DSRefreshDossiersOperator, slices
from ds_provider.tables.schemas import DOSSIERS
from tests.support.flows import reply
from tests.support.numbered_dossiers import HIDDEN, asked_for, is_by_numbers
from tests.support.operator_service import Store, Ti, dossiers

NOW = datetime.now(timezone.utc)
WEEK = timedelta(days=7)
COLUMNS = ("number", "groupe_instructeur_number", "read_at", "deletion_stage")


def table(*rows) -> pa.Table:
    """Rows of number, group, days since they were read and, where it is flagged, the stage of a deletion."""
    held = [(number, groupe, NOW - timedelta(days=days), *stage) for number, groupe, days, *stage in rows]
    columns = [[row[i] if i < len(row) else None for row in held] for i in range(len(COLUMNS))]
    return pa.table(
        dict(zip(COLUMNS, columns, strict=True)), schema=pa.schema([DOSSIERS.schema.field(c) for c in COLUMNS])
    )


class Warehouse:
    """Holds what it is told to, and stands where the hook does too."""

    def __init__(self) -> None:
        self.held = table()
        self.hooks: list[tuple[str | None, str]] = []

    def hook(self, warehouse_conn_id: str | None, dataset: str) -> SimpleNamespace:
        self.hooks.append((warehouse_conn_id, dataset))
        return SimpleNamespace(warehouse=lambda: self)

    def read(self, kind, columns) -> pa.Table:
        assert kind is DOSSIERS
        return self.held.select(list(columns))


@pytest.fixture
def warehouse(monkeypatch):
    warehouse = Warehouse()
    monkeypatch.setattr(reread, "DSWarehouseHook", warehouse.hook)
    return warehouse


def operator(destination, groupe=7, **asked):
    return DSRefreshDossiersOperator(task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked)


def landed(summary) -> list[int]:
    return sorted(row["number"] for row in iter_rows(summary["manifest"]))


def test_those_read_longest_ago_are_read_again(service, warehouse, destination):
    service.holds(7, *dossiers(*range(1, 22)))
    warehouse.held = table(*((n, 7, n / 10) for n in range(1, 22)))
    (summary,) = operator(destination, within=WEEK).execute({})
    assert landed(summary) == [19, 20, 21], "a seventh of 21"
    assert summary == {
        "manifest": summary["manifest"],
        "groupe_instructeur_number": 7,
        "rows": 3,
        "quarantined": 0,
        "window": None,
        "gone": 0,
        "foreign": 0,
    }
    assert read_manifest(summary["manifest"]).selection["numbers"]["count"] == 3
    assert len(service.requests) == 1


def test_all_that_were_not_read_for_too_long_are_read_again(service, warehouse, destination):
    service.holds(7, *dossiers(*range(1, 22)))
    warehouse.held = table(*((n, 7, 8 if n <= 10 else 1) for n in range(1, 22)))
    (summary,) = operator(destination, within=WEEK).execute({})
    assert landed(summary) == list(range(1, 11))


@pytest.mark.parametrize("stage", ["pending", "deleted", "vanished"])
def test_what_is_flagged_is_left_alone(stage, service, warehouse, destination):
    service.holds(7, *dossiers(1, 2, 3))
    warehouse.held = table((1, 7, 30, stage), (2, 7, 30), (3, 7, 30, stage))
    (summary,) = operator(destination, within=WEEK).execute({})
    assert landed(summary) == [2]


def test_each_group_has_its_slice_and_its_summary(service, warehouse, destination):
    for groupe in (7, 8, 9):
        service.holds(groupe, *dossiers(*range(groupe * 100, groupe * 100 + 14)))
    warehouse.held = table(*((g * 100 + i, g, i / 10) for g in (7, 8, 10) for i in range(14)))
    summaries = operator(destination, [7, 8, 9], within=WEEK).execute({})
    assert [summary["groupe_instructeur_number"] for summary in summaries] == [7, 8], "of group 9 nothing is held"
    assert [landed(summary) for summary in summaries] == [[712, 713], [812, 813]]


@pytest.mark.parametrize("groupe", [7, [7, 8], [[7], [8]]], ids=str)
def test_of_an_empty_warehouse_nothing_is_read(groupe, service, warehouse, destination):
    assert operator(destination, groupe).execute({}) == []
    assert service.requests == []


def test_what_is_not_to_be_had_any_more_is_counted(service, warehouse, destination):
    service.holds(7, *dossiers(1, 3))
    warehouse.held = table(*((n, 7, 30) for n in (1, 2, 3, 4)))
    (summary,) = operator(destination).execute({})
    assert (landed(summary), summary["gone"], summary["foreign"]) == ([1, 3], 2, 0)


def test_lost_rights_are_an_error_and_no_empty_reading(service, warehouse, destination):
    def refuse(request):
        path = [next(iter(asked_for(request)))] if is_by_numbers(request) else ["dossier"]
        return reply({"data": None, "errors": [{**HIDDEN, "path": path, "extensions": {"code": "unauthorized"}}]})

    service.holds(7, *dossiers(1, 2, 3))
    warehouse.held = table(*((n, 7, 30) for n in (1, 2, 3)))
    for number in (1, 2, 3):
        service.fails(number, refuse)
    with pytest.raises(DSUnauthorizedError) as caught:
        operator(destination).execute({})
    assert caught.value.groupe_instructeur_number == 7


def test_a_dossier_that_cannot_be_read_is_named(service, warehouse, destination):
    service.holds(7, *dossiers(101, 102, 103))
    warehouse.held = table(*((n, 7, 30) for n in (101, 102, 103)))
    service.fails(102, lambda request: reply(status=500))
    ti = Ti()
    with pytest.raises(DSQuarantinedError, match="102"):
        operator(destination).execute({"ti": ti})
    assert landed(ti.pushed["landed"][0]) == [101, 103]
    (summary,) = operator(destination, on_dossier_error="quarantine").execute({})
    assert (landed(summary), summary["quarantined"]) == ([101, 103], 1)


def test_of_several_groups_one_that_fails_does_not_stop_the_others(service, warehouse, destination):
    for groupe in (7, 8):
        service.holds(groupe, *dossiers(groupe * 100))
    warehouse.held = table((700, 7, 30), (800, 8, 30))
    service.fails(700, lambda request: reply(status=503, data={"error": "maintenance"}))
    ti = Ti()
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [7, 8]).execute({"ti": ti})
    assert list(caught.value.failures) == [7]
    assert [landed(summary) for summary in ti.pushed["landed"]] == [[800]]


def test_a_retry_reads_only_what_is_missing(service, warehouse, destination):
    service.holds(7, *dossiers(*range(101, 221)))
    warehouse.held = table(*((n, 7, 30) for n in range(101, 221)))
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


def test_the_parts_that_are_read_are_chosen(service, warehouse, destination):
    service.holds(7, *dossiers(1))
    warehouse.held = table((1, 7, 30))
    operator(destination, include_messages="true", include_champs=False).execute({})
    asked = service.requests[0].variables
    assert (asked["includeMessages"], asked["includeChamps"], asked["includeAnnotations"]) == (True, False, True)


@pytest.mark.parametrize("given_id", [None, "", "None"])
def test_the_warehouse_is_the_one_that_is_named(given_id, service, warehouse, destination):
    operator(destination, warehouse_conn_id=given_id).execute({})
    operator(destination, warehouse_conn_id="dwh", dataset="ds").execute({})
    assert warehouse.hooks == [(None, "demarches_simplifiees"), ("dwh", "ds")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("groupe_instructeur_number", "x"),
        ("groupe_instructeur_number", []),
        ("within", timedelta(hours=23)),
        ("within", 28),
        ("within", None),
        ("include_champs", "perhaps"),
        ("on_dossier_error", "ignore"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_read(name, value, service, warehouse, destination):
    given_arguments = {"groupe_instructeur_number": 7, "destination": destination, name: value}
    with pytest.raises(DSConfigurationError, match=name):
        DSRefreshDossiersOperator(task_id="t", **given_arguments).execute({})
    assert warehouse.hooks == []
    assert service.requests == []


read_days_ago = st.lists(st.floats(0, 40), min_size=1, max_size=60)


@given(read_days_ago, st.integers(1, 15))
def test_daily_runs_come_round_within_the_time_allowed(ages, days):
    within = timedelta(days=days)
    read_at = {number: NOW - timedelta(days=age) for number, age in enumerate(ages, 1)}
    first = dict(read_at)
    for day in range(days):
        now = NOW + timedelta(days=day)
        rows = [(number, 7, (NOW - at) / timedelta(days=1)) for number, at in read_at.items()]
        chosen = slices(table(*rows), [7], within, now)[7]
        overdue = [number for number, at in read_at.items() if at < now - within]
        assert set(overdue) <= set(chosen)
        assert len(chosen) == max(len(overdue), math.ceil(len(ages) / days))
        read_at.update(dict.fromkeys(chosen, now))
    assert all(read_at[number] > first[number] or read_at[number] >= NOW for number in read_at)


@given(st.permutations([(n, 7, 3) for n in range(1, 9)]))
def test_of_those_read_at_the_same_time_the_same_are_chosen_whatever_their_order(rows):
    assert slices(table(*rows), [7], timedelta(days=4), NOW) == {7: [1, 2]}
