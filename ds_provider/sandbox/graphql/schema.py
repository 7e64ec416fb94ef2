"""The part of the API's schema that the sandbox answers, with scalars that accept the API's forms of dates."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from graphql import GraphQLScalarType, GraphQLSchema, build_schema
from graphql.language import StringValueNode, ValueNode

from ds_provider.sandbox.world.clock import read_moment


def _read_day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


PARSERS = {"ISO8601DateTime": read_moment, "ISO8601Date": _read_day}


@lru_cache(maxsize=1)
def schema() -> GraphQLSchema:
    """Build the schema from ``schema.graphql``, once."""
    text = files(__package__).joinpath("schema.graphql").read_text(encoding="utf-8")
    built = build_schema(text)
    for name, parse in PARSERS.items():
        _set_parser(built.type_map[name], parse)
    return built


def _set_parser(scalar: Any, parse: Any) -> None:
    def parse_value(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no {scalar.name}")
        return parse(value)

    def parse_literal(node: ValueNode, variables: Any = None) -> Any:
        return parse_value(node.value if isinstance(node, StringValueNode) else None)

    assert isinstance(scalar, GraphQLScalarType)  # noqa: S101
    scalar.parse_value = parse_value  # type: ignore[method-assign]
    scalar.parse_literal = parse_literal  # type: ignore[method-assign]
