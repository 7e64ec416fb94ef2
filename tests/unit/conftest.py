from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.operator_service import Service
from tests.support.operator_warehouse import GROUPES, Hooks, World
from tests.support.quick_warehouse import QuickWarehouse


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr("ds_provider.operators._base.DSHook", service.hook)
    return service


@pytest.fixture
def destination(tmp_path: Path) -> str:
    return f"file://{tmp_path}/zone"


@pytest.fixture
def world(service: Service) -> World:
    """Ten dossiers in each of two groups, to the operators that read and load."""
    world = World(service)
    for groupe in GROUPES:
        for number in range(groupe * 100, groupe * 100 + 10):
            world.show(number, groupe)
    return world


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Hooks:
    hooks = Hooks(QuickWarehouse())
    monkeypatch.setattr("ds_provider.operators._parameters.DSWarehouseHook", hooks)
    return hooks


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines that were logged since the last call, whichever way they went."""

    def read() -> list[str]:
        captured = capfd.readouterr()
        said = [line for line in (captured.out + captured.err).splitlines() if "outside of the Task Runner" not in line]
        said += [record.getMessage() for record in caplog.records]
        caplog.clear()
        # a line of Airflow's has a date and a level before it, and the logger's name after it
        return [re.sub(r"^\S+ \[\w+ *\] (.*?) *\[[\w.]+\].*", r"\1", line) for line in said]

    return read
