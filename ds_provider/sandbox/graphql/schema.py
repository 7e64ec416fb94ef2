"""The part of the API's schema that the sandbox answers, as a server of one age has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.resources import files
from typing import Any

from graphql import GraphQLScalarType, GraphQLSchema, build_ast_schema
from graphql.language import StringValueNode, ValueNode

from ds_provider.sandbox.graphql.definitions import read_definitions
from ds_provider.sandbox.graphql.scalars import SCALARS
from ds_provider.sandbox.options import JANUARY, SEPTEMBER

# marks in schema.graphql of what a server lacks
LACKS = {JANUARY: {"added", "unlisted"}, SEPTEMBER: {"removed"}}

_server: ContextVar[str] = ContextVar("ds_sandbox_server", default=SEPTEMBER)


@contextmanager
def serving(server: str) -> Iterator[None]:
    """Answer as a server of this age within the block, one of :data:`~ds_provider.sandbox.options.SERVERS`."""
    token = _server.set(server)
    try:
        yield
    finally:
        _server.reset(token)


def is_january() -> bool:
    """Return whether the request is answered as a server of January 2026 does."""
    return _server.get() == JANUARY


def schema() -> GraphQLSchema:
    """Return the schema that requests are validated against and executed over."""
    return _build(frozenset(LACKS[_server.get()]))


def listed_schema() -> GraphQLSchema:
    """Return the schema that introspection shows: without what is known from clients and upstream's code alone."""
    return _build(frozenset(LACKS[_server.get()] | {"unlisted"}))


@lru_cache(maxsize=4)
def _build(without: frozenset[str]) -> GraphQLSchema:
    """Build the schema from ``schema.graphql``, once for each set of marks that it leaves out."""
    text = files(__package__).joinpath("schema.graphql").read_text(encoding="utf-8")
    built = build_ast_schema(read_definitions(text, without), assume_valid_sdl=True)
    for name in ("ISO8601DateTime", "ISO8601Date"):
        _set_parser(built.type_map[name], SCALARS[name])
    return built


def _set_parser(scalar: Any, parse: Any) -> None:
    def parse_literal(node: ValueNode, variables: Any = None) -> Any:
        return parse(node.value if isinstance(node, StringValueNode) else None)

    assert isinstance(scalar, GraphQLScalarType)  # noqa: S101
    scalar.parse_value = parse  # type: ignore[method-assign]
    scalar.parse_literal = parse_literal  # type: ignore[method-assign]
