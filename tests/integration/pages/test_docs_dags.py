"""DAGs in the documentation, run as they stand in a real Airflow, end with what the service shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.documents import Block, dags, dags_in, parametrize
from tests.support.wholeness import assert_end

pytestmark = pytest.mark.integration


@parametrize("block", dags())
def test_dag_ends_with_what_the_service_shows(
    block: Block, readers_sandbox: Sandbox, reader: Callable[[str], str], run_dag: Any, tmp_path: Path
) -> None:
    text, now = reader(block.text), readers_sandbox.clock.now
    for dag in dags_in(text, tmp_path):
        assert run_dag(dag, logical_date=now, run_after=now).state == "success"
    assert assert_end(readers_sandbox, tmp_path, text), "a DAG that lands nothing needs a test of its own"
