from __future__ import annotations

from typing import Any

import pytest

from tests.support.trigger_service import Service
from tests.support.waits import MODES, Wait


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr("ds_provider.sensors._base.DSHook", service.hook)
    monkeypatch.setattr("ds_provider.triggers.polling.DSHook", service.hook)
    return service


@pytest.fixture(params=MODES)
def wait(request: Any, service: Service, monkeypatch: pytest.MonkeyPatch) -> Wait:
    return Wait(service, monkeypatch, request.param)
