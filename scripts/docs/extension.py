"""Sphinx's side: what is generated takes the place of its mark when a page is read."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from scripts.docs import class_pages, error_page, fact_pages, table_page

_MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)

GENERATED: dict[str, Callable[[], str]] = {
    "champ_types": table_page.champ_types,
    "connection_types": fact_pages.connection_types,
    "error_facts": error_page.facts,
    "errors": error_page.errors,
    "example_dags": fact_pages.example_dags,
    "hooks": class_pages.hooks,
    "manifest": fact_pages.manifest,
    "operators": class_pages.operators,
    "part": fact_pages.part,
    "pipelines": class_pages.pipelines,
    "sensors": class_pages.sensors,
    "table_overview": table_page.overview,
    "tables": table_page.tables,
    "triggers": class_pages.triggers,
    "wide_columns": table_page.wide_columns,
}


def expand(text: str) -> str:
    """Return a page with what its marks stand for.

    :raises KeyError: naming a mark that stands for nothing.
    """
    return _MARK.sub(lambda mark: GENERATED[mark[1]](), text)


def expand_page(app: Sphinx, name: str, content: list[str]) -> None:
    """Expand a page as Sphinx reads it."""
    content[0] = expand(content[0])
    if "<!-- generated:" in content[0]:
        raise ValueError(f"{name}: a mark stands alone on its line")


def is_no_empty_glob(record: logging.LogRecord) -> bool:
    """Return false for the warning of a list of pages that is empty yet. A page that no list has is a warning still."""
    return "didn't match any documents" not in record.getMessage()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    logging.getLogger("sphinx.sphinx.directives.other").addFilter(is_no_empty_glob)
    # what a command writes there is shown as it is
    app.add_lexer("stderr", TextLexer)
    app.connect("source-read", expand_page)
    # what a command prints there, as the pages name it
    app.add_lexer("stderr", TextLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
