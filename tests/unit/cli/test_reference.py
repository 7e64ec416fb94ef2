"""The reference of the command line: its commands run as written and print what it shows."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ds_provider.cli.definition import EXIT_CODES, get_ds_cli_commands
from ds_provider.sandbox import Sandbox
from tests.support.command_line import Run, is_as_shown

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "command_line.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def examples() -> Iterator[tuple[str, str, str]]:
    """Yield the commands, each with the stream and the text that the page prints."""
    for (kind, command), (stream, shown) in itertools.pairwise(BLOCKS):
        if kind == "sh":
            yield command, stream, shown


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox that the page starts."""
    now = datetime.fromisoformat("2026-11-24T12:00:00+01:00")
    with Sandbox(groupes=3, dossiers=120, now=now, rate_limit=0) as running:
        yield running


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Airflow's home, by a short path: a long one would not fit a line."""
    with TemporaryDirectory() as folder:
        monkeypatch.setenv("AIRFLOW_HOME", folder)
        yield Path(folder)


def test_comparison_sees_a_difference() -> None:
    assert is_as_shown("a | b\n==+==\n…\nz … 1\n", "a   | b\n====+===\nx\ny\nz 7 1\n\n")
    assert not is_as_shown("a | b\nz\n", "a | b\ny\nz\n")
    assert not is_as_shown("a 1\n", "a 2\n")


@pytest.mark.parametrize(("command", "stream", "shown"), tuple(examples()), ids=lambda text: text[:30].strip())
def test_command_prints_what_the_page_shows(
    ds: Run, sandbox: Sandbox, home: Path, load_all, command: str, stream: str, shown: str
) -> None:
    airflow, group, *argv = shlex.split(command.replace("/data/ds", str(home / "zone")))
    assert (airflow, group) == ("airflow", "ds")
    if argv[0] == "status":
        load_all()
    ran = ds(*argv)
    printed = ran.error if stream == "stderr" else ran.out
    here = {str(home / "zone"): "/data/ds", sandbox.url: "http://127.0.0.1:9999/api/v2/graphql"}
    for place, there in here.items():
        printed = printed.replace(place, there)
    assert is_as_shown(shown, printed), printed


def test_page_has_each_command_and_each_exit_code() -> None:
    (group,) = get_ds_cli_commands()
    for command in group.subcommands:  # type: ignore[union-attr]
        assert f"\n## {command.name}\n" in PAGE
        assert f"](#{command.name})" in PAGE
    for code in re.findall(r"^  (\d+)", EXIT_CODES, re.MULTILINE):
        assert f"\n| {code} | " in PAGE
