"""The guide to the sandbox: its commands run as written, and their answers are those that it prints."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ds_provider.sandbox.http.faults import NAMES, Fault
from ds_provider.sandbox.options import OPTIONS

GUIDE = (Path(__file__).parents[3] / "docs" / "reference" / "sandbox.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|json|python)\n(.*?)```", GUIDE, re.DOTALL)
MARK = "==next=="

pytestmark = pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl")


def commands() -> list[tuple[str, Any]]:
    """Return the commands, each with the answer that the guide prints."""
    pairs = itertools.pairwise(BLOCKS)
    return [(text, json.loads(answer)) for (kind, text), (after, answer) in pairs if (kind, after) == ("sh", "json")]


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def ready(port: int) -> Iterator[Any]:
    """Start the sandbox with the guide's first command, on a free port, and return the line that it prints."""
    command = f"exec {commands()[0][0].replace('9999', str(port))}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    with subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def is_as_printed(printed: Any, answer: Any) -> bool:
    """Compare an answer with one in which `…` stands for any text."""
    if isinstance(printed, dict) and isinstance(answer, dict):
        return printed.keys() == answer.keys() and all(is_as_printed(printed[key], answer[key]) for key in printed)
    if isinstance(printed, list) and isinstance(answer, list):
        return len(printed) == len(answer) and all(map(is_as_printed, printed, answer))
    if isinstance(printed, str) and isinstance(answer, str):
        return re.fullmatch(re.escape(printed).replace("…", ".+"), answer) is not None
    return bool(printed == answer)


def test_commands_print_the_answers_that_the_guide_shows(ready: Any, port: int) -> None:
    (_, started), *rest = commands()
    assert len(rest) > 6
    script = f"\necho {MARK}\n".join(text for text, _ in rest).replace("9999", str(port))
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True, timeout=60)
    answers = [json.loads(text) for text in done.stdout.split(MARK)]
    started["url"] = started["url"].replace("9999", str(port))
    for printed, answer in zip([started, *(shown for _, shown in rest)], [ready, *answers], strict=True):
        assert is_as_printed(printed, answer), answer


def test_each_command_of_the_guide_is_run() -> None:
    assert len(commands()) == sum(kind == "sh" for kind, _ in BLOCKS)


def test_python_example_runs() -> None:
    (example,) = (text for kind, text in BLOCKS if kind == "python")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith(" [7010]\n")


def test_guide_has_each_option_with_its_default_and_meaning() -> None:
    rows = [f"| `--{each.name}` | {each.shown_default or each.default} | {each.meaning} |" for each in OPTIONS]
    assert "\n".join(rows) in GUIDE


def test_guide_has_each_fault_and_its_parameters() -> None:
    for name in (*NAMES, *vars(Fault())):
        assert f"`{'from' if name == 'first' else name}`" in GUIDE
