"""Language of each page: those in ``fr/`` say that they are French, for browsers and readers of screens."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

FRENCH = "fr/"


def set_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page of a folder of another language its own ``lang``."""
    if page.startswith(FRENCH):
        context["language"] = "fr"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", set_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
