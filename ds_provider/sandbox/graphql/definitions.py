"""Definitions of a schema: the marked ones are left out, and each type gets the fields of its interfaces."""

from __future__ import annotations

from typing import Any

from graphql import parse
from graphql.language import (
    REMOVE,
    DocumentNode,
    FieldDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    Visitor,
    visit,
)

Fields = tuple[FieldDefinitionNode, ...]


def read_definitions(text: str, without: frozenset[str]) -> DocumentNode:
    """Read definitions in GraphQL's schema language.

    :param without: names of the directives that mark what is left out
    """
    kept: DocumentNode = visit(parse(text), _Filter(without))
    interfaces = {d.name.value: d for d in kept.definitions if isinstance(d, InterfaceTypeDefinitionNode)}
    definitions = (
        _with_inherited(d, interfaces) if isinstance(d, ObjectTypeDefinitionNode) else d for d in kept.definitions
    )
    return DocumentNode(definitions=tuple(definitions))


class _Filter(Visitor):
    def __init__(self, without: frozenset[str]) -> None:
        super().__init__()
        self._without = without

    def enter(self, node: Any, *_: Any) -> Any:
        marks = getattr(node, "directives", None) or ()
        return REMOVE if any(mark.name.value in self._without for mark in marks) else None


def _with_inherited(
    kind: ObjectTypeDefinitionNode, interfaces: dict[str, InterfaceTypeDefinitionNode]
) -> ObjectTypeDefinitionNode:
    """Return a type with its interfaces' fields, sorted by name; one that it has itself stands."""
    inherited: Fields = tuple(f for each in kind.interfaces or () for f in interfaces[each.name.value].fields or ())
    fields = {field.name.value: field for field in (*inherited, *(kind.fields or ()))}
    return ObjectTypeDefinitionNode(
        name=kind.name,
        interfaces=kind.interfaces,
        fields=tuple(fields[name] for name in sorted(fields)),
        directives=kind.directives,
        description=kind.description,
    )
