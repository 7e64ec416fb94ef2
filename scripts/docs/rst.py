"""Pieces of reStructuredText and of Markdown, which docstrings and pages are written in."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence


def embedded(rst: str) -> str:
    """Return Markdown that holds reStructuredText."""
    return f"````{{eval-rst}}\n{rst.strip()}\n````\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    """Return a table in reStructuredText, whose cells may hold paragraphs and lists.

    :param widths: of the columns, in proportion to each other.
    """
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in (head, *rows):
        for mark, cell in zip(("* -", *["  -"] * (len(row) - 1)), row, strict=True):
            lines.append(f"   {mark} {textwrap.indent(cell, ' ' * 7).strip()}")
    return "\n".join(lines) + "\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, of cells of one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines) + "\n"


def target(kind: str, name: str) -> str:
    """Return an object of the current module that other pages can refer to, and that shows nothing here.

    :param kind: ``class``, ``function`` or ``exception``.
    """
    return f".. py:{kind}:: {name}\n   :no-typesetting:\n"
