"""A terminal in which one process runs Airflow's commands one after another: its start takes longer than most of them.

As a module it is that process: it reads an argument list in JSON a line, and ends the output of each with its code.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[2]
_END = "==end of command=="


class Ended(NamedTuple):
    """A command that ended: its exit code, and all that it printed."""

    code: int
    output: str


class Terminal:
    """Terminal with an Airflow home of its own.

    :param home: the home, with Airflow's database in it.
    """

    def __init__(self, home: Path) -> None:
        own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "COLUMNS": "400"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=CHECKOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")} | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *args: object) -> None:
        self._process.communicate(timeout=30)

    def run(self, command: str) -> Ended:
        """Run a command of Airflow."""
        assert self._process.stdin
        assert self._process.stdout
        name, *argv = shlex.split(command, comments=True)
        assert name == "airflow"
        self._process.stdin.write(f"{json.dumps(argv)}\n")
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            if line.startswith(_END):
                return Ended(int(line.removeprefix(_END)), "".join(printed))
            printed.append(line)
        raise AssertionError(f"{command} ended its process: {''.join(printed)}")


def serve() -> None:
    """Run the commands of the standard input."""
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    for line in sys.stdin:
        code = 0
        try:
            arguments = parser.parse_args(json.loads(line))
            arguments.func(arguments)
        except SystemExit as ended:
            # as Python does at the end of a process
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
            print(ended.code or "")
        sys.stderr.flush()
        print(f"\n{_END}{code}", flush=True)


if __name__ == "__main__":
    serve()
