"""What workers read is in order though one of their clocks is an hour wrong."""

from __future__ import annotations

import time
from datetime import timedelta

import pendulum
import pytest

from ds_provider.landing.manifest import read_manifest
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from tests.support.operator_warehouse import GROUPES, context

HOUR = 3600.0
GIVEN = {"task_id": "t", "groupe_instructeur_number": list(GROUPES)}


@pytest.fixture
def later(monkeypatch):
    """Let time pass: what follows is read seconds after."""
    passed, real = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: real() + passed[0])

    def pass_time() -> None:
        passed[0] += 10

    return pass_time


@pytest.fixture(params=[(HOUR, 0.0), (0.0, HOUR), (-HOUR, 0.0), (0.0, -HOUR)], ids=str)
def workers(request, world, later):
    """Two workers, one of which is an hour ahead or slow; each is at work until the other takes over."""
    clocks = iter(request.param)

    def take_over() -> None:
        later()
        world.service.worker_ahead = next(clocks)

    return take_over


def load(*summaries, on_pending):
    DSLoadOperator(task_id="l", manifests=list(summaries), on_pending=on_pending).execute(context())


def dossiers(destination):
    return DSExtractDossiersOperator(destination=destination, **GIVEN).execute(context())


def deletions(destination):
    return DSExtractDeletedDossiersOperator(destination=destination, **GIVEN).execute(context())


def stage_of(hooks, number):
    rows = dict(hooks.warehouse.rows("dossiers", "number", "deletion_stage"))
    return rows.get(number, "missing")


@pytest.mark.parametrize("on_pending", ["flag", "erase"])
def test_dossier_that_was_restored_is_shown(workers, world, hooks, destination, on_pending):
    load(dossiers(f"{destination}/1"), on_pending=on_pending)
    world.hide(701, at=2000)
    workers()
    load(deletions(destination), on_pending=on_pending)
    assert stage_of(hooks, 701) == ("pending" if on_pending == "flag" else "missing")
    world.show(701, at=3000)
    workers()
    load(dossiers(destination), on_pending=on_pending)
    assert stage_of(hooks, 701) is None


def test_dossier_that_was_hidden_again_is_pending(workers, world, hooks, destination):
    workers()
    load(dossiers(destination), on_pending="flag")
    # the date of an earlier time counts again
    world.hide(701, at=1)
    workers()
    load(deletions(destination), on_pending="flag")
    assert stage_of(hooks, 701) == "pending"


def test_reconciliation_restores_a_dossier_that_is_back(workers, world, hooks, destination):
    load(dossiers(f"{destination}/1"), on_pending="flag")
    world.hide(701, at=2000)
    workers()
    load(deletions(destination), on_pending="flag")
    world.show(701, at=3000)
    workers()
    DSReconcileOperator(destination=destination, **GIVEN).execute(context())
    assert stage_of(hooks, 701) is None


def test_reconciliation_restores_a_dossier_that_had_vanished(workers, world, hooks, destination):
    load(dossiers(f"{destination}/1"), on_pending="flag")
    world.expire(701)
    workers()
    DSReconcileOperator(destination=destination, **GIVEN).execute(context())
    assert stage_of(hooks, 701) == "vanished"
    world.show(701, at=3000)
    workers()
    load(dossiers(destination), on_pending="flag")
    assert stage_of(hooks, 701) is None


def test_refreshed_dossier_replaces_what_another_worker_read(workers, world, hooks, destination):
    workers()
    load(dossiers(f"{destination}/1"), on_pending="flag")
    # a change that moves no date
    world.show(701, at=0, state="refuse")
    workers()
    refresh = DSRefreshDossiersOperator(destination=destination, max_age=timedelta(days=1), **GIVEN)
    load(refresh.execute(context()), on_pending="flag")
    assert dict(hooks.warehouse.rows("dossiers", "number", "state"))[701] == "refuse"


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
@pytest.mark.parametrize(("minutes", "warnings"), [(30, 1), (-30, 0)])
def test_window_that_is_not_over_by_the_services_clock_is_one_warning(
    world, destination, ahead, minutes, warnings, capfd, caplog
):
    world.service.worker_ahead = ahead
    end = pendulum.now("UTC").add(minutes=minutes)
    asked = {"updated_since": "2026-11-01T00:00:00Z", "updated_until": end}
    DSExtractDossiersOperator(destination=destination, **GIVEN, **asked).execute(context())
    assert ("".join(capfd.readouterr()) + caplog.text).count("was not over when it was read") == warnings


def test_idle_group_is_landed_with_the_services_time(workers, world, destination):
    workers()
    asked = {"updated_since": "2026-11-01T12:00:00Z", "updated_until": "2026-11-01T13:00:00Z"}
    summaries = DSExtractDossiersOperator(destination=destination, **GIVEN, **asked).execute(context())
    for summary in summaries:
        manifest = read_manifest(summary["manifest"])
        assert manifest.rows == 0
        assert abs(manifest.read_started_at.timestamp() - time.time()) < 5
        assert manifest.read_started_at <= manifest.read_finished_at
