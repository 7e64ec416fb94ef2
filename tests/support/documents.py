"""Code blocks of the documentation: which there are, how each is run, and the reader's own numbers in them.

A block is run by its language, unless a comment of HTML above it says otherwise:

``<!-- not run: <reason> -->``
    it is for reading, since it cannot run here.
``<!-- run by: tests/<file>.py::<test> -->``
    a test of its own runs it. That test names the page.
``<!-- prints -->``
    it is what the block before it prints; ``…`` stands for any text.

The same marks above the title of a page, with ``page`` before them, are for all its blocks.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from ds_provider.sandbox import Sandbox

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"

_NEXT = "==next=="
_MARK = re.compile(r"<!-- (?P<page>page )?(?P<kind>not run|run by|prints)(?:: (?P<text>.+?))? -->", re.DOTALL)
# of Sphinx alone: what they hold is no code to run
_DIRECTIVES = ("{toctree}", "{eval-rst}", "{literalinclude}", "{container}", "{note}", "{warning}", "{tip}", "{figure}")


@dataclass(frozen=True)
class Block:
    """Code block of a page.

    :param page: the path of the page below ``docs``.
    :param position: of the block among those of the page, from 1.
    :param language: of its fence; empty if it has none.
    :param mark: the kind of the mark above it; empty if it has none.
    :param why: the text of that mark.
    """

    page: str
    position: int
    language: str
    text: str
    mark: str = ""
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.page}-{self.position}"


@cache
def blocks(folder: Path = DOCS) -> tuple[Block, ...]:
    """Return all code blocks of the pages of a folder."""
    pages = sorted(folder.rglob("*.md"))
    return tuple(block for page in pages for block in blocks_in(page.read_text(), str(page.relative_to(folder))))


def blocks_in(text: str, page: str) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    of_page = next((mark for mark in _MARK.finditer(text) if mark["page"]), None)
    mark, position = None, 0
    for token in MarkdownIt().parse(text):
        if token.type == "html_block":
            mark = _MARK.search(token.content)
        elif token.type in ("fence", "code_block"):
            if not token.info.strip().startswith(_DIRECTIVES):
                position += 1
                used = mark or of_page
                kind, why = (used["kind"], used["text"] or "") if used else ("", "")
                yield Block(page, position, token.info.strip(), token.content, kind, why)
            mark = None
        elif token.type not in ("inline", "paragraph_open", "paragraph_close"):
            mark = None


def parametrize(name: str, found: Sequence[Any]) -> Any:
    """Run a test for each of some blocks, or pages."""
    return pytest.mark.parametrize(name, found, ids=lambda one: getattr(one, "id", one))


def dags() -> list[Block]:
    """Return the blocks that are files of DAGs."""
    return [block for block in run_by_language("python") if is_dag(block.text)]


def snippets() -> list[Block]:
    """Return the other blocks of Python."""
    return [block for block in run_by_language("python") if not is_dag(block.text)]


def run_by_language(language: str) -> list[Block]:
    """Return the blocks of a language that no mark excepts."""
    return [block for block in blocks() if block.language == language and not block.mark]


def printed_after(block: Block) -> str | None:
    """Return what a block prints by the page, or None if the page does not show it."""
    following = (one for one in blocks() if (one.page, one.position) == (block.page, block.position + 1))
    return next((one.text for one in following if one.mark == "prints"), None)


def is_as_printed(printed: str, output: str) -> bool:
    """Compare an output, empty lines apart, with one in which ``…`` stands for any text."""
    shown, came = ("\n".join(filter(str.strip, text.splitlines())) for text in (printed, output))
    return re.fullmatch(re.escape(shown).replace("…", ".*"), came, re.DOTALL) is not None


def of_reader(text: str, sandbox: Sandbox, destination: str) -> str:
    """Return a block with the reader's own démarche, groups, landing zone, token and address in it.

    In the pages 54321 is a démarche, and so is any number of five digits after the word; the other numbers of five
    digits that begin with 123 are groups. The token is ``<token>``, and the sandbox listens at port 9999.
    """
    text = re.sub(r"(?<=emarche)([_-]?(?:number)?[\s=:]*[\[(]?)\d{5}\b", rf"\g<1>{sandbox.demarche}", text)
    text = text.replace("54321", str(sandbox.demarche)).replace("file:///data/ds", destination)
    for example, number in zip(("12345", "12346", "12347"), sandbox.groupes, strict=False):
        text = text.replace(example, str(number))
    port = sandbox.url.rpartition(":")[2].partition("/")[0]
    return text.replace("<token>", sandbox.token).replace("127.0.0.1:9999", f"127.0.0.1:{port}")


def dags_in(source: str, folder: Path) -> list[Any]:
    """Return the DAGs that a text defines, with no retries, which would wait for minutes."""
    from airflow.dag_processing.dagbag import DagBag

    file = folder / "example.py"
    file.write_text(source)
    bag = DagBag(dag_folder=str(file), bundle_name="dags-folder")
    assert not bag.import_errors
    for task in (task for dag in bag.dags.values() for task in dag.tasks):
        task.retries = 0
    return list(bag.dags.values())


def is_dag(text: str) -> bool:
    """Return true if a text is a DAG's file for Airflow, which looks for these two words."""
    return "airflow" in text.lower() and re.search(r"\bdag\b|Dag\(|\bDAG\b", text) is not None


def run_commands(scripts: Sequence[str], folder: Path) -> list[str]:
    """Run scripts one after another in one shell, with a folder as Airflow's home, and return what each prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"\necho {_NEXT}\n".join(scripts)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **own},
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(_NEXT)


def copy_airflow_db(home: Path) -> None:
    """Copy the tests' database of Airflow to another home: to make one takes longer than most commands."""
    from airflow import settings

    # not as a file: a part of it is in a log beside it
    source, target = (sqlite3.connect(folder / "airflow.db") for folder in (Path(settings.AIRFLOW_HOME), home))
    with closing(source), closing(target):
        source.backup(target)
