"""Three ways to wait, each played as Airflow does, and the stores of a task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from airflow.sdk.serde import deserialize, serialize

from tests.support.operator_service import Store
from tests.support.trigger_service import Service

MODES = ("poke", "reschedule", "deferrable")


class Assets(dict[str, Store]):
    """State stores of assets, by the assets' names."""

    def __getitem__(self, asset: Any) -> Store:
        return self.setdefault(asset.name, Store())


class Task:
    """One task instance: its stores outlive its tries.

    :param assets: outlive the task.
    """

    def __init__(self, assets: Assets | None = None) -> None:
        self.store = Store()
        self.try_number = 1
        self.assets = Assets() if assets is None else assets

    @property
    def context(self) -> Any:
        ti = SimpleNamespace(get_first_reschedule_date=lambda context: None, try_number=self.try_number)
        return {"task_state_store": self.store, "asset_state_store": self.assets, "ti": ti}


class Wait:
    """Runs sensors, and lets the world change between their polls.

    :param change: called after each poll, with the count of polls.
    """

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
        self.service = service
        self.mode = mode
        self.change: Callable[[int], None] = lambda poll: None
        self.polls = 0
        self.pauses: list[float] = []
        self._patch(monkeypatch)

    @property
    def options(self) -> dict[str, Any]:
        return {"deferrable": True} if self.mode == "deferrable" else {"mode": self.mode, "deferrable": False}

    def run(self, sensor: Any, task: Task | None = None) -> Any:
        """Return what the task returns."""
        task = task or Task()
        self.polls = 0
        while True:
            try:
                return sensor.execute(task.context)
            except AirflowRescheduleException:
                self._pause(sensor._get_next_poke_interval(0, lambda: 0, 1))
            except TaskDeferred as deferred:
                return self._resume(sensor, deferred, task)

    def _resume(self, sensor: Any, deferred: TaskDeferred, task: Task) -> Any:
        _, kwargs = deferred.trigger.serialize()
        stored = deserialize(json.loads(json.dumps(serialize(kwargs))))
        trigger = type(deferred.trigger)(**stored)

        event = asyncio.run(asyncio.wait_for(anext(trigger.run()), 60))
        payload = json.loads(json.dumps(event.payload))
        return sensor.resume_execution(deferred.method_name, {"event": payload}, task.context)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.polls += 1
        if self.polls > 500:
            raise TimeoutError
        self.change(self.polls)

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def sleep(seconds: float) -> None:
            self._pause(seconds)
            await asyncio.sleep(0)

        monkeypatch.setattr("ds_provider.triggers.polling.asyncio", SimpleNamespace(sleep=sleep))
        monkeypatch.setattr("airflow.sdk.bases.sensor.time", SimpleNamespace(sleep=self._pause, monotonic=lambda: 0.0))
        monkeypatch.setattr("ds_provider.sensors._base.time", SimpleNamespace(sleep=self._pause))


def asset(name: str = "seen") -> Asset:
    return Asset(name)
