"""The how-to guides: their commands run as they stand, and so does the example of tests in `test_your_dags.md`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.task_groups import DSWarehouseDag
from tests.support.dag_files import DAGS
from tests.support.documents import is_as_printed, of_reader, printed_after, run_commands
from tests.support.guides import blocks_of, connected_service, copy_airflow_db
from tests.support.wholeness import assert_extracts_are_whole

pytestmark = pytest.mark.integration

PAGES = ["install.md", "nightly_warehouse.md", "backfill.md", "stores_and_machines.md", "upgrade.md"]


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    with connected_service() as running:
        yield running


@pytest.fixture
def reader(service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A home and a landing zone of the reader's own, and the function that puts their numbers into a text."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return lambda text: of_reader(text, service, (tmp_path / "landing").as_uri())


@pytest.mark.parametrize("page", PAGES)
def test_commands_end_with_what_the_guide_says(page, airflow_db, service, reader, run_dag, tmp_path):
    """The commands of a guide go on from each other, in one shell, with a warehouse that is loaded."""
    found = blocks_of(page, "sh")
    assert found
    (tmp_path / "dags").mkdir()
    shutil.copy(DAGS / "ds_warehouse_backfill.py", tmp_path / "dags")
    if page == "upgrade.md":
        group = {"groupe_instructeur_number": service.groupes[:1], "destination": (tmp_path / "landing").as_uri()}
        assert run_dag(DSWarehouseDag("before_the_upgrade", **group)).state == "success"
    copy_airflow_db(tmp_path)
    for block, output in zip(found, run_commands([reader(each.text) for each in found], tmp_path), strict=True):
        printed = printed_after(block)
        assert printed is None or is_as_printed(reader(printed), output), output
    if page == "backfill.md":
        assert_extracts_are_whole(service, tmp_path / "landing")


def test_example_of_tests_passes(tmp_path):
    dag, conftest, tests = (block.text for block in blocks_of("test_your_dags.md", "python"))
    files = {"dags/my_warehouse.py": dag, "tests/conftest.py": conftest, "tests/test_my_warehouse.py": tests}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (command,) = (block.text for block in blocks_of("test_your_dags.md", "sh"))
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env={**own, "PATH": path}, timeout=300
    )
    assert re.search(r"^=+ 3 passed", done.stdout, re.MULTILINE), done.stdout
