"""The how-to guides: their blocks, and a service and an Airflow for their readers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from airflow import settings

from ds_provider.sandbox import Sandbox
from tests.support.documents import Block, blocks
from tests.support.sandboxes import connect

NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))


def blocks_of(page: str, language: str) -> list[Block]:
    """Return the blocks of a guide that a test of its own runs, in a language."""
    return [block for block in _run(page) if block.language == language]


def block_with(page: str, text: str) -> Block:
    """Return the one of them that holds a text."""
    (block,) = (block for block in _run(page) if text in block.text)
    return block


def _run(page: str) -> Iterator[Block]:
    return (block for block in blocks() if block.page == f"how_to/{page}" and block.mark == "run by")


@contextmanager
def connected_service() -> Iterator[Sandbox]:
    """Serve a small world, connected as ``ds_default``."""
    world = Sandbox(seed=17, groupes=3, dossiers=30, now=NOW, rate_limit=0)
    with world as running, pytest.MonkeyPatch.context() as patch:
        connect(running, patch)
        yield running


def copy_airflow_db(home: Path) -> None:
    """Copy the tests' database of Airflow to another home: to make one takes longer than most commands."""
    # not as a file: a part of it is in a log beside it
    source, target = (sqlite3.connect(folder / "airflow.db") for folder in (Path(settings.AIRFLOW_HOME), home))
    with closing(source), closing(target):
        source.backup(target)
