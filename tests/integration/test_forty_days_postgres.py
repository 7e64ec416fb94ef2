"""A warehouse in Postgres, kept for forty days."""

from __future__ import annotations

from pathlib import Path

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.databases import Postgres
from tests.support.forty_days import check_forty_days

pytestmark = pytest.mark.integration


@pytest.mark.usefixtures("no_pauses")
def test_postgres_has_not_drifted_after_forty_days(
    living_sandbox: Sandbox, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_forty_days(living_sandbox, Postgres(postgres, tmp_path, monkeypatch), tmp_path)
