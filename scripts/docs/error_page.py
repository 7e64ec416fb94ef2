"""Page of errors: each with its cause and its remedy, in the order of their tree."""

from __future__ import annotations

from collections.abc import Iterator

from ds_provider import exceptions
from ds_provider.exceptions import DSError
from ds_provider.retry_policy import PERMANENT_ERRORS
from scripts.docs.docstrings import docstring_of, paragraph
from scripts.docs.rst import embedded, table, target

REMEDY = "What to do"
RETRIES = {
    True: "Ends the task at once: no retry would change anything.",
    False: "The task is tried again as often as its retries allow.",
}


def errors() -> str:
    """Return the table of all errors, and the section of each."""
    kinds = list(tree(DSError))
    return "\n".join([embedded(_overview(kinds)), *(_section(kind, depth) for kind, depth in kinds)])


def facts() -> str:
    """Return the table of the facts that each error has."""
    rows = [(f"``{name}``", text) for name, text in docstring_of(DSError).params.items()]
    parts = [f".. py:module:: {exceptions.__name__}", target("exception", DSError.__name__)]
    return embedded("\n\n".join([*parts, table(("Attribute", "Meaning"), rows, (30, 70))]))


def tree(parent: type[DSError], depth: int = 0) -> Iterator[tuple[type[DSError], int]]:
    """Yield the errors below one, each before its children, with its depth."""
    for kind in parent.__subclasses__():
        # an error that ends a task at once is raised as a class of its own, which has the name of this one
        if getattr(exceptions, kind.__name__) is kind:
            yield kind, depth
            yield from tree(kind, depth + 1)


def _overview(kinds: list[tuple[type[DSError], int]]) -> str:
    rows = [(f"{'→ ' * depth}:exc:`~{_name(kind)}`", docstring_of(kind).summary) for kind, depth in kinds]
    return table(("Error", "What happened"), rows, (42, 58))


def _section(kind: type[DSError], depth: int) -> str:
    docstring = docstring_of(kind)
    remedy = f"**{REMEDY}:** {paragraph(docstring.body, REMEDY)}"
    retried = f"*{RETRIES[issubclass(kind, PERMANENT_ERRORS)]}*"
    own_facts = "\n".join(f"- ``{name}``: {text}" for name, text in docstring.params.items())
    parts = [target("exception", kind.__name__), docstring.summary, remedy, retried, own_facts]
    heading = f"{'#' * min(depth + 2, 4)} {kind.__name__}"
    return f"{heading}\n\n{embedded(chr(10).join(f'{part}{chr(10)}' for part in parts))}"


def _name(kind: type[DSError]) -> str:
    return f"{kind.__module__}.{kind.__name__}"
