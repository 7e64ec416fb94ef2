"""The first démarche as its page tells it, and pages that say the same in two languages."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.__main__ import OneLineParser, add_arguments
from tests.support.command_line import is_as_shown
from tests.support.documents import DOCS, Block, blocks_in, is_dag, of_reader
from tests.support.terminal import Ended, Terminal
from tests.support.wholeness import assert_tables_are_whole

pytestmark = pytest.mark.integration

TUTORIAL, PREMIERE_DEMARCHE = "tutorials/first_demarche.md", "fr/premiere_demarche.md"
PERSONAL_DATA, DONNEES = "how_to/personal_data.md", "fr/donnees_personnelles.md"
DAY = 86_400
RUN = "airflow dags test my_warehouse\n"
SANDBOX = "airflow ds sandbox "


def blocks_of(page: str) -> list[Block]:
    return list(blocks_in((DOCS / page).read_text(), page))


@pytest.mark.parametrize(("english", "french"), [(TUTORIAL, PREMIERE_DEMARCHE), (PERSONAL_DATA, DONNEES)])
def test_code_is_the_same_in_both_languages(english: str, french: str) -> None:
    def code(page: str) -> list[tuple[str, str, str]]:
        # the comments are in the page's language
        return [(each.mark, each.language, re.sub(r" *(#|--) .*", "", each.text)) for each in blocks_of(page)]

    assert code(english) == code(french)


# ── the first démarche


class Reader:
    """Somebody who does what the tutorial says to those who have no token.

    :ivar host: the option of the connection that they need.
    :ivar token: the token that they paste.
    :ivar codes: the exit code of each command of the last block.
    :ivar output: what they printed, logs included.
    """

    def __init__(self, sandbox: Sandbox, home: Path, terminal: Terminal) -> None:
        self.sandbox, self.home, self._terminal = sandbox, home, terminal
        (self.host,) = re.findall(r"`(--conn-host [^`]+)`", (DOCS / TUTORIAL).read_text())
        self.token = sandbox.token
        self.codes: list[int] = []
        self.output = ""

    def own(self, text: str) -> str:
        """Return a text of the page with the reader's own numbers, folder, service and token."""
        text = text.replace("--conn-type ds", f"--conn-type ds {self.host}")
        return of_reader(text, self.sandbox, (self.home / "landing").as_uri()).replace("$DS_TOKEN", self.token)

    def follow(self, block: Block) -> None:
        """Do what a block says, or check that the last one printed what it shows."""
        if block.mark == "prints":
            assert is_as_shown(f"…\n{self.own(block.text)}\n…", self.output), self.output
        elif block.mark != "not run" and not block.text.startswith(SANDBOX):
            self.do(block.text)
            assert not any(self.codes), self.output

    def do(self, text: str) -> None:
        """Save the file of a DAG, or run a program or commands."""
        text = self.own(text)
        self.codes, self.output = [], ""
        if is_dag(text) and "airflow dags" not in text:
            (self.home / "dags" / "my_warehouse.py").write_text(text)
        elif "import " in text:
            self.output = printed_by(text)
        else:
            ended = [self._run(line) for line in text.splitlines() if not re.match("read |unset ", line)]
            self.codes, self.output = [each.code for each in ended], "".join(each.output for each in ended)

    def _run(self, command: str) -> Ended:
        if command.startswith("airflow "):
            return self._terminal.run(command)
        done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True)
        return Ended(done.returncode, done.stdout + done.stderr)


def printed_by(source: str) -> str:
    with redirect_stdout(StringIO()) as output:
        exec(compile(source, TUTORIAL, "exec"), {})
    return output.getvalue()


def options_of(command: str) -> dict[str, Any]:
    """Return the options of a sandbox that a command of the page starts, but for where it listens."""
    parser = OneLineParser()
    add_arguments(parser)
    options = vars(parser.parse_args(shlex.split(command.removeprefix(SANDBOX))))
    return {name: value for name, value in options.items() if name not in ("host", "port")}


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader who has an empty home of Airflow, and the sandbox that the tutorial starts."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (command,) = (block.text for block in blocks_of(TUTORIAL) if block.text.startswith(SANDBOX))
    with Sandbox(**options_of(command)) as sandbox, Terminal(tmp_path) as terminal:
        yield Reader(sandbox, tmp_path, terminal)


def test_tutorial_ends_with_what_the_service_shows(reader: Reader) -> None:
    *steps, when_red, end = re.split(r"^## ", (DOCS / TUTORIAL).read_text(), flags=re.MULTILINE)
    assert not list(blocks_in(end, TUTORIAL))
    nights = 0
    for block in (block for step in steps for block in blocks_in(step, TUTORIAL)):
        if block.text == RUN and nights:
            reader.sandbox.clock.advance(DAY)
        reader.follow(block)
        if block.text == RUN:
            nights += 1
            assert_tables_are_whole(reader.sandbox, reader.home)
    assert nights == 2

    *printed, renew = blocks_in(when_red, TUTORIAL)
    reader.token = reader.sandbox.state.tokens.expired.value
    reader.do(renew.text)
    assert reader.codes == [0, 0, 1], "the night with a token that has expired is red"
    for block in printed:
        reader.follow(block)
    reader.token = reader.sandbox.token
    reader.sandbox.clock.advance(DAY)
    reader.follow(renew)
    assert_tables_are_whole(reader.sandbox, reader.home)
