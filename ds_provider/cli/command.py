"""Frame of each command: data to the standard output, all else to the standard error, and exit codes for scripts."""

from __future__ import annotations

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider.exceptions import (
    DSAccessError,
    DSConfigurationError,
    DSDestinationError,
    DSEndpointError,
    DSError,
    DSGroupesFailedError,
    DSRequestError,
    DSTokenError,
    DSTransientError,
    DSTransportError,
    DSWarehouseError,
    DSWarehouseRightsError,
)

OK, WRONG, CANNOT_WORK, REFUSED, OUT_OF_REACH, INTERRUPTED = 0, 1, 2, 3, 4, 130

# by the first class that an error is of
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((DSAccessError, DSWarehouseRightsError), REFUSED),
    ((DSTransientError, DSWarehouseError, DSDestinationError), OUT_OF_REACH),
    ((DSConfigurationError, DSRequestError, AirflowNotFoundException), CANNOT_WORK),
)
# what the connection or the network may be the cause of
_CHECKED = (DSTokenError, DSEndpointError, DSTransportError)

Row = dict[str, Any]


def command(run: Callable[[Namespace], int | None]) -> Callable[[Namespace], None]:
    """Make a command of a function: its errors become one line and an exit code.

    A reader that reads no more, as ``head`` does, is no error: the rest of the output is for nobody.

    :param run: takes the parsed options, and returns an exit code if it is not 0.
    """

    @wraps(run)
    def main(args: Namespace) -> None:
        # as Airflow's own commands do: without it, connections in Airflow's database are not looked for
        os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
        code = OK
        try:
            code = _run(run, args)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
        if code:
            sys.exit(code)

    return main


def _run(run: Callable[[Namespace], int | None], args: Namespace) -> int:
    """Return the exit code of a command, once its error is printed if there is one."""
    try:
        with logs_on_stderr():
            return run(args) or OK
    except KeyboardInterrupt:
        return _fail(run.__name__, "interrupted", INTERRUPTED)
    except (DSError, AirflowNotFoundException) as error:
        return _fail(run.__name__, message_of(error, run.__name__), exit_code(error))


def _discard_output() -> None:
    """Let what is still to be printed go nowhere: the interpreter itself flushes it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def exit_code(error: Exception) -> int:
    """Return the exit code that an error stands for; of several groups the one that all their errors stand for."""
    if isinstance(error, DSGroupesFailedError):
        codes = {exit_code(failure) for failure in error.failures.values()}
        return codes.pop() if len(codes) == 1 else WRONG
    return next((code for classes, code in _CODES if isinstance(error, classes)), WRONG)


def message_of(error: Exception, name: str) -> str:
    """Return an error in one line, with what else a person can do.

    :param name: the command's.
    """
    text = " ".join(str(error).split())
    if isinstance(error, AirflowNotFoundException):
        return f"{text}: 'airflow connections list' shows those that are, 'airflow connections add' adds one"
    if isinstance(error, _CHECKED) and name != "check":
        return f"{text}; 'airflow ds check {getattr(error, 'connection', None) or ''}".rstrip() + "' looks at each step"
    return text


def _fail(name: str, message: str, code: int) -> int:
    say(f"airflow ds {name}: {message}")
    return code


def say(line: str) -> None:
    """Print a line for the person at the terminal, beside the data."""
    print(line, file=sys.stderr, flush=True)


def print_rows(rows: Sequence[Mapping[str, Any]], output: str) -> None:
    """Print rows as Airflow's own commands do. JSON and YAML keep numbers and booleans, which those make texts of.

    :param output: ``table``, ``json``, ``yaml`` or ``plain``.
    """
    from airflow.cli.simple_table import AirflowConsole
    from rich.markup import escape

    console: Any = AirflowConsole()
    # by itself, it would end the command with code 1
    console.on_broken_pipe = _raise_again
    if output == "json":
        console.print_as_json([dict(row) for row in rows])
    elif output == "yaml":
        console.print_as_yaml([dict(row) for row in rows])
    else:
        # a bracket in a cell would be read as a style
        quote = escape if output == "table" else str
        console.print_as([{name: quote(_shown(value)) for name, value in row.items()} for row in rows], output)


def _raise_again() -> None:
    """Let the error that is being handled go on to the command."""
    raise


def _shown(value: object) -> str:
    """Return a value for a cell. A line break would begin another row."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return " ".join(str(value).split())


@contextmanager
def logs_on_stderr(level: int = logging.WARNING) -> Iterator[None]:
    """Show the package's own log lines bare, on the standard error.

    :param level: of the least lines to show.
    """
    package = logging.getLogger("ds_provider")
    handler = logging.StreamHandler(sys.stderr)
    before = package.handlers, package.propagate, package.level
    package.handlers, package.propagate = [handler], False
    package.setLevel(level)
    # each request would be a line
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        yield
    finally:
        package.handlers, package.propagate, package.level = before
