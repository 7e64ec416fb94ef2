"""Pages of operators, sensors, triggers and task groups: parameters, results, errors, assets."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from ds_provider import exceptions
from scripts.docs.discovery import classes, task_groups
from scripts.docs.docstrings import docstring_of
from scripts.docs.rst import embedded, table, target
from scripts.docs.signatures import defaults_of, emitted_assets, own_outlets, shown_default


def operators() -> str:
    """Return the sections of all operators."""
    return "\n".join(_section(one, [*_results(one), *_assets(one), *_links(one)]) for one in classes("operators"))


def sensors() -> str:
    """Return the sections of all sensors."""
    return "\n".join(_section(one, _results(one)) for one in classes("sensors"))


def triggers() -> str:
    """Return the sections of all triggers."""
    return "\n".join(_section(one, ()) for one in classes("triggers"))


def hooks() -> str:
    """Return the sections of all hooks, with their methods."""
    shown = ".. autoclass:: {}\n   :members:"
    names = [(one.__name__, f"{one.__module__}.{one.__name__}") for one in classes("hooks")]
    return "\n".join(f"## {name}\n\n{embedded(shown.format(path))}" for name, path in names)


def pipelines() -> str:
    """Return the sections of the task groups, and of the DAG and the function beside them."""
    return "\n".join(_section(one, ()) for one in task_groups())


def _section(thing: Any, facts: Iterator[str] | tuple[()]) -> str:
    docstring = docstring_of(thing)
    kind = "class" if inspect.isclass(thing) else "function"
    module = f".. py:currentmodule:: {_import_from(thing)}"
    prose = [module, target(kind, thing.__name__), docstring.summary, docstring.body]
    parts = [*prose, _parameters(thing, docstring.params), *facts, _raises(docstring.raises)]
    imported = f"from {_import_from(thing)} import {thing.__name__}"
    heading = f"## {thing.__name__}\n\n```{{code-block}} python\n{imported}\n```\n"
    return f"{heading}\n{embedded(chr(10).join(f'{part}{chr(10)}' for part in parts))}"


def _import_from(thing: Any) -> str:
    """Return the module that users import it from: a package's face, where it has one."""
    module = str(thing.__module__)
    return module.rpartition(".")[0] if module.startswith("ds_provider.task_groups.") else module


def _parameters(thing: Any, texts: Mapping[str, str]) -> str:
    defaults, templated = defaults_of(thing), getattr(thing, "template_fields", ())
    rows = []
    for name, text in texts.items():
        default = shown_default(defaults[name]) if name in defaults else ""
        rows.append((f"``{name}``", default, f"{text} *Templated.*" if name in templated else text))
    return table(("Parameter", "Default", "Meaning"), rows, (30, 18, 52)) if rows else ""


def _results(operator: type) -> Iterator[str]:
    docstring = docstring_of(operator)
    results = {"return_value": docstring.returns} if docstring.returns else {}
    rows = [(f"``{key}``", text) for key, text in {**results, **docstring.xcoms}.items()]
    if rows:
        yield table(("XCom", "Holds"), rows, (30, 70))


def _assets(operator: type) -> Iterator[str]:
    if own := own_outlets(operator):
        shown = own[0].rpartition("/")[0] + "/<table>"
        names = ", ".join(f"``{uri.rpartition('/')[2]}``" for uri in own)
        yield f"**Assets.** By itself it has ``{shown}`` among its outlets, for the tables {names}."
    if given := emitted_assets(operator):
        makers = " and ".join(f":func:`~ds_provider.assets.{name}`" for name in given)
        yield f"**Assets.** If {makers} of a group is among its outlets, that asset has an event when something landed."


def _links(operator: Any) -> Iterator[str]:
    if links := [f"*{link.name}*" for link in operator.operator_extra_links]:
        yield f"**Links** on the task's page: {', '.join(links)}."


def _raises(texts: Mapping[str, str]) -> str:
    rows = [(f":exc:`~{exceptions.__name__}.{name}`", text) for name, text in texts.items()]
    return table(("Error", "Raised"), rows, (30, 70)) if rows else ""
