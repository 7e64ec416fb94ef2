from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.trigger_service import Service


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr("ds_provider.triggers.polling.DSHook", service.hook)
    monkeypatch.setattr("ds_provider.triggers._groups.DSHook", service.hook)
    return service


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Clock:
    """Pauses of the modules under test take no time; what happens at each of them is chosen.

    :ivar slept: how long each pause was to be.
    :ivar at_pause: what is called at a pause, by the count of pauses before it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept: list[float] = []
        self.at_pause: dict[int, Callable[[], Any]] = {}
        fake = SimpleNamespace(sleep=self._sleep)
        monkeypatch.setattr("ds_provider.triggers.polling.asyncio", fake)
        monkeypatch.setattr("ds_provider.triggers.dossiers.asyncio", fake)

    async def _sleep(self, seconds: float) -> None:
        if act := self.at_pause.get(len(self.slept)):
            act()
        self.slept.append(seconds)
        if len(self.slept) > 10_000:
            raise TimeoutError
        await asyncio.sleep(0)
