"""Tables of facts on several pages: the connection's fields, the manifest's, the example DAGs."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from ds_provider.get_provider_info import get_provider_info
from ds_provider.landing.manifest import Manifest, Part
from scripts.docs.docstrings import docstring_of
from scripts.docs.rst import embedded, markdown_table, table

DAGS = Path(__file__).parents[2] / "dags"
# of Airflow's form, in its order
_FIELDS = ("host", "schema", "login", "password", "port")
_JSON_TYPES = {
    "str": "text",
    "int": "integer",
    "float": "decimal",
    "datetime": "instant",
    "dict": "object",
    "None": "null",
}


def connection_types() -> str:
    """Return, for each connection type, the fields and the extras that it has."""
    return "\n".join(_connection_type(one) for one in get_provider_info()["connection-types"])


def manifest() -> str:
    """Return the fields of a manifest."""
    return _fields_of(Manifest)


def part() -> str:
    """Return the fields of each part that a manifest lists."""
    return _fields_of(Part)


def example_dags() -> str:
    """Return the section of each example DAG: its documentation, and its text."""
    return "\n".join(_example(file) for file in sorted(DAGS.glob("*.py")))


def _connection_type(described: dict[str, Any]) -> str:
    behaviour = described["ui-field-behaviour"]
    labels, examples = behaviour.get("relabeling", {}), behaviour.get("placeholders", {})
    shown = [name for name in _FIELDS if name not in behaviour.get("hidden-fields", [])]
    fields = [(f"`{name}`", labels.get(name, name.capitalize()), examples.get(name, "")) for name in shown]
    heading = f"### Fields of a connection of type `{described['connection-type']}`"
    text = f"{heading}\n\n{markdown_table(('Field', 'In the form', 'For instance'), fields)}"
    extras = [
        (f"`{name}`", field["label"], _schema(field["schema"]), field.get("description", ""))
        for name, field in described.get("conn-fields", {}).items()
    ]
    return f"{text}\n{markdown_table(('In the extra', 'In the form', 'Value', 'Meaning'), extras) if extras else ''}"


def _schema(schema: dict[str, Any]) -> str:
    """Return the type, default and bounds that a JSON schema gives."""
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    bounds = {"default": "{} by default", "minimum": "{} at least", "maximum": "{} at most"}
    shown = [text.format(schema[key]) for key, text in bounds.items() if key in schema]
    return ", ".join([*(kind for kind in types if kind != "null"), *shown])


def _fields_of(kind: type) -> str:
    texts = docstring_of(kind).params
    types = {name: _json_type(str(annotation)) for name, annotation in kind.__annotations__.items()}
    rows = [(f"``{name}``", shown, texts[name]) for name, shown in types.items()]
    return embedded(table(("Field", "Type", "Meaning"), rows, (30, 18, 52)))


def _json_type(annotation: str) -> str:
    """Return a type as JSON has it."""
    for python, json in _JSON_TYPES.items():
        annotation = re.sub(rf"\b{python}\b", json, annotation)
    listed = re.sub(r"list\[(\w+)\]", r"list of \1", annotation.removesuffix("[text, Any]"))
    return listed.replace("tuple[", "list of (").replace("]", ")").replace(" | ", " or ")


def _example(file: Path) -> str:
    documented = ast.get_docstring(ast.parse(file.read_text())) or ""
    title, _, text = documented.removeprefix("### ").partition("\n")
    options = f":language: python\n:caption: dags/{file.name}"
    return f"## {title}\n{text}\n\n```{{literalinclude}} ../../dags/{file.name}\n{options}\n```\n"
