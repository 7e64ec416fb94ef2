"""Fields of one selection that cannot be merged: two fields, or two sets of arguments, under one key of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLSchema, get_named_type, is_abstract_type, is_composite_type, print_ast
from graphql.language import FieldNode, FragmentDefinitionNode, InlineFragmentNode, SelectionSetNode
from graphql.type import SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef

Fragments = Mapping[str, FragmentDefinitionNode]
META_FIELDS = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


@dataclass
class Conflict:
    """Nodes that share a key, and what each of them asks for.

    :ivar kind: `field` or `argument`
    """

    kind: str
    key: str
    nodes: list[Any] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def add(self, node: Any, value: str) -> None:
        """Add a node, once."""
        if not any(node is known for known in self.nodes):
            self.nodes.append(node)
            self.values.append(value)


class _Selected(NamedTuple):
    node: FieldNode
    parent: Any
    definition: GraphQLField | None


def field_of(schema: GraphQLSchema, parent: Any, name: str) -> GraphQLField | None:
    """Return a field's definition, those of introspection included."""
    if name == "__typename":
        return TypeNameMetaFieldDef
    if parent is schema.query_type and name in META_FIELDS:
        return META_FIELDS[name]
    return getattr(parent, "fields", {}).get(name)


def possible(schema: GraphQLSchema, kind: Any) -> set[str]:
    """Return the names of the object types that a value of a type may have."""
    if is_abstract_type(kind):
        return {each.name for each in schema.get_possible_types(kind)}
    return {kind.name}


def conflicts(schema: GraphQLSchema, fragments: Fragments, kind: Any, selections: SelectionSetNode) -> list[Conflict]:
    """Return the conflicts of one selection, those of the selections inside of merged fields included."""
    search = _Search(schema, fragments)
    for key, chosen in search.collect(kind, [selections]).items():
        search.compare_all(key, chosen)
    return list(search.found.values())


class _Search:
    def __init__(self, schema: GraphQLSchema, fragments: Fragments) -> None:
        self.found: dict[tuple[str, str], Conflict] = {}
        self._schema = schema
        self._fragments = fragments
        self._compared: set[tuple[int, int, bool]] = set()

    def collect(self, kind: Any, selections: Sequence[SelectionSetNode]) -> dict[str, list[_Selected]]:
        """Return the selected fields by their key, those of fragments included."""
        out: dict[str, list[_Selected]] = {}
        spread: set[str] = set()
        for selection in selections:
            self._collect(kind, selection, out, spread)
        return out

    def _collect(
        self, kind: Any, selection: SelectionSetNode, out: dict[str, list[_Selected]], spread: set[str]
    ) -> None:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                out.setdefault(key, []).append(_Selected(node, kind, field_of(self._schema, kind, node.name.value)))
                continue
            if isinstance(node, InlineFragmentNode):
                fragment: Any = node
            elif (name := node.name.value) not in spread:  # type: ignore[attr-defined]
                spread.add(name)
                fragment = self._fragments.get(name)
            else:
                continue
            inner = self._narrowed(fragment, kind)
            if inner is not None:
                self._collect(inner, fragment.selection_set, out, spread)

    def _narrowed(self, fragment: Any, kind: Any) -> Any:
        if fragment is None or fragment.type_condition is None:
            return fragment and kind
        found = self._schema.get_type(fragment.type_condition.name.value)
        return found if is_composite_type(found) else None

    def compare_all(self, key: str, chosen: list[_Selected]) -> None:
        """Compare all fields under one key with each other."""
        for i, one in enumerate(chosen):
            for other in chosen[i + 1 :]:
                self._compare(key, one, other, exclusive=False)

    def _compare(self, key: str, one: _Selected, other: _Selected, *, exclusive: bool) -> None:
        exclusive = exclusive or not possible(self._schema, one.parent) & possible(self._schema, other.parent)
        pair = (id(one.node), id(other.node), exclusive)
        if one.node is other.node or pair in self._compared:
            return
        self._compared.add(pair)
        if not exclusive:
            self._compare_one(key, one.node, other.node)
        self._compare_inner(one, other, exclusive)

    def _compare_one(self, key: str, one: FieldNode, other: FieldNode) -> None:
        if one.name.value != other.name.value:
            self._add("field", key, (one, one.name.value), (other, other.name.value))
        arguments = [_arguments(node) for node in (one, other)]
        if arguments[0] != arguments[1]:
            shown = [_shown(each) for each in arguments]
            self._add("argument", key, (one, shown[0]), (other, shown[1]))

    def _add(self, kind: str, key: str, *sides: tuple[Any, str]) -> None:
        conflict = self.found.setdefault((kind, key), Conflict(kind, key))
        for node, value in sides:
            conflict.add(node, value)

    def _compare_inner(self, one: _Selected, other: _Selected, exclusive: bool) -> None:
        sides = []
        for each in (one, other):
            kind = each.definition and get_named_type(each.definition.type)
            if each.node.selection_set is None or not is_composite_type(kind):
                return
            sides.append(self.collect(kind, [each.node.selection_set]))
        for key, chosen in sides[0].items():
            for left in chosen:
                for right in sides[1].get(key, ()):
                    self._compare(key, left, right, exclusive=exclusive)


def _arguments(node: FieldNode) -> dict[str, str]:
    return {argument.name.value: print_ast(argument.value) for argument in node.arguments or ()}


def _shown(arguments: dict[str, str]) -> str:
    quoted = (f'{name}:"{_escaped(value)}"' for name, value in arguments.items())
    return "{" + ",".join(quoted) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
