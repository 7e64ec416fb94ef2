"""The example in the guide `test_your_dags.md` is a folder of tests that passes as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.guides import blocks_of

pytestmark = pytest.mark.integration


def test_example_of_tests_passes(tmp_path: Path) -> None:
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
