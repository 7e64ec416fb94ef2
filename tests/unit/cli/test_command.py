"""A command's errors are one line and an exit code, and its data is what Airflow's own commands print."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys

import pytest
import yaml
from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider import exceptions
from ds_provider.cli.command import command, exit_code, print_rows
from ds_provider.exceptions import DSError

CODES = {
    exceptions.DSConfigurationError: 2,
    exceptions.DSRequestError: 2,
    exceptions.DSTokenExpiredError: 3,
    exceptions.DSUnauthorizedError: 3,
    exceptions.DSNotFoundError: 3,
    exceptions.DSEndpointError: 3,
    exceptions.DSWarehouseRightsError: 3,
    exceptions.DSTransportError: 4,
    exceptions.DSMaintenanceError: 4,
    exceptions.DSBudgetError: 4,
    exceptions.DSWarehouseLockedError: 4,
    exceptions.DSDestinationError: 4,
    exceptions.DSStaleError: 1,
    exceptions.DSQuarantinedError: 1,
    exceptions.DSGroupesFailedError: 1,
}


def end_of(error: BaseException, capsys: pytest.CaptureFixture[str], name: str = "groupes") -> tuple[int, str]:
    def run(args: argparse.Namespace) -> None:
        raise error

    run.__name__ = name
    with pytest.raises(SystemExit) as ended:
        command(run)(argparse.Namespace())
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.fixture(autouse=True)
def _context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")


@pytest.mark.parametrize(("kind", "code"), CODES.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_kind_of_error_has_its_exit_code(kind: type[DSError], code: int) -> None:
    assert exit_code(kind("x")) == code


NOT_FOUND, DOWN = exceptions.DSNotFoundError("x"), exceptions.DSTransportError("x")


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([NOT_FOUND], 3),
        ([NOT_FOUND, exceptions.DSUnauthorizedError("x")], 3),
        ([DOWN, exceptions.DSMaintenanceError("x")], 4),
        ([NOT_FOUND, DOWN], 1),
    ],
)
def test_several_groups_have_the_exit_code_that_their_errors_share(failures: list[DSError], code: int) -> None:
    kind = exceptions.DSGroupesFailedError if DOWN in failures else exceptions.DSGroupesRefusedError
    assert exit_code(kind("x", dict(enumerate(failures)))) == code


# Python itself prints what it cannot flush at its end: it takes a process of its own
COMMAND = """
import sys
from argparse import Namespace
from ds_provider.cli.command import command, print_rows
from ds_provider.exceptions import DSStaleError

@command
def status(args):
    sys.stdin.read()
    {printed}

status(Namespace())
"""


@pytest.mark.parametrize(
    ("printed", "code", "error"),
    [
        ("print('a line')", 0, ""),
        ("print('a line\\n' * 100_000)", 0, ""),
        ("print_rows([{'number': 7}], 'table')", 0, ""),
        ("print('a line'); raise DSStaleError('too old')", 1, "airflow ds status: too old\n"),
    ],
    ids=["at the end", "within", "rows", "with an error"],
)
def test_reader_that_ends_first_is_no_error(printed: str, code: int, error: str) -> None:
    script = [sys.executable, "-c", COMMAND.format(printed=printed)]
    # some machines have it unbuffered, and a terminal's user has not
    env, pipe = os.environ | {"PYTHONUNBUFFERED": ""}, subprocess.PIPE
    with subprocess.Popen(script, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == error
    assert process.returncode == code


def test_error_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = end_of(exceptions.DSNotFoundError("nothing there:\n  check the number"), capsys)
    assert code == 3
    assert err == "airflow ds groupes: nothing there: check the number\n"


def test_error_of_the_token_names_the_command_that_looks_closer(capsys: pytest.CaptureFixture[str]) -> None:
    error = exceptions.DSTokenExpiredError("expired", connection="ds_other")
    assert "'airflow ds check ds_other'" in end_of(error, capsys)[1]
    assert "airflow ds check ds_other" not in end_of(error, capsys, name="check")[1]


def test_missing_connection_is_an_error_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = end_of(AirflowNotFoundException("The conn_id `nix` isn't defined"), capsys)
    assert code == 2
    assert "airflow connections add" in err


def test_interrupt_has_the_exit_code_of_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert end_of(KeyboardInterrupt(), capsys) == (130, "airflow ds groupes: interrupted\n")


def test_bug_is_not_taken_for_an_error_of_the_user() -> None:
    def run(args: argparse.Namespace) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        command(run)(argparse.Namespace())


def test_command_leaves_the_logging_of_its_process_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    package = logging.getLogger("ds_provider")
    before = package.handlers, package.propagate, package.level

    def run(args: argparse.Namespace) -> None:
        logging.getLogger("ds_provider.api").warning("trying again")
        logging.getLogger("ds_provider.api").info("a detail")

    command(run)(argparse.Namespace())
    assert (package.handlers, package.propagate, package.level) == before
    assert capsys.readouterr().err == "trying again\n"


ROWS = [
    {"number": 7, "label": "a [red]bracket[/red]\nand a line", "closed": False, "unread": [1, 2], "end": None},
    {"number": 8, "label": "é" * 300, "closed": True, "unread": [], "end": "x"},
]


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_data_for_scripts_keeps_numbers_and_booleans(output, read, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, output)
    assert read(capsys.readouterr().out) == ROWS


@pytest.mark.parametrize("output", ["table", "plain"])
def test_tables_show_texts_as_they_are(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS[:1], output)
    shown = capsys.readouterr().out
    assert "a [red]bracket[/red] and a line" in shown
    assert "1, 2" in shown
    assert "None" not in shown
    assert "False" not in shown
