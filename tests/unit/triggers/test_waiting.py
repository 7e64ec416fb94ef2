"""A waiting trigger yields one event, with the finding or the error, and many triggers share a poll."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.shared_stream import SharedStreamManager

from ds_provider.api.polling.failures import MAX_FAILED_POLLS
from ds_provider.api.polling.seen import SeenRows
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSConfigurationError,
    DSError,
    DSNotFoundError,
    DSTokenExpiredError,
    DSTransportError,
)
from ds_provider.triggers import events, polling
from ds_provider.triggers.dossiers import DSDeletedDossierTrigger, DSDossierTrigger
from tests.support.batched_groups import refused
from tests.support.flows import response
from tests.support.stream_service import DELETED, PENDING, row

SINCE = "2026-11-01T08:00:00+00:00"
NOTHING = {stream.name: SeenRows().to_json() for stream in (PENDING, DELETED)}


def dossier_trigger(*groupes: int, **more: Any) -> DSDossierTrigger:
    return DSDossierTrigger(
        **{"groupe_instructeur_number": list(groupes or (1,)), "on": "updated", "since": SINCE, **more}
    )


def deleted_trigger(*groupes: int, **more: Any) -> DSDeletedDossierTrigger:
    return DSDeletedDossierTrigger(**{"seen": {str(groupe): NOTHING for groupe in groupes or (1,)}, **more})


TRIGGERS = [
    dossier_trigger(1, 2, min_count=3, state="accepte", poll_interval=90.0, ds_conn_id="other"),
    dossier_trigger(1, seen={"1": SeenRows(5, frozenset({(7, 9)})).to_json()}),
    dossier_trigger(1, on=None, since=None),
    deleted_trigger(1, 2, min_count=4, ds_conn_id="other"),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_trigger_survives_serialization(trigger):
    path, kwargs = trigger.serialize()
    assert path == f"ds_provider.triggers.dossiers.{type(trigger).__name__}"
    stored = deserialize(json.loads(json.dumps(serialize(kwargs))))
    again = type(trigger)(**stored)
    assert again.serialize() == (path, kwargs)
    assert again.watch.groups == trigger.watch.groups
    assert again.watch.min_count == trigger.watch.min_count


def run(trigger: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(collect(), 60))


def test_trigger_waits_and_yields_one_event(service, clock):
    clock.at_pause[4] = lambda: service.holds(1, row(7, 60))
    (payload,) = run(dossier_trigger(1))
    finding = events.read(json.loads(json.dumps(payload)))
    assert [number for number, _ in finding.versions(1, "dossiers")] == [7]
    assert len(service.requests) == 5, "one after each pause"
    assert service.open_clients == 0


def test_trigger_waits_for_deletions(service, clock):
    clock.at_pause[2] = lambda: service.holds(2, row(7, -1_000_000), stream=DELETED)
    (payload,) = run(deleted_trigger(1, 2))
    finding = events.read(payload)
    assert [number for number, _ in finding.versions(2, DELETED.name)] == [7]
    assert list(finding.groups) == [2]


def test_pauses_are_the_poll_interval_with_jitter(service, clock):
    clock.at_pause[50] = lambda: service.holds(1, row(7, 60))
    run(dossier_trigger(1, poll_interval=120.0))
    first, *others = clock.slept
    assert first <= polling.FIRST_PAUSE_SECONDS * 1.1
    assert all(120 <= pause <= 132 for pause in others)
    assert len(set(others)) > 1, "not all in the same instant"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (response({"errors": [{"message": "Token expired"}]}, status=401), DSTokenExpiredError),
        (refused("not_found"), DSNotFoundError),
    ],
    ids=["expired", "not found"],
)
def test_lasting_error_ends_the_wait_and_is_raised_by_the_task(service, clock, failure, kind):
    service.failure = lambda request: failure
    (payload,) = run(dossier_trigger(1))
    assert len(service.requests) == 1
    with pytest.raises(kind) as caught:
        events.read(json.loads(json.dumps(payload)))
    assert type(caught.value) is kind
    assert caught.value.http_status in (200, 401)


def test_trigger_waits_on_through_transient_errors(service, clock):
    failures = [TransportFailure("dropped", sent=True)] * (MAX_FAILED_POLLS - 1)
    service.failure = lambda request: failures.pop() if failures else None
    service.holds(1, row(7, 60))
    (payload,) = run(dossier_trigger(1))
    assert events.read(payload)


def test_failures_are_counted_in_a_row(service, clock):
    exchanges = ([TransportFailure("dropped", sent=True)] * (MAX_FAILED_POLLS - 1) + [None]) * 3
    clock.at_pause[len(exchanges) + 1] = lambda: service.holds(1, row(7, 60))
    service.failure = lambda request: exchanges.pop(0) if exchanges else None
    (payload,) = run(dossier_trigger(1))
    assert events.read(payload)


def test_trigger_gives_up_after_failures_in_a_row(service, clock):
    service.failure = lambda request: TransportFailure("dropped", sent=True)
    (payload,) = run(dossier_trigger(1))
    with pytest.raises(DSTransportError):
        events.read(payload)
    assert len(service.requests) == MAX_FAILED_POLLS


def test_cancelled_trigger_leaves_no_client_and_no_registration(service, clock):
    async def cancel() -> None:
        waiting = asyncio.ensure_future(anext(dossier_trigger(1).run()))
        while not service.requests:  # noqa: ASYNC110 - the service knows of no event
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancel())
    assert service.open_clients == 0
    assert not any(polling._registered.values())


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


def test_two_hundred_triggers_share_two_requests_a_poll(service, clock):
    triggers = [dossier_trigger(groupe) for groupe in range(1, 201)]
    polls = 5

    def change(i: int) -> None:
        for groupe in range(i + 1, 201, polls):
            service.holds(groupe, row(groupe, 60))

    clock.at_pause |= {i + 1: lambda i=i: change(i) for i in range(polls)}
    payloads = asyncio.run(Triggerer().run(*triggers))
    assert len(payloads) == 200
    for i, trigger in enumerate(triggers):
        (group,) = trigger.groupe_instructeur_number
        assert events.read(payloads[i]).versions(group, "dossiers")[0][0] == group
    assert len(service.requests) <= 2 * (polls + 1)
    assert not any(polling._registered.values())


def test_triggers_of_one_connection_and_interval_share_a_poll(service, clock):
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


def test_a_group_that_is_not_found_ends_only_its_own_waits(service, clock):
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
        {"status": "found", "finding": {"groups": {"1": {}}}},
        {"status": "running", "finding": {}},
        {"status": "failed"},
        {"status": "failed", "error": "text"},
    ],
)
def test_event_of_another_shape_is_refused(event):
    with pytest.raises(DSConfigurationError):
        events.read(event)


@pytest.mark.parametrize("seconds", ["60", None, True, 29, float("inf"), float("nan")])
@pytest.mark.parametrize("make", [dossier_trigger, deleted_trigger])
def test_invalid_poll_interval_is_named(make, seconds):
    with pytest.raises(DSConfigurationError, match="poll_interval must be 30 seconds or more"):
        make(1, poll_interval=seconds)


@pytest.mark.parametrize("seconds", [10**13, -(10**18), 10**30])
def test_event_with_a_date_of_no_calendar_is_refused(service, clock, seconds):
    service.holds(1, row(7, 60))
    (payload,) = run(dossier_trigger(1))
    payload["finding"]["newest"] = {"updated": seconds}
    with pytest.raises(DSConfigurationError):
        events.read(payload)


@pytest.mark.parametrize("kind", ["Exception", "os", "FACTS", "nobody"])
def test_event_with_an_unknown_error_raises_a_plain_error(kind):
    with pytest.raises(DSError, match="hm") as caught:
        events.read({"status": "failed", "error": {"kind": kind, "message": "hm", "facts": {"code": "x"}}})
    assert type(caught.value) is DSError
    assert caught.value.code == "x"


def test_the_token_is_in_neither_kwargs_nor_event(service, clock):
    service.failure = lambda request: response({"errors": [{"message": "Token expired"}]}, status=401)
    payload = json.dumps(run(dossier_trigger(1)))
    assert "Bearer" not in payload
    for trigger in TRIGGERS:
        assert {"token", "password", "url"}.isdisjoint(trigger.serialize()[1])
