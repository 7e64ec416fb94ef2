"""The first démarche as its page tells it, and pages that say the same in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.command_line import is_as_shown
from tests.support.documents import DOCS, Block, blocks_in, copy_airflow_db, is_dag, of_reader
from tests.support.terminal import Terminal
from tests.support.wholeness import assert_tables_are_whole

pytestmark = pytest.mark.integration

TUTORIAL, PREMIERE_DEMARCHE = "tutorials/first_demarche.md", "fr/premiere_demarche.md"
PERSONAL_DATA, DONNEES = "how_to/personal_data.md", "fr/donnees_personnelles.md"
NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))
DAY = 86_400
RUN = "airflow dags test my_warehouse\n"


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
    """Somebody who does what the tutorial says, with the sandbox in the service's place.

    :ivar token: the token that they paste.
    :ivar codes: the exit code of each command of the last block.
    :ivar output: what they printed, logs included.
    """

    def __init__(self, sandbox: Sandbox, home: Path, terminal: Terminal) -> None:
        self.sandbox, self.home, self._terminal = sandbox, home, terminal
        self.token = sandbox.token
        self.codes: list[int] = []
        self.output = ""

    def own(self, text: str) -> str:
        """Return a text of the page with the reader's own numbers, folder, service and token."""
        text = of_reader(text, self.sandbox, (self.home / "landing").as_uri()).replace("$DS_TOKEN", self.token)
        return text.replace("--conn-type ds", f"--conn-type ds --conn-host {self.sandbox.url}")

    def follow(self, block: Block) -> None:
        """Do what a block says, or check that the last one printed what it shows."""
        if block.mark == "prints":
            assert is_as_shown(f"…\n{self.own(block.text)}\n…", self.output), self.output
        elif block.mark != "not run":
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
            commands = [line for line in text.splitlines() if line.startswith("airflow ")]
            ended = [self._terminal.run(command) for command in commands]
            self.codes, self.output = [each.code for each in ended], "".join(each.output for each in ended)


def printed_by(source: str) -> str:
    with redirect_stdout(StringIO()) as output:
        exec(compile(source, TUTORIAL, "exec"), {})
    return output.getvalue()


@pytest.fixture
def reader(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader whose sandbox is the one that printed what the tutorial shows."""
    copy_airflow_db(tmp_path)
    (tmp_path / "dags").mkdir()
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    with Sandbox(groupes=3, dossiers=40, now=NOW, rate_limit=0) as sandbox, Terminal(tmp_path) as terminal:
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
