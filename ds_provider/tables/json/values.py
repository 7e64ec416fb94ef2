"""Values of columns, made of values as the API sends them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from ds_provider.tables.json.lenient import clean, dump
from ds_provider.tables.schemas import INTEGER, Table

Columns = dict[str, Sequence[Any]]

# NUL, and what may be half of a character
_REFUSED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def fields_of(table: Table, kind: type[msgspec.Struct], nodes: Sequence[Any], prefix: str = "") -> dict[str, list[Any]]:
    """Return the columns that fields of nodes fill one to one.

    :param kind: of the nodes; its fields fill the columns of their name.
    :param prefix: of the columns' names, where they have one.
    """
    columns = {prefix + name: name for name in kind.__struct_fields__ if prefix + name in table.columns}
    return {column: _convert(table, column, [*map(attrgetter(name), nodes)]) for column, name in columns.items()}


def get(nodes: Iterable[Any], name: str) -> list[Any]:
    """Return a field of each node, null where there is no node."""
    return [node and getattr(node, name) for node in nodes]


def _convert(table: Table, column: str, values: list[Any]) -> list[Any]:
    if column in table.json:
        return [json_text(bytes(value)) for value in values]
    return [parse_integer(value) for value in values] if table.columns[column] == INTEGER else values


def parse_integer(value: str | int | None) -> int | None:
    """Return the number of a BigInt, which the API sends as text; null if it is none, or does not fit a column."""
    # no 64 bits need more digits, and Python refuses to read very many
    if isinstance(value, str):
        value = int(value) if len(value) <= 20 and is_integer(value) else None
    return value if value is not None and -(2**63) <= value < 2**63 else None


def is_integer(text: str) -> bool:
    """Return whether a text is digits alone, with or without a sign."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdigit()


def json_text(sent: bytes) -> str | None:
    """Return JSON as the API sent it, without what databases refuse; null if it is null."""
    if sent == b"null":
        return None
    text = sent.decode("utf-8", "replace")
    # to look for one character costs next to nothing
    return dump(clean(json.loads(text))) if "\\" in text and _REFUSED.search(text) else text
