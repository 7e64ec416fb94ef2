"""Commands of ``airflow ds``, run in the test's own process, and the comparison of outputs with what a page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """A command that ended.

    :ivar code: its exit code.
    """

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows that it printed with ``--output json``."""
        rows: list[dict[str, Any]] = json.loads(self.out)
        return rows

    @property
    def error(self) -> str:
        """The one line in which it says what is wrong."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("airflow ds ")]
        return line


Run = Callable[..., Ran]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``airflow ds`` with arguments as Airflow's own main does."""
    from airflow.cli.cli_parser import get_parser

    def run(*argv: object) -> Ran:
        args = get_parser().parse_args(["ds", *map(str, argv)])
        capsys.readouterr()
        try:
            args.func(args)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ran(code, *capsys.readouterr())

    return run


def _lines(text: str) -> list[str]:
    """Return the lines without the widths of columns."""
    return [re.sub("=+", "=", " ".join(line.split())) for line in text.splitlines() if line.strip()]


def is_as_shown(shown: str, printed: str) -> bool:
    """Compare an output with one in which `…` stands for any text, and on a line of its own for any lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None
