from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from ds_provider.landing import parts
from tests.support.landing_pages import zone_at


@pytest.fixture
def zone(tmp_path: Path) -> ObjectStoragePath:
    return zone_at(tmp_path / "zone")


@pytest.fixture
def one_page_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    monkeypatch.setattr(parts, "REMOTE_PART_BYTES", 1)
