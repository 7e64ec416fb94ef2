"""The lesson of the first table: its commands run as they stand, and print what the page shows."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import Block, blocks, is_as_printed, printed_after

pytestmark = pytest.mark.integration

PAGE = "tutorials/first_table.md"
BLOCKS = [block for block in blocks() if block.page == PAGE and block.mark != "not run"]
NEXT = "==next=="


def commands() -> list[Block]:
    return [block for block in BLOCKS if block.language == "sh"]


def block_with(text: str) -> Block:
    (block,) = (block for block in BLOCKS if text in block.text and block.mark != "prints")
    return block


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a reader who has nothing but the package yet."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {**own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def second_terminal(command: str, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Run the sandbox, and yield the line that it prints."""
    with subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        try:
            yield json.loads(run.stdout.readline())
        finally:
            run.kill()


def test_first_table_is_there_and_changes_with_the_second_night(
    environment: dict[str, str], port: str, tmp_path: Path
) -> None:
    sandbox, pipeline = block_with("ds sandbox --port"), block_with("DSWarehouseDag(")
    own = {"9999": port, "/tmp/ds": str(tmp_path / "ds")}

    def of_reader(text: str) -> str:
        for example, value in own.items():
            text = text.replace(example, value)
        return text

    with second_terminal(of_reader(sandbox.text), environment) as line:
        assert is_as_printed(of_reader(printed_after(sandbox) or ""), json.dumps(line))
        own["<token>"] = line["token"]
        (tmp_path / "airflow" / "dags").mkdir(parents=True)
        (tmp_path / "airflow" / "dags" / "my_warehouse.py").write_text(of_reader(pipeline.text))
        typed = [block for block in commands() if block != sandbox]
        script = f"\necho {NEXT}\n".join(of_reader(block.text) for block in typed)
        run = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=400)
    assert done.returncode == 0, done.stderr
    outputs = done.stdout.split(NEXT)
    runs = []
    for block, output in zip(typed, outputs, strict=True):
        if "dags test" in block.text:
            runs.append(output.strip().splitlines()[-1])
        printed = printed_after(block)
        assert printed is None or is_as_printed(of_reader(printed), output), output
    assert ["state=success" in last_line for last_line in runs] == [True, True]


def test_each_block_of_the_lesson_is_run_or_printed() -> None:
    used = [*commands(), block_with("DSWarehouseDag("), *(block for block in BLOCKS if block.mark == "prints")]
    assert sorted(block.position for block in used) == [block.position for block in BLOCKS]
