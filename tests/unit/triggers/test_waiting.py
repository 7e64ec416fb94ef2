"""A trigger's one event says what a look found or why looking is of no use, and many triggers look together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.shared_stream import SharedStreamManager

from ds_provider.api.polling.seen import SeenRows
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSConfigurationError,
    DSError,
    DSNotFoundError,
    DSTokenExpiredError,
    DSTransportError,
)
from ds_provider.triggers import _events as events
from ds_provider.triggers import _poll as polls
from ds_provider.triggers.dossiers import DSDeletedDossierTrigger, DSDossierTrigger
from tests.support.combined_answers import refused
from tests.support.flows import reply
from tests.support.lists import DELETED, PENDING, row

SINCE = "2026-11-01T08:00:00+00:00"
NOTHING = {stream.name: SeenRows().to_json() for stream in (PENDING, DELETED)}


def dossier_trigger(*groupes: int, **more: Any) -> DSDossierTrigger:
    return DSDossierTrigger(**{"groupes": list(groupes or (1,)), "column": "updated", "since": SINCE, **more})


def deleted_trigger(*groupes: int, **more: Any) -> DSDeletedDossierTrigger:
    return DSDeletedDossierTrigger(**{"memories": {str(groupe): NOTHING for groupe in groupes or (1,)}, **more})


TRIGGERS = [
    dossier_trigger(1, 2, min_count=3, state="accepte", poll_interval=90.0, ds_conn_id="other"),
    dossier_trigger(1, memories={"1": SeenRows(5, frozenset({(7, 9)})).to_json()}),
    dossier_trigger(1, column=None, since=None),
    deleted_trigger(1, 2, min_count=4, ds_conn_id="other"),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_it_comes_through_the_database_as_it_was(trigger):
    path, kwargs = trigger.serialize()
    assert path == f"ds_provider.triggers.dossiers.{type(trigger).__name__}"
    stored = deserialize(json.loads(json.dumps(serialize(kwargs))))
    again = type(trigger)(**stored)
    assert again.serialize() == (path, kwargs)
    assert again.watch.groupes == trigger.watch.groupes
    assert again.watch.min_count == trigger.watch.min_count


def run(trigger: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(collect(), 60))


def test_it_waits_until_there_is_something_and_then_gives_one_event(service, clock):
    clock.at_pause[4] = lambda: service.holds(1, row(7, 60))
    (payload,) = run(dossier_trigger(1))
    finding = events.read(json.loads(json.dumps(payload)))
    assert [number for number, _ in finding.marks(1, "dossiers")] == [7]
    assert len(service.requests) == 5, "one after each pause"
    assert service.open_clients == 0


def test_deletions_are_waited_for_alike(service, clock):
    clock.at_pause[2] = lambda: service.holds(2, row(7, -1_000_000), stream=DELETED)
    (payload,) = run(deleted_trigger(1, 2))
    finding = events.read(payload)
    assert [number for number, _ in finding.marks(2, DELETED.name)] == [7]
    assert list(finding.groupes) == [2]


def test_pauses_are_as_long_as_asked_for_or_a_little_longer(service, clock):
    clock.at_pause[50] = lambda: service.holds(1, row(7, 60))
    run(dossier_trigger(1, poll_interval=120.0))
    first, *others = clock.slept
    assert first <= polls.FIRST_PAUSE_SECONDS * 1.1
    assert all(120 <= pause <= 132 for pause in others)
    assert len(set(others)) > 1, "not all in the same instant"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply({"errors": [{"message": "Token expired"}]}, status=401), DSTokenExpiredError),
        (refused("not_found"), DSNotFoundError),
    ],
    ids=["expired", "gone"],
)
def test_what_lasts_ends_the_wait_at_once_and_is_raised_by_the_task_as_it_was(service, clock, answer, kind):
    service.failure = lambda request: answer
    (payload,) = run(dossier_trigger(1))
    assert len(service.requests) == 1
    with pytest.raises(kind) as caught:
        events.read(json.loads(json.dumps(payload)))
    assert type(caught.value) is kind
    assert caught.value.http_status in (200, 401)


def test_what_passes_does_not_end_the_wait(service, clock):
    failures = [TransportFailure("dropped", sent=True)] * (polls.FAILURES_IN_A_ROW - 1)
    service.failure = lambda request: failures.pop() if failures else None
    service.holds(1, row(7, 60))
    (payload,) = run(dossier_trigger(1))
    assert events.read(payload)


def test_failures_are_counted_in_a_row(service, clock):
    answers = ([TransportFailure("dropped", sent=True)] * (polls.FAILURES_IN_A_ROW - 1) + [None]) * 3
    clock.at_pause[len(answers) + 1] = lambda: service.holds(1, row(7, 60))
    service.failure = lambda request: answers.pop(0) if answers else None
    (payload,) = run(dossier_trigger(1))
    assert events.read(payload)


def test_what_goes_on_failing_ends_the_wait(service, clock):
    service.failure = lambda request: TransportFailure("dropped", sent=True)
    (payload,) = run(dossier_trigger(1))
    with pytest.raises(DSTransportError):
        events.read(payload)
    assert len(service.requests) == polls.FAILURES_IN_A_ROW


def test_one_that_is_cancelled_leaves_nothing_open_and_is_not_asked_for_any_more(service, clock):
    async def cancel() -> None:
        waiting = asyncio.ensure_future(anext(dossier_trigger(1).run()))
        while not service.requests:  # noqa: ASYNC110 - the service knows of no event
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancel())
    assert service.open_clients == 0
    assert not any(polls._watching.values())


class Triggerer:
    """Runs triggers as the triggerer does, their shared streams included."""

    def __init__(self) -> None:
        self.manager = SharedStreamManager()
        self.payloads: dict[int, Any] = {}

    async def run(self, *triggers: Any) -> dict[int, Any]:
        everyone = asyncio.gather(*(self._run(i, trigger) for i, trigger in enumerate(triggers)))
        await asyncio.wait_for(everyone, 60)
        return self.payloads

    async def _run(self, trigger_id: int, trigger: Any) -> None:
        key = trigger.shared_stream_key()
        stream = self.manager.subscribe(trigger_id=trigger_id, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                self.payloads[trigger_id] = event.payload
        finally:
            await self.manager.unsubscribe(trigger_id, key)


def test_two_hundred_triggers_make_two_requests_a_look_and_each_fires_on_its_own_change(service, clock):
    triggers = [dossier_trigger(groupe) for groupe in range(1, 201)]
    looks = 5

    def change(i: int) -> None:
        for groupe in range(i + 1, 201, looks):
            service.holds(groupe, row(groupe, 60))

    clock.at_pause |= {i + 1: lambda i=i: change(i) for i in range(looks)}
    payloads = asyncio.run(Triggerer().run(*triggers))
    assert len(payloads) == 200
    for i, trigger in enumerate(triggers):
        finding = events.read(payloads[i])
        assert finding.marks(trigger.groupes[0], "dossiers")[0][0] == trigger.groupes[0]
    assert len(service.requests) <= 2 * (looks + 1)
    assert not any(polls._watching.values())


def test_dossiers_and_deletions_share_a_poll_and_other_connections_and_intervals_have_their_own(service, clock):
    service.holds(1, row(7, 60))
    service.holds(1, row(8, 60), stream=PENDING)
    same = [dossier_trigger(1), deleted_trigger(1)]
    asyncio.run(Triggerer().run(*same))
    assert len(service.requests) == 1
    service.requests.clear()
    others = [dossier_trigger(1), deleted_trigger(1, ds_conn_id="other"), dossier_trigger(1, poll_interval=300.0)]
    asyncio.run(Triggerer().run(*others))
    assert len(service.requests) == 3
    assert set(service.conn_ids) == {"ds_default", "other"}


def test_a_group_that_is_gone_ends_only_the_waits_for_it(service, clock):
    service.fails = {2: refused("not_found")}
    clock.at_pause[3] = lambda: service.holds(1, row(7, 60))
    payloads = asyncio.run(Triggerer().run(dossier_trigger(1), dossier_trigger(2)))
    assert events.read(payloads[0])
    with pytest.raises(DSNotFoundError):
        events.read(payloads[1])


@pytest.mark.parametrize(
    "event",
    [
        None,
        True,
        "found",
        {},
        {"status": "found"},
        {"status": "found", "finding": None},
        {"status": "found", "finding": {"groupes": {"1": {}}}},
        {"status": "running", "finding": {}},
        {"status": "failed"},
        {"status": "failed", "error": "text"},
    ],
)
def test_an_event_of_any_other_shape_is_no_success(event):
    with pytest.raises(DSConfigurationError):
        events.read(event)


@pytest.mark.parametrize("seconds", ["60", None, True, 29, float("inf"), float("nan")])
@pytest.mark.parametrize("make", [dossier_trigger, deleted_trigger])
def test_a_poll_interval_that_cannot_work_is_named(make, seconds):
    with pytest.raises(DSConfigurationError, match="poll_interval must be 30 seconds or more"):
        make(1, poll_interval=seconds)


@pytest.mark.parametrize("seconds", [10**13, -(10**18), 10**30])
def test_an_event_with_a_date_of_no_calendar_is_no_success(service, clock, seconds):
    service.holds(1, row(7, 60))
    (payload,) = run(dossier_trigger(1))
    payload["finding"]["newest"] = {"updated": seconds}
    with pytest.raises(DSConfigurationError):
        events.read(payload)


@pytest.mark.parametrize("kind", ["Exception", "os", "FACTS", "nobody"])
def test_an_error_of_a_name_that_is_none_of_this_provider_is_still_an_error(kind):
    with pytest.raises(DSError, match="hm") as caught:
        events.read({"status": "failed", "error": {"kind": kind, "message": "hm", "facts": {"code": "x"}}})
    assert type(caught.value) is DSError
    assert caught.value.code == "x"


def test_the_token_is_in_neither_kwargs_nor_event(service, clock):
    service.failure = lambda request: reply({"errors": [{"message": "Token expired"}]}, status=401)
    payload = json.dumps(run(dossier_trigger(1)))
    assert "Bearer" not in payload
    for trigger in TRIGGERS:
        assert {"token", "password", "url"}.isdisjoint(trigger.serialize()[1])
