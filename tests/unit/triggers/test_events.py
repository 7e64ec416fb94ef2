"""The event trigger yields one event for each change and none without, also after a restart of the triggerer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize

from ds_provider.api.polling.failures import MAX_FAILED_POLLS
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import DSConfigurationError, DSNotFoundError, DSTransportError, DSUnauthorizedError
from ds_provider.triggers.dossiers import SETTLE_SECONDS, DSDossierEventTrigger
from tests.support.batched_groups import refused
from tests.support.flows import response
from tests.support.stream_service import row
from tests.support.trigger_service import Service


class Store:
    """An asset's state store, as JSON keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.writes = 0

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        self.writes += 1
        self.kept[key] = json.dumps(value)


class Watcher:
    """Runs a trigger for a chosen number of polls, and stops it as a triggerer does."""

    def __init__(self, service: Service, clock: Any, store: Store | None = None) -> None:
        self.service = service
        self.clock = clock
        self.store = store or Store()

    def run(self, polls: int, change: Callable[[int], None] = lambda poll: None, **more: Any) -> list[dict[str, Any]]:
        """Return the events of that many polls. Before each of them the world may change."""
        trigger = DSDossierEventTrigger(**{"groupe_instructeur_number": [1, 2], **more})
        trigger.asset_state_store = self.store  # type: ignore[assignment]
        return asyncio.run(asyncio.wait_for(self._collect(trigger, polls, change), 60))

    async def _collect(self, trigger: Any, polls: int, change: Callable[[int], None]) -> list[dict[str, Any]]:
        payloads: list[dict[str, Any]] = []
        done = asyncio.Event()

        async def stream() -> Any:
            _, kwargs = trigger.serialize()
            number = 0
            async for poll in trigger.open_shared_stream(kwargs):
                yield poll
                number += 1
                if number > polls:
                    done.set()
                    await asyncio.Event().wait()
                change(number)

        async def consume() -> None:
            async for event in trigger.filter_shared_stream(stream()):
                payloads.append(json.loads(json.dumps(event.payload)))  # noqa: PERF401 - what came before an end counts

        task = asyncio.ensure_future(consume())
        waiting = asyncio.ensure_future(done.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        task.cancel()
        return payloads


@pytest.fixture
def watcher(service, clock):
    return Watcher(service, clock)


def test_first_poll_yields_no_event(watcher, service):
    service.holds(1, *(row(n, n) for n in range(1, 300)))
    assert watcher.run(5) == []


def test_each_change_is_one_event(watcher, service):
    service.holds(1, row(1, 0))

    def change(poll: int) -> None:
        if poll % 4 == 0:
            service.holds(1 + poll // 4 % 2, row(poll, 1_000 * poll))

    payloads = watcher.run(40, change)
    assert [payload["numbers"] for payload in payloads] == [[poll] for poll in range(4, 41, 4)]
    assert [payload["groupes_instructeurs"] for payload in payloads[:2]] == [[2], [1]]


def test_event_names_groups_and_numbers_and_nothing_personal(watcher, service):
    service.holds(1, row(1, 0))

    def change(poll: int) -> None:
        if poll == 2:
            service.holds(1, row(8, 100), row(9, 200))
            service.holds(2, row(7, 300))

    assert watcher.run(4, change) == [
        {
            "groupes_instructeurs": [1, 2],
            "count": 3,
            "more": False,
            "numbers": [7, 8, 9],
            "newest": "2026-11-01T08:05:00+00:00",
        }
    ]


def test_a_dossier_that_changes_again_is_another_event(watcher, service):
    service.holds(1, row(1, 0))

    def change(poll: int) -> None:
        service.rows[1, "dossiers"] = [row(1, 10 * (poll // 3))]

    assert [payload["numbers"] for payload in watcher.run(10, change)] == [[1], [1], [1]]


def test_thousands_of_changes_are_one_small_event(watcher, service):
    service.holds(1, row(1, 0))

    def change(poll: int) -> None:
        if poll == 2:
            service.holds(1, *(row(n, 1_000 + n // 10) for n in range(10, 5_000)))

    (payload,) = watcher.run(5, change)
    assert payload["more"]
    assert len(payload["numbers"]) == 100
    assert len(json.dumps(payload)) < 2_000


def test_restarted_trigger_goes_on_from_the_store(watcher, service, clock):
    service.holds(1, row(1, 0))
    assert watcher.run(3) == []
    service.holds(1, row(2, 100))
    again = Watcher(service, clock, watcher.store)
    assert [payload["numbers"] for payload in again.run(3)] == [[2]]
    assert Watcher(service, clock, watcher.store).run(3) == []


def test_seen_rows_are_stored_only_after_the_event_is_safe(watcher, service, clock):
    service.holds(1, row(1, 0))
    watcher.run(2)
    service.holds(1, row(2, 100))
    before = dict(watcher.store.kept)

    def kept_when_told() -> dict[str, str]:
        return dict(watcher.store.kept)

    seen: list[dict[str, str]] = []
    send_with_retry = clock._sleep

    async def sleep(seconds: float) -> None:
        if seconds == SETTLE_SECONDS:
            seen.append(kept_when_told())
        await send_with_retry(seconds)

    clock.slept.clear()
    import ds_provider.triggers.dossiers as module

    module.asyncio.sleep = sleep
    assert len(Watcher(service, clock, watcher.store).run(2)) == 1
    assert seen == [before], "nothing is kept until the event is safe"
    assert watcher.store.kept != before


def test_group_that_is_added_later_starts_from_its_own_baseline(watcher, service, clock):
    service.holds(1, row(1, 0))
    watcher.run(2, groupe_instructeur_number=1)
    service.holds(2, row(5, 50))
    service.holds(1, row(2, 100))
    again = Watcher(service, clock, watcher.store)
    assert [payload["groupes_instructeurs"] for payload in again.run(4)] == [[1]]


def test_store_is_written_only_for_baselines_without_events(watcher, service):
    service.holds(1, row(1, 0))
    watcher.run(20)
    assert watcher.store.writes == 2, "the beginning of each group"


def test_each_poll_is_one_request(watcher, service):
    watcher.run(20)
    assert len(service.requests) <= 20 + 2


def test_trigger_goes_on_through_transient_errors(watcher, service):
    service.holds(1, row(1, 0))
    failures = {5, 6, 7}

    def change(poll: int) -> None:
        service.failure = lambda request: TransportFailure("dropped", sent=True) if poll in failures else None
        if poll == 6:
            service.holds(1, row(2, 100))

    assert [payload["numbers"] for payload in watcher.run(12, change)] == [[2]]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(TransportFailure("dropped", sent=True), DSTransportError), (refused("not_found"), DSNotFoundError)],
)
def test_trigger_gives_up_only_after_failures_in_a_row(watcher, service, failure, kind):
    service.failure = lambda request: failure
    with pytest.raises(kind):
        watcher.run(50)
    assert MAX_FAILED_POLLS <= len(service.requests) <= 3 * MAX_FAILED_POLLS


UNREADABLE = {
    "not found": refused("not_found"),
    "no right": refused("unauthorized"),
    "fails": response(status=500, body=b"{}"),
}


@pytest.fixture
def warnings(monkeypatch):
    """The warnings of all triggers, with their arguments."""
    warnings: list[str] = []
    log = SimpleNamespace(info=lambda *given: None, warning=lambda text, *given: warnings.append(text % given))
    monkeypatch.setattr(DSDossierEventTrigger, "log", log)
    return warnings


@pytest.mark.parametrize("failure", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("at", [0, 3])
def test_unreadable_group_stops_no_other(watcher, service, warnings, failure, at):
    def change(poll: int) -> None:
        if poll == at:
            service.fails[2] = failure
        if poll % 10 == 0:
            service.holds(1, row(poll, 1_000 * poll))

    change(0)
    payloads = watcher.run(50, change)
    assert [payload["numbers"] for payload in payloads] == [[10], [20], [30], [40], [50]]
    (warning,) = warnings
    assert "group 2 " in warning


def test_group_that_is_back_yields_events_and_its_next_loss_a_warning(watcher, service, warnings):
    lost = [*range(5, 10), *range(20, 25)]

    def change(poll: int) -> None:
        service.fails = {2: refused("unauthorized")} if poll in lost else {}
        if poll == 7:
            service.holds(2, row(7, 100))

    assert [payload["numbers"] for payload in watcher.run(30, change)] == [[7]], "what came meanwhile is an event"
    assert len(warnings) == 2


def test_group_that_appears_late_starts_from_its_own_baseline(watcher, service, warnings):
    service.fails = {2: refused("not_found")}
    service.holds(2, row(5, 50))

    def change(poll: int) -> None:
        if poll == 12:
            service.fails = {}
        if poll == 15:
            service.holds(2, row(6, 100))

    assert [payload["numbers"] for payload in watcher.run(20, change)] == [[6]]
    assert len(warnings) == 1


def test_lasting_error_is_raised_if_no_group_can_be_read(watcher, service):
    service.fails = {1: response(status=500, body=b"{}"), 2: refused("unauthorized")}
    with pytest.raises(DSUnauthorizedError):
        watcher.run(50)


def test_failed_polls_are_counted_in_a_row(watcher, service):
    def change(poll: int) -> None:
        service.fails = dict.fromkeys((1, 2) if poll % MAX_FAILED_POLLS else (2,), refused("not_found"))
        if poll == 45:
            service.fails = {}
            service.holds(1, row(9, 100))

    assert [payload["numbers"] for payload in watcher.run(48, change)] == [[9]]


def test_trigger_without_an_asset_yields_events(service, clock):
    trigger = DSDossierEventTrigger(groupe_instructeur_number=1)
    service.holds(1, row(1, 0))
    clock.at_pause[3] = lambda: service.holds(1, row(2, 100))

    event = asyncio.run(asyncio.wait_for(anext(trigger.run()), 60))
    assert event.payload["numbers"] == [2]


def test_trigger_survives_serialization():
    trigger = DSDossierEventTrigger(
        groupe_instructeur_number="[3, 4]", on="created", state="accepte", poll_interval=120, ds_conn_id="other"
    )
    path, kwargs = trigger.serialize()
    assert path == "ds_provider.triggers.dossiers.DSDossierEventTrigger"
    stored = deserialize(json.loads(json.dumps(serialize(kwargs))))
    assert DSDossierEventTrigger(**stored).serialize() == (path, kwargs)
    assert "token" not in json.dumps(kwargs)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"poll_interval": 29}, "poll_interval"),
        ({"poll_interval": float("nan")}, "poll_interval"),
        ({"poll_interval": float("inf")}, "poll_interval"),
        ({"poll_interval": "60"}, "poll_interval"),
        ({"on": "deleted"}, "on must be"),
        ({"state": "refusé"}, "state"),
        ({"groupe_instructeur_number": []}, "groupe_instructeur_number"),
        ({"groupe_instructeur_number": "x"}, "groupe_instructeur_number"),
    ],
)
def test_invalid_parameter_is_named_when_the_dag_is_parsed(given, named):
    with pytest.raises(DSConfigurationError, match=named):
        DSDossierEventTrigger(**{"groupe_instructeur_number": 1, **given})


def test_each_date_column_and_state_has_its_own_keys(service, clock):
    store = Store()
    Watcher(service, clock, store).run(1)
    Watcher(service, clock, store).run(1, on="created")
    Watcher(service, clock, store).run(1, state="accepte")
    assert len(store.kept) == 6
