from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.operators.service import Service


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr("ds_provider.operators.extract.DSHook", service.hook)
    return service


@pytest.fixture
def destination(tmp_path: Path) -> str:
    return f"file://{tmp_path}/zone"
