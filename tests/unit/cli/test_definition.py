"""The commands have help, and no airflow command pays for those that it does not run."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from airflow.cli.cli_config import ActionCommand

from ds_provider.api.query.selection import Includes
from ds_provider.cli import definition
from ds_provider.cli.definition import EXIT_CODES, get_ds_cli_commands

NAMES = ["check", "groupes", "describe", "plan", "extract", "dossier", "status", "sandbox"]
HEAVY = ("ds_provider.api", "ds_provider.hooks", "ds_provider.operators", "ds_provider.warehouse", "ds_provider.tables")


def commands() -> dict[str, ActionCommand]:
    (group,) = get_ds_cli_commands()
    return {command.name: command for command in group.subcommands}  # type: ignore[union-attr]


def test_each_command_is_there() -> None:
    assert list(commands()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_what_a_command_takes_and_how_it_ends(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    with pytest.raises(SystemExit) as ended:
        get_parser().parse_args(["ds", name, "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Usage: airflow ds {name}" in shown
    if name != "sandbox":
        assert " ".join(EXIT_CODES.split()) in shown


@pytest.mark.parametrize("name", NAMES)
def test_each_command_runs_a_function_that_exists(name: str) -> None:
    assert callable(getattr(import_module(f"ds_provider.cli.{name}"), name))


def test_parts_of_a_dossier_are_those_of_the_operators_with_their_defaults() -> None:
    parts = {**dict.fromkeys(definition.DEFAULT_PARTS, True), **dict.fromkeys(definition.OTHER_PARTS, False)}
    assert parts == vars(Includes())


def test_definition_of_the_commands_imports_none_of_them() -> None:
    code = f"import sys, ds_provider.cli.definition; print([m for m in sys.modules if m.startswith({HEAVY!r})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("argv", [["groupes"], ["extract", "7"], ["groupes", "7", "-o", "xml"]])
def test_command_that_is_used_wrongly_ends_with_code_2(argv: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    with pytest.raises(SystemExit) as ended:
        get_parser().parse_args(["ds", *argv])
    assert ended.value.code == 2
