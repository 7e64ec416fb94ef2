"""Docstrings of the provider: their text, and the fields of reStructuredText below it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

_FIELD = re.compile(r"^:(?P<kind>param|returns|raises|xcom|ivar)(?: (?P<name>[^:]+))?: (?P<text>.*)$")
_TEMPLATED = re.compile(r"\s*\(templated(,\s+like all that follow)?\)")


@dataclass
class Docstring:
    """Parts of a docstring, each reStructuredText of one or more lines.

    :param summary: the first paragraph.
    :param body: what stands between it and the fields.
    :param params: the text of each parameter, in order.
    :param returns: the value that is returned.
    :param xcoms: the text of each further XCom, by its key.
    :param raises: when each error is raised.
    """

    summary: str = ""
    body: str = ""
    params: dict[str, str] = field(default_factory=dict)
    returns: str = ""
    xcoms: dict[str, str] = field(default_factory=dict)
    raises: dict[str, str] = field(default_factory=dict)


def docstring_of(thing: Any) -> Docstring:
    """Return the docstring of a class or function, which may not be an inherited one.

    :raises ValueError: if it has none.
    """
    if not (text := thing.__doc__):
        raise ValueError(f"{thing.__name__} has no docstring")
    prose, fields = _split(inspect.cleandoc(text))
    summary, _, body = prose.partition("\n\n")
    parsed = Docstring(summary.strip(), body.strip())
    for kind, name, value in fields:
        _add(parsed, kind, name, value)
    return parsed


def paragraph(body: str, label: str) -> str:
    """Return the paragraph that begins with a label such as ``What to do:``, without it; empty if there is none."""
    for text in body.split("\n\n"):
        if text.startswith(f"{label}: "):
            return text.removeprefix(f"{label}: ")
    return ""


def _split(text: str) -> tuple[str, list[tuple[str, str, str]]]:
    prose: list[str] = []
    fields: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if match := _FIELD.match(line):
            fields.append((match["kind"], match["name"] or "", [match["text"]]))
        elif fields and (not line or line.startswith(" ")):
            fields[-1][2].append(line.strip())
        else:
            prose.append(line)
    return "\n".join(prose), [(kind, name, "\n".join(lines).strip()) for kind, name, lines in fields]


def _add(parsed: Docstring, kind: str, name: str, text: str) -> None:
    if kind == "returns":
        parsed.returns = text
    elif kind == "param":
        parsed.params[name] = _TEMPLATED.sub("", text)
    elif kind in ("raises", "xcom"):
        {"raises": parsed.raises, "xcom": parsed.xcoms}[kind][name] = text
