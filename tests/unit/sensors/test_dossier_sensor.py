"""However it waits, the sensor gives the same answer, ends at what lasts, and lives through what passes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferralTimeout, TaskDeferred

from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSConfigurationError,
    DSNotFoundError,
    DSTokenExpiredError,
    DSTransportError,
    DSUnauthorizedError,
)
from ds_provider.hooks.ds import DSHook
from ds_provider.sensors.dossiers import DSDeletedDossierSensor, DSDossierSensor
from ds_provider.triggers._poll import FAILURES_IN_A_ROW
from tests.support.combined_answers import refused
from tests.support.flows import reply
from tests.support.lists import row
from tests.support.waits import Assets, Task, asset

SINCE = "2026-11-01T09:00:00+01:00"
EXPIRED = reply({"errors": [{"message": "Token expired"}]}, status=401)


def sensor(wait: Any, **more: Any) -> DSDossierSensor:
    return DSDossierSensor(**{"task_id": "wait", "groupe_instructeur_number": 1, **wait.options, **more})


def test_it_gives_the_numbers_and_the_newest_dates(wait, service):
    def change(look: int) -> None:
        if look == 3:
            service.holds(1, row(6, 60), row(5, 120))

    wait.change = change
    service.holds(1, row(4, -60))
    value = wait.run(sensor(wait, updated_since=SINCE))
    assert value == {
        "groupes_instructeurs": [1],
        "numbers": [6, 5],
        "count": 2,
        "more": False,
        "newest_created": "2026-11-01T08:02:00+00:00",
        "newest_updated": "2026-11-01T08:02:00+00:00",
    }
    assert json.loads(json.dumps(value)) == value
    assert wait.looks == 3
    assert service.open_clients == 0


def test_what_is_there_already_is_not_waited_for(wait, service):
    service.holds(1, row(5, 60))
    assert wait.run(sensor(wait, created_since=SINCE))["numbers"] == [5]
    assert wait.looks == 0
    assert len(service.requests) == 1


def test_the_state_is_asked_for(wait, service):
    service.holds(1, row(5, 60))
    wait.run(sensor(wait, state="accepte"))
    assert service.requests[0].variables == {"number0": 1, "state0": "accepte", "last0": 10}


def test_the_value_is_bounded_and_says_so(wait, service):
    service.holds(1, *(row(n, n) for n in range(1, 2_501)))
    value = wait.run(sensor(wait))
    assert len(value["numbers"]) == 1_000
    assert value["numbers"][-1] == 2_500
    assert value["count"] >= 1_000
    assert value["more"] is True


def test_several_groups_are_one_request(wait, service):
    service.holds(7, row(70, 5))
    value = wait.run(sensor(wait, groupe_instructeur_number=list(range(1, 101))))
    assert value["groupes_instructeurs"] == [7]
    assert len(service.requests) == 1


def test_templates_render_to_text(wait, service):
    service.holds(2, row(5, 5), row(6, 6))
    given = {"groupe_instructeur_number": "[1, 2]", "min_count": "2", "state": ""}
    assert wait.run(sensor(wait, **given))["count"] == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (EXPIRED, DSTokenExpiredError),
        (refused("unauthorized"), DSUnauthorizedError),
        (refused("not_found"), DSNotFoundError),
    ],
    ids=["expired", "no right", "gone"],
)
@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_what_lasts_ends_the_wait_at_once_and_is_no_skip(wait, service, answer, kind, at, soft_fail):
    def fail(look: int) -> None:
        service.failure = lambda request: answer if look >= at else None

    fail(0)
    wait.change = fail
    with pytest.raises(kind) as caught:
        wait.run(sensor(wait, soft_fail=soft_fail))
    assert type(caught.value) is kind
    assert wait.looks == at


def test_what_passes_does_not_end_the_wait(wait, service):
    def change(look: int) -> None:
        service.failure = lambda request: TransportFailure("dropped", sent=True) if look % 3 else None
        if look == 30:
            service.holds(1, row(5, 60))

    wait.change = change
    change(1)
    assert wait.run(sensor(wait))["numbers"] == [5]


def test_what_goes_on_failing_does(wait, service):
    service.failure = lambda request: TransportFailure("dropped", sent=True)
    with pytest.raises(DSTransportError):
        wait.run(sensor(wait))
    assert FAILURES_IN_A_ROW <= len(service.requests) <= FAILURES_IN_A_ROW + 1


def test_the_next_try_may_take_as_many_failures(wait, service):
    task = Task()
    for _ in range(2):
        service.requests.clear()
        service.failure = lambda request: TransportFailure("dropped", sent=True)
        with pytest.raises(DSTransportError):
            wait.run(sensor(wait), task)
        assert len(service.requests) >= FAILURES_IN_A_ROW


def test_never_fail_is_a_skip(wait, service):
    service.failure = lambda request: EXPIRED
    with pytest.raises(AirflowSkipException):
        wait.run(sensor(wait, never_fail=True))


def test_no_pause_is_shorter_than_asked_for_and_they_differ(wait, service):
    wait.change = lambda look: service.holds(1, row(5, 60)) if look == 30 else None
    wait.run(sensor(wait, poke_interval=40))
    pauses = wait.pauses[1:]
    assert all(40 <= pause <= 44 for pause in pauses)
    assert len(set(pauses)) > 1


class TestDeferral:
    def deferred(self, service: Any, **more: Any) -> TaskDeferred:
        waiting = DSDossierSensor(task_id="wait", groupe_instructeur_number=1, deferrable=True, **more)
        with pytest.raises(TaskDeferred) as caught:
            waiting.execute(Task().context)
        return caught.value

    def test_it_looks_once_itself_and_then_waits_as_long_as_it_may(self, service):
        deferred = self.deferred(service, timeout=timedelta(hours=3), poke_interval=90, updated_since=SINCE)
        assert len(service.requests) == 1
        assert deferred.timeout == timedelta(hours=3)
        kwargs = deferred.trigger.serialize()[1]
        assert kwargs["poll_interval"] == 90
        assert kwargs["since"] == "2026-11-01T08:00:00+00:00"

    def test_a_failure_that_passes_is_no_reason_not_to_wait(self, service):
        service.failure = lambda request: TransportFailure("dropped", sent=True)
        self.deferred(service)

    @pytest.mark.parametrize(("soft_fail", "kind"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
    def test_a_wait_that_took_too_long_is_what_it_is_in_every_mode(self, service, soft_fail, kind):
        waiting = DSDossierSensor(
            task_id="wait", groupe_instructeur_number=1, deferrable=True, soft_fail=soft_fail, timeout=5
        )
        waiting.execute_complete = _times_out  # type: ignore[method-assign]
        with pytest.raises(kind):
            waiting.resume_execution("execute_complete", {}, {})  # type: ignore[typeddict-item]

    @pytest.mark.parametrize("event", [None, True, {}, {"status": "success"}])
    def test_a_foreign_event_is_no_success(self, event):
        waiting = DSDossierSensor(task_id="wait", groupe_instructeur_number=1, deferrable=True)
        with pytest.raises(DSConfigurationError):
            waiting.execute_complete(Task().context, event)


def _times_out(context: Any) -> Any:
    raise TaskDeferralTimeout("too long")


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(("soft_fail", "kind"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_a_wait_without_deferral_ends_in_time(service, mode, soft_fail, kind):
    waiting = DSDossierSensor(
        task_id="wait", groupe_instructeur_number=1, mode=mode, soft_fail=soft_fail, timeout=0, deferrable=False
    )
    with pytest.raises(kind):
        waiting.execute(Task().context)


class TestWatermark:
    def waiting(self, wait: Any, **more: Any) -> DSDossierSensor:
        return sensor(wait, updated_since="watermark", outlets=[asset()], **more)

    def test_each_success_tells_what_the_last_one_had_not(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 0), row(5, 60))
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [4, 5]
        wait.change = lambda look: service.holds(1, row(6, 90)) if look == 2 else None
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [6]
        wait.change = lambda look: service.rows.update({(1, "dossiers"): [row(4, 100)]}) if look == 2 else None
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [4]

    def test_a_task_that_runs_again_finds_again_what_it_found(self, wait, service):
        assets, task = Assets(), Task()
        task.assets = assets
        service.holds(1, row(4, 0))
        first = wait.run(self.waiting(wait), task)
        service.holds(1, row(9, 900))
        wait.run(self.waiting(wait), Task(assets))
        again = wait.run(self.waiting(wait), task)
        assert set(first["numbers"]) <= set(again["numbers"])
        wait.change = lambda look: service.holds(1, row(10, 950)) if look == 2 else None
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [10], "and undid nothing of a later run"

    def test_only_groups_that_are_told_move_on(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 0))
        service.holds(2, row(5, 0), row(6, 1))
        several = {"groupe_instructeur_number": [1, 2], "min_count": 2}
        assert wait.run(self.waiting(wait, **several), Task(assets))["groupes_instructeurs"] == [2]
        wait.change = lambda look: service.holds(1, row(7, 50)) if look == 1 else None
        assert wait.run(self.waiting(wait, **several), Task(assets))["numbers"] == [4, 7]

    def test_it_needs_an_asset(self, wait, service):
        with pytest.raises(DSConfigurationError, match="outlet"):
            wait.run(sensor(wait, created_since="watermark"))
        with pytest.raises(DSConfigurationError, match="several"):
            wait.run(sensor(wait, created_since="watermark", outlets=[asset("a"), asset("b")]))
        assert service.requests == []

    def test_a_run_with_a_moment_moves_nothing(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 60))
        wait.run(sensor(wait, updated_since=SINCE, outlets=[asset()]), Task(assets))
        assert not assets

    def test_states_and_dates_have_their_own(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 0))
        told = {"outlets": [asset()]}
        wait.run(sensor(wait, updated_since="watermark", **told), Task(assets))
        wait.run(sensor(wait, updated_since="watermark", state="accepte", **told), Task(assets))
        wait.run(sensor(wait, created_since="watermark", **told), Task(assets))
        assert len(assets[asset()].known) == 3


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"groupe_instructeur_number": "x"}, "groupe_instructeur_number"),
        ({"groupe_instructeur_number": []}, "groupe_instructeur_number"),
        ({"min_count": 0}, "min_count"),
        ({"min_count": 1_001}, "min_count"),
        ({"min_count": "many"}, "min_count"),
        ({"state": "brouillon"}, "state"),
        ({"created_since": "2026-11-01T00:00:00"}, "created_since"),
        ({"updated_since": "yesterday"}, "updated_since"),
        ({"updated_since": SINCE, "created_since": SINCE}, "created_since"),
    ],
)
def test_a_parameter_that_cannot_work_is_named_before_any_request(wait, service, given, named):
    with pytest.raises(DSConfigurationError, match=named):
        wait.run(sensor(wait, **given))
    assert service.requests == []


@pytest.mark.parametrize("nothing", ["", " ", "None"])
@pytest.mark.parametrize("bound", ["created_since", "updated_since"])
def test_a_bound_that_renders_to_nothing_is_not_no_bound(wait, service, bound, nothing):
    service.holds(1, row(5, 60))
    with pytest.raises(DSConfigurationError, match=f"{bound} was given and renders to nothing.*leave it out"):
        wait.run(sensor(wait, **{bound: nothing}))
    assert service.requests == []


@pytest.mark.parametrize("bound", ["created_since", "updated_since"])
def test_nor_is_one_whose_template_gives_none(wait, service, bound):
    waiting = sensor(wait, **{bound: "{{ none }}"})
    setattr(waiting, bound, None)
    with pytest.raises(DSConfigurationError, match=f"{bound} was given and renders to nothing"):
        wait.run(waiting)
    assert service.requests == []


def test_of_two_bounds_the_one_that_renders_to_nothing_is_named(wait, service):
    with pytest.raises(DSConfigurationError, match="updated_since was given"):
        wait.run(sensor(wait, created_since=SINCE, updated_since=""))


@pytest.mark.parametrize(
    "seconds", [0, 29.9, timedelta(seconds=5), float("inf"), float("nan"), "60", None, True, -(10**400)]
)
@pytest.mark.parametrize("kind", [DSDossierSensor, DSDeletedDossierSensor])
def test_who_asks_too_often_is_told_when_the_dag_is_read(kind, seconds):
    with pytest.raises(DSConfigurationError, match="poke_interval must be 30 seconds or more"):
        kind(task_id="wait", groupe_instructeur_number=1, poke_interval=seconds)


def test_backing_off_begins_no_lower_than_the_floor(service):
    waiting = DSDossierSensor(task_id="w", groupe_instructeur_number=1, exponential_backoff=True, poke_interval=30)
    assert waiting._get_next_poke_interval(0, lambda: 0.0, 1) >= 30


@pytest.mark.parametrize("kind", [DSDossierSensor, DSDeletedDossierSensor])
def test_each_template_field_is_a_parameter(kind):
    waiting = kind(task_id="wait", groupe_instructeur_number=1)
    for name in kind.template_fields:
        assert hasattr(waiting, name)
    assert waiting.ds_conn_id == DSHook.default_conn_name
