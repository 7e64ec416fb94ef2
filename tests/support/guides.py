"""The how-to guides: their blocks, and when they run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from tests.support.documents import Block, blocks

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
