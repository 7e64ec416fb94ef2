"""Facts of a class that its code holds: defaults, templates, XComs, assets."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

REQUIRED = inspect.Parameter.empty

_EMITTED = re.compile(r"_emit_changes\(context, (\w+_asset)\)")


def defaults_of(thing: Any) -> dict[str, Any]:
    """Return the keyword arguments that the provider's own code takes, each with its default or :data:`REQUIRED`."""
    found: dict[str, Any] = {}
    for function in _constructors(thing):
        for name, one in inspect.signature(inspect.unwrap(function)).parameters.items():
            if one.kind is not inspect.Parameter.VAR_KEYWORD and name != "self":
                found.setdefault(name, one.default)
    return found


def annotations_of(thing: Any) -> dict[str, str]:
    """Return the annotation of each of these arguments, as it is written."""
    constructors = [inspect.signature(inspect.unwrap(one)).parameters.items() for one in _constructors(thing)]
    return {name: str(one.annotation) for each in reversed(constructors) for name, one in each}


def shown_default(value: Any) -> str:
    """Return a default in reStructuredText, as a person writes it; nothing for one that only the text can say."""
    if value is REQUIRED:
        return "**required**"
    if value is None:
        return "none"
    if value is ... or (isinstance(value, str) and "\n" in value):
        return ""
    if isinstance(value, timedelta):
        return _shown_duration(value)
    if isinstance(value, datetime):
        return f"``{value:%Y-%m-%d}``"
    return f"``{value!r}``".replace("'", '"')


def xcom_keys(operator: type) -> set[str]:
    """Return the keys that the methods of an operator push, the one of what it returns included."""
    keys = {"return_value"} if _returns_value(operator) else set()
    for kind in _ours(operator):
        for call in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind)))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "xcom_push":
                keys |= {ast.literal_eval(word.value) for word in call.keywords if word.arg == "key"}
    return keys


def own_outlets(operator: type) -> list[str]:
    """Return the URIs of the assets that an operator adds to its outlets by itself."""
    annotations = annotations_of(operator)
    required = (name for name, default in defaults_of(operator).items() if default is REQUIRED)
    arguments = {name: timedelta(days=1) if annotations[name] == "timedelta" else "{{ x }}" for name in required}
    return [asset.uri for asset in operator(task_id="t", **arguments).outlets]


def emitted_assets(operator: type) -> list[str]:
    """Return the functions that make the assets whose events an operator emits, where they are among its outlets."""
    return _EMITTED.findall(inspect.getsource(operator))


def _constructors(thing: Any) -> Iterator[Any]:
    if inspect.isclass(thing):
        yield from (vars(kind)["__init__"] for kind in _ours(thing) if "__init__" in vars(kind))
    else:
        yield thing


def _ours(kind: type) -> list[type]:
    return [one for one in kind.mro() if one.__module__.startswith("ds_provider.")]


def _returns_value(operator: type) -> bool:
    execute = next(vars(kind)["execute"] for kind in _ours(operator) if "execute" in vars(kind))
    return inspect.signature(inspect.unwrap(execute)).return_annotation != "None"


def _shown_duration(value: timedelta) -> str:
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if value and value % length == timedelta(0):
            count = value // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{value.total_seconds():g} seconds"
