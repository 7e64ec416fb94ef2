"""Shorten the pauses of one module alone: a server that runs in the same process sleeps too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest


def skip_pauses_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither client pause between two attempts."""

    async def doze(seconds: float) -> None:
        pass

    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", lambda seconds: None)
    cut_short(monkeypatch, "ds_provider.api.transport.client", "asyncio", doze)


def cut_short(monkeypatch: pytest.MonkeyPatch, module: str, name: str, sleep: Callable[[float], object]) -> None:
    """Replace ``sleep`` in a module.

    :param module: the module that sleeps.
    :param name: the module whose ``sleep`` it calls, ``time`` or ``asyncio``.
    """
    stand_in = ModuleType(name)
    stand_in.__dict__.update(vars(sys.modules[name]), sleep=sleep)
    monkeypatch.setattr(f"{module}.{name}", stand_in)
