"""In each mode, the sensor returns the same value, ends at lasting errors, and goes on after transient ones."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferralTimeout,
    TaskDeferred,
)

from ds_provider.api.polling.failures import MAX_FAILED_POLLS
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
from tests.support.batched_groups import refused
from tests.support.flows import response
from tests.support.stream_service import row
from tests.support.waits import Assets, Task, asset

SINCE = "2026-11-01T09:00:00+01:00"
EXPIRED = response({"errors": [{"message": "Token expired"}]}, status=401)


def sensor(wait: Any, **more: Any) -> DSDossierSensor:
    return DSDossierSensor(**{"task_id": "wait", "groupe_instructeur_number": 1, **wait.options, **more})


def test_value_holds_the_numbers_and_the_newest_dates(wait, service):
    def change(poll: int) -> None:
        if poll == 3:
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
    assert wait.polls == 3
    assert service.open_clients == 0


def test_sensor_succeeds_at_once_if_the_dossiers_are_there(wait, service):
    service.holds(1, row(5, 60))
    assert wait.run(sensor(wait, created_since=SINCE))["numbers"] == [5]
    assert wait.polls == 0
    assert len(service.requests) == 1


def test_sensor_filters_by_state(wait, service):
    service.holds(1, row(5, 60))
    wait.run(sensor(wait, state="accepte"))
    assert service.requests[0].variables == {"number0": 1, "state0": "accepte", "last0": 10}


def test_value_is_bounded_and_says_so(wait, service):
    service.holds(1, *(row(n, n) for n in range(1, 2_501)))
    value = wait.run(sensor(wait))
    assert len(value["numbers"]) == 1_000
    assert value["numbers"][-1] == 2_500
    assert value["count"] >= 1_000
    assert value["more"] is True


def test_sensor_polls_several_groups_in_one_request(wait, service):
    service.holds(7, row(70, 5))
    value = wait.run(sensor(wait, groupe_instructeur_number=list(range(1, 101))))
    assert value["groupes_instructeurs"] == [7]
    assert len(service.requests) == 1


def test_parameters_may_be_rendered_text(wait, service):
    service.holds(2, row(5, 5), row(6, 6))
    given = {"groupe_instructeur_number": "[1, 2]", "min_count": "2", "state": None}
    assert wait.run(sensor(wait, **given))["count"] == 2


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (EXPIRED, DSTokenExpiredError),
        (refused("unauthorized"), DSUnauthorizedError),
        (refused("not_found"), DSNotFoundError),
    ],
    ids=["expired", "no right", "not found"],
)
@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_lasting_error_fails_the_task_at_once_without_retries(wait, service, failure, kind, at, soft_fail):
    def fail(poll: int) -> None:
        service.failure = lambda request: failure if poll >= at else None

    fail(0)
    wait.change = fail
    with pytest.raises(kind) as caught:
        wait.run(sensor(wait, soft_fail=soft_fail))
    assert isinstance(caught.value, AirflowFailException), "no retry would help"
    assert type(caught.value).__name__ == kind.__name__
    assert wait.polls == at


def test_sensor_waits_on_through_transient_errors(wait, service):
    def change(poll: int) -> None:
        service.failure = lambda request: TransportFailure("dropped", sent=True) if poll % 3 else None
        if poll == 30:
            service.holds(1, row(5, 60))

    wait.change = change
    change(1)
    assert wait.run(sensor(wait))["numbers"] == [5]


def test_sensor_gives_up_after_failures_in_a_row(wait, service):
    service.failure = lambda request: TransportFailure("dropped", sent=True)
    with pytest.raises(DSTransportError):
        wait.run(sensor(wait))
    assert MAX_FAILED_POLLS <= len(service.requests) <= MAX_FAILED_POLLS + 1


def test_retry_counts_failures_from_zero(wait, service):
    task = Task()
    for _ in range(2):
        service.requests.clear()
        service.failure = lambda request: TransportFailure("dropped", sent=True)
        with pytest.raises(DSTransportError):
            wait.run(sensor(wait), task)
        assert len(service.requests) >= MAX_FAILED_POLLS


def test_never_fail_skips_the_task(wait, service):
    service.failure = lambda request: EXPIRED
    with pytest.raises(AirflowSkipException):
        wait.run(sensor(wait, never_fail=True))


def test_pauses_are_at_least_the_poke_interval_and_differ(wait, service):
    wait.change = lambda poll: service.holds(1, row(5, 60)) if poll == 30 else None
    wait.run(sensor(wait, poke_interval=40))
    pauses = wait.pauses[1:]
    assert all(40 <= pause <= 44 for pause in pauses)
    assert len(set(pauses)) > 1


def said_of(lines: list[str], *starts: str) -> list[str]:
    """The lines that begin so, without the time at which the wait ends."""
    return [re.sub(r"until .*", "until …", line.strip()) for line in lines if line.strip().startswith(starts)]


def test_log_says_at_once_what_is_waited_for_and_then_each_change(wait, service, lines):
    def change(poll: int) -> None:
        number = {2: 2, 5: 3}.get(poll)
        if number:
            service.holds(1, *(row(one, one) for one in range(1, number + 1)))

    wait.change = change
    service.holds(1, row(1, 1))
    wait.run(sensor(wait, min_count=3, state="accepte", poke_interval=90))
    said = said_of(lines(), "waiting", "1 of", "2 of", "3 of", "found")
    assert said == [
        "waiting for 3 dossiers accepte in group 1: 1 of 3 so far, polls every 1 min 30 s until …",
        "2 of 3 so far",
        "found 3 dossiers in group 1",
    ]


def test_log_of_several_groups_names_the_one_that_has_most(wait, service, lines):
    wait.change = lambda poll: service.holds(2, row(1, 1), row(2, 2)) if poll == 3 else None
    service.holds(2, row(1, 1))
    wait.run(sensor(wait, groupe_instructeur_number=[1, 2, 3], min_count=2, updated_since=SINCE))
    said = said_of(lines(), "waiting", "1 of", "found")
    first = "waiting for 2 dossiers updated since 2026-11-01T09:00:00+01:00 in one of 3 groups (1, 2, 3): "
    assert said[0].startswith(f"{first}1 of 2 so far in group 2, polls every 1 min until")
    assert said[1:] == ["found 2 dossiers in group 2"]


def test_log_says_what_is_waited_for_though_the_first_poll_failed(wait, service, lines):
    def change(poll: int) -> None:
        service.failure = lambda request: None
        if poll == 4:
            service.holds(1, row(1, 1))

    service.failure = lambda request: TransportFailure("dropped", sent=True)
    wait.change = change
    wait.run(sensor(wait))
    assert said_of(lines(), "waiting", "0 of", "found") == [
        "waiting for 1 dossier in group 1: nothing could be read yet, polls every 1 min until …",
        "0 of 1 so far",
        "found 1 dossier in group 1",
    ]


@pytest.mark.parametrize(("soft_fail", "kind"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_timeout_logs_what_was_missing(service, soft_fail, kind, lines):
    service.holds(1, row(1, 1), row(2, 2))
    given = {"task_id": "wait", "groupe_instructeur_number": 1, "min_count": 3, "soft_fail": soft_fail}
    polling, deferred = DSDossierSensor(**given, deferrable=False, timeout=1), DSDossierSensor(**given, deferrable=True)
    polling.timeout = -1
    with pytest.raises(kind):
        polling.execute(Task().context)
    assert said_of(lines(), "gave up")[0].endswith("of waiting for 3 dossiers in group 1: 2 of 3 so far")
    with pytest.raises(kind):
        deferred.resume_execution("__fail__", {"error": "Trigger timeout"}, Task().context)
    assert said_of(lines(), "gave up") == [
        "gave up after 7 days of waiting for 3 dossiers in group 1: 2 of 3 so far",
    ]


def test_timeout_stays_the_error_though_nothing_can_be_read(service, lines):
    service.failure = lambda request: EXPIRED
    deferred = DSDossierSensor(task_id="wait", groupe_instructeur_number=1, deferrable=True)
    with pytest.raises(AirflowSensorTimeout):
        deferred.resume_execution("__fail__", {"error": "Trigger timeout"}, Task().context)
    assert "what is there could not be read" in said_of(lines(), "gave up")[0]


def test_retry_logs_again_what_it_waits_for(service, lines):
    task = Task()
    made = DSDossierSensor(task_id="wait", groupe_instructeur_number=1, mode="reschedule", deferrable=False)
    for try_number in (1, 1, 2):
        task.try_number = try_number
        with pytest.raises(AirflowRescheduleException):
            made.execute(task.context)
    assert len(said_of(lines(), "waiting")) == 2


class TestDeferral:
    def deferred(self, service: Any, **more: Any) -> TaskDeferred:
        waiting = DSDossierSensor(task_id="wait", groupe_instructeur_number=1, deferrable=True, **more)
        with pytest.raises(TaskDeferred) as caught:
            waiting.execute(Task().context)
        return caught.value

    def test_sensor_polls_once_and_defers_for_its_timeout(self, service):
        deferred = self.deferred(service, timeout=timedelta(hours=3), poke_interval=90, updated_since=SINCE)
        assert len(service.requests) == 1
        assert deferred.timeout == timedelta(hours=3)
        kwargs = deferred.trigger.serialize()[1]
        assert kwargs["poll_interval"] == 90
        assert kwargs["since"] == "2026-11-01T08:00:00+00:00"

    def test_sensor_defers_after_a_transient_error(self, service):
        service.failure = lambda request: TransportFailure("dropped", sent=True)
        self.deferred(service)

    @pytest.mark.parametrize(("soft_fail", "kind"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
    def test_deferred_sensor_times_out_as_in_other_modes(self, service, soft_fail, kind):
        waiting = DSDossierSensor(
            task_id="wait", groupe_instructeur_number=1, deferrable=True, soft_fail=soft_fail, timeout=5
        )
        waiting.execute_complete = _times_out  # type: ignore[method-assign]
        with pytest.raises(kind):
            waiting.resume_execution("execute_complete", {}, {})  # type: ignore[typeddict-item]

    @pytest.mark.parametrize("event", [None, True, {}, {"status": "success"}])
    def test_foreign_event_is_no_success(self, event):
        waiting = DSDossierSensor(task_id="wait", groupe_instructeur_number=1, deferrable=True)
        with pytest.raises(DSConfigurationError):
            waiting.execute_complete(Task().context, event)


def _times_out(context: Any) -> Any:
    raise TaskDeferralTimeout("too long")


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(("soft_fail", "kind"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_sensor_without_deferral_times_out(service, mode, soft_fail, kind):
    waiting = DSDossierSensor(
        task_id="wait", groupe_instructeur_number=1, mode=mode, soft_fail=soft_fail, timeout=0, deferrable=False
    )
    with pytest.raises(kind):
        waiting.execute(Task().context)


class TestWatermark:
    def waiting(self, wait: Any, **more: Any) -> DSDossierSensor:
        return sensor(wait, updated_since="watermark", outlets=[asset()], **more)

    def test_each_success_reports_what_changed_since_the_last(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 0), row(5, 60))
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [4, 5]
        wait.change = lambda poll: service.holds(1, row(6, 90)) if poll == 2 else None
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [6]
        wait.change = lambda poll: service.rows.update({(1, "dossiers"): [row(4, 100)]}) if poll == 2 else None
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [4]

    def test_cleared_task_finds_again_what_it_found(self, wait, service):
        assets, task = Assets(), Task()
        task.assets = assets
        service.holds(1, row(4, 0))
        first = wait.run(self.waiting(wait), task)
        service.holds(1, row(9, 900))
        wait.run(self.waiting(wait), Task(assets))
        again = wait.run(self.waiting(wait), task)
        assert set(first["numbers"]) <= set(again["numbers"])
        wait.change = lambda poll: service.holds(1, row(10, 950)) if poll == 2 else None
        assert wait.run(self.waiting(wait), Task(assets))["numbers"] == [10], "and undid nothing of a later run"

    def test_watermark_moves_only_for_reported_groups(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 0))
        service.holds(2, row(5, 0), row(6, 1))
        several = {"groupe_instructeur_number": [1, 2], "min_count": 2}
        assert wait.run(self.waiting(wait, **several), Task(assets))["groupes_instructeurs"] == [2]
        wait.change = lambda poll: service.holds(1, row(7, 50)) if poll == 1 else None
        assert wait.run(self.waiting(wait, **several), Task(assets))["numbers"] == [4, 7]

    def test_watermark_needs_one_asset(self, wait, service):
        with pytest.raises(DSConfigurationError, match="outlet"):
            wait.run(sensor(wait, created_since="watermark"))
        with pytest.raises(DSConfigurationError, match="several"):
            wait.run(sensor(wait, created_since="watermark", outlets=[asset("a"), asset("b")]))
        assert service.requests == []

    def test_explicit_bound_moves_no_watermark(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 60))
        wait.run(sensor(wait, updated_since=SINCE, outlets=[asset()]), Task(assets))
        assert not assets

    def test_each_state_and_date_column_has_its_own_watermark(self, wait, service):
        assets = Assets()
        service.holds(1, row(4, 0))
        outlet = {"outlets": [asset()]}
        wait.run(sensor(wait, updated_since="watermark", **outlet), Task(assets))
        wait.run(sensor(wait, updated_since="watermark", state="accepte", **outlet), Task(assets))
        wait.run(sensor(wait, created_since="watermark", **outlet), Task(assets))
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
def test_invalid_parameter_is_named_before_any_request(wait, service, given, named):
    with pytest.raises(DSConfigurationError, match=named):
        wait.run(sensor(wait, **given))
    assert service.requests == []


@pytest.mark.parametrize(
    "seconds", [0, 29.9, timedelta(seconds=5), float("inf"), float("nan"), "60", None, True, -(10**400)]
)
@pytest.mark.parametrize("kind", [DSDossierSensor, DSDeletedDossierSensor])
def test_poke_interval_is_checked_when_the_dag_is_parsed(kind, seconds):
    with pytest.raises(DSConfigurationError, match="poke_interval must be 30 seconds or more"):
        kind(task_id="wait", groupe_instructeur_number=1, poke_interval=seconds)


def test_exponential_backoff_begins_at_the_minimum_interval(service):
    waiting = DSDossierSensor(task_id="w", groupe_instructeur_number=1, exponential_backoff=True, poke_interval=30)
    assert waiting._get_next_poke_interval(0, lambda: 0.0, 1) >= 30


@pytest.mark.parametrize("kind", [DSDossierSensor, DSDeletedDossierSensor])
def test_template_fields_are_parameters(kind):
    waiting = kind(task_id="wait", groupe_instructeur_number=1)
    for name in kind.template_fields:
        assert hasattr(waiting, name)
    assert waiting.ds_conn_id == DSHook.default_conn_name
