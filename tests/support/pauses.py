"""Pauses of one module cut short, and of no other: a server that a test left running in this process sleeps too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest


def cut_short(monkeypatch: pytest.MonkeyPatch, module: str, name: str, sleep: Callable[[float], object]) -> None:
    """Have a module see another ``sleep``.

    :param module: the one that sleeps.
    :param name: by which module it does, ``time`` or ``asyncio``.
    """
    stand_in = ModuleType(name)
    stand_in.__dict__.update(vars(sys.modules[name]), sleep=sleep)
    monkeypatch.setattr(f"{module}.{name}", stand_in)
