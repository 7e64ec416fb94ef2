"""GraphQL operations and fragments, in files that any GraphQL tool can read.

The server picks the types of champs and demandeurs by the fragments that it finds in the document. So the fragments are
always the same, and the landed types are stable from one run to the next.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_DEFINITION = re.compile(r"^(?:fragment|query) (\w+)", re.MULTILINE)
_SPREAD = re.compile(r"\.\.\.(\w+)\b")


@cache
def load(name: str) -> str:
    """Return the operation in ``<name>.graphql``, followed by the fragments that it spreads."""
    return complete(_read(f"{name}.graphql"))


def complete(operation: str) -> str:
    """Return an operation, followed by the fragments that it spreads."""
    local = set(_DEFINITION.findall(operation))
    needed = _closure(_SPREAD.findall(operation)) - local
    return "\n".join([operation, *(_fragments()[fragment] for fragment in sorted(needed))])


def _read(file: str) -> str:
    text = files(__name__).joinpath(file).read_text(encoding="utf-8")
    return re.sub(r"^#.*\n+", "", text, flags=re.MULTILINE)


@cache
def _fragments() -> dict[str, str]:
    shared = [entry.name for entry in files(__name__).iterdir() if entry.name.startswith("fragments_")]
    texts = [text for file in shared for text in re.split(r"(?m)^(?=fragment )", _read(file)) if text.strip()]
    return {text.split()[1]: text for text in texts}


def _closure(names: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = [name for name in names if name in _fragments()]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _SPREAD.findall(_fragments()[name])
    return found
