"""The documents that the API stores: a client names one by its id instead of sending its text."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from graphql import GraphQLSchema, get_introspection_query, is_composite_type, parse, print_ast
from graphql.language import (
    REMOVE,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)
from graphql.utilities import TypeInfo, TypeInfoVisitor, separate_operations

from ds_provider.sandbox.graphql.schema import schema

# readable without a token, under the id ds-query-v2
PUBLIC_OPERATIONS = ("getDemarcheDescriptor", "getDemarcheDescriptors")
INTROSPECTION_ID = "introspection"
QUERIES_ID = "ds-query-v2"


def stored_query(query_id: str) -> str | None:
    """Return the text of a stored document, None if there is none of this id."""
    if query_id == INTROSPECTION_ID:
        return get_introspection_query()
    return _queries(schema()) if query_id == QUERIES_ID else None


@lru_cache(maxsize=4)
def _queries(served: GraphQLSchema) -> str:
    text = files(__package__).joinpath("stored").joinpath(f"{QUERIES_ID}.graphql").read_text(encoding="utf-8")
    return print_ast(fit(parse(text), served))


def fit(document: DocumentNode, known: GraphQLSchema) -> DocumentNode:
    """Leave out of a document what a schema lacks, and then the fragments and variables that nothing uses.

    The API edits its stored documents together with its schema; here one document serves all schemas.
    """
    types = TypeInfo(known)
    fitted = visit(document, TypeInfoVisitor(types, _UnknownFields(types, known)))
    used = {
        definition.name.value
        for operation in separate_operations(fitted).values()
        for definition in operation.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    kept = [each for each in fitted.definitions if _is_used(each, used)]
    return DocumentNode(definitions=tuple(_without_unused_variables(each, fitted) for each in kept))


def _is_used(definition: Any, fragments: set[str]) -> bool:
    return not isinstance(definition, FragmentDefinitionNode) or definition.name.value in fragments


class _UnknownFields(Visitor):
    """Removes fields, arguments and fragments that a schema lacks, and what is left empty by that."""

    def __init__(self, types: TypeInfo, known: GraphQLSchema) -> None:
        super().__init__()
        self._types = types
        self._known = known

    def enter_field(self, *_: Any) -> Any:
        return None if self._types.get_field_def() else REMOVE

    def leave_field(self, node: Any, *_: Any) -> Any:
        return REMOVE if node.selection_set is not None and not node.selection_set.selections else None

    def enter_argument(self, *_: Any) -> Any:
        return None if self._types.get_argument() else REMOVE

    def enter_inline_fragment(self, node: Any, *_: Any) -> Any:
        return None if is_composite_type(self._known.get_type(node.type_condition.name.value)) else REMOVE

    def leave_inline_fragment(self, node: Any, *_: Any) -> Any:
        return None if node.selection_set.selections else REMOVE

    def leave_operation_definition(self, node: Any, *_: Any) -> Any:
        return None if node.selection_set.selections else REMOVE


def _without_unused_variables(definition: Any, document: DocumentNode) -> Any:
    if not isinstance(definition, OperationDefinitionNode):
        return definition
    used = _Variables(document)
    visit(definition.selection_set, used)
    kept = tuple(each for each in definition.variable_definitions or () if each.variable.name.value in used.names)
    return OperationDefinitionNode(
        operation=definition.operation, name=definition.name, variable_definitions=kept,
        directives=definition.directives, selection_set=definition.selection_set,
    )  # fmt: skip


class _Variables(Visitor):
    """Collects the variables that a selection uses, fragments included."""

    def __init__(self, document: DocumentNode) -> None:
        super().__init__()
        self.names: set[str] = set()
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.names.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        fragment = self._fragments.pop(node.name.value, None)
        if fragment is not None:
            visit(fragment, self)
