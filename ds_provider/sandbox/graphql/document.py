"""A client's document, parsed and validated once, with the types that its fragments name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import GraphQLError, GraphQLSchema, parse, validate
from graphql import validation as rules
from graphql.language import (
    DocumentNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    Visitor,
    visit,
)

from ds_provider.sandbox.graphql.errors import RefusalError, ServerError, error, refusal
from ds_provider.sandbox.graphql.schema import schema

# graphql-ruby's own codes for what its validation refuses
CODES = {
    rules.FieldsOnCorrectTypeRule: "undefinedField",
    rules.KnownArgumentNamesRule: "argumentNotAccepted",
    rules.ProvidedRequiredArgumentsRule: "missingRequiredArguments",
    rules.ValuesOfCorrectTypeRule: "argumentLiteralsIncompatible",
    rules.VariablesInAllowedPositionRule: "variableMismatch",
    rules.NoUndefinedVariablesRule: "variableNotDefined",
    rules.NoUnusedVariablesRule: "variableNotUsed",
    rules.NoUnusedFragmentsRule: "useAndDefineFragment",
    rules.KnownFragmentNamesRule: "useAndDefineFragment",
    rules.KnownTypeNamesRule: "undefinedType",
    rules.ScalarLeafsRule: "selectionMismatch",
    rules.OverlappingFieldsCanBeMergedRule: "fieldConflict",
}


@dataclass(frozen=True)
class Document:
    """A valid document.

    :ivar named_types: type conditions of all its fragments
    :ivar bare_fragment: whether an inline fragment has no type condition
    """

    operations: tuple[OperationDefinitionNode, ...]
    fragments: dict[str, FragmentDefinitionNode]
    named_types: frozenset[str]
    bare_fragment: bool

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation with this name, or the only one if no name is given.

        :raises RefusalError: if there is no such operation
        :raises ServerError: if an inline fragment has no type condition: the real server crashes on it
        """
        found = [each for each in self.operations if name is None or (each.name and each.name.value == name)]
        if len(found) != 1:
            message = f'No operation named "{name}"' if name else "An operation name is required"
            raise RefusalError(200, {"errors": [error(message)]})
        if self.bare_fragment:
            raise ServerError("inline fragment without a type condition")
        return found[0]


class _TypeCollector(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.bare = False

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> None:
        if node.type_condition is None:
            self.bare = True
        else:
            self.names.add(node.type_condition.name.value)

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> None:
        self.names.add(node.type_condition.name.value)


def read_document(text: str) -> Document:
    """Parse and validate a document.

    :raises RefusalError: with HTTP 400 if it is not GraphQL, with HTTP 200 and no data if it does not fit the schema
    """
    document = _read(text, schema())
    if isinstance(document, RefusalError):
        raise RefusalError(document.status, document.body)
    return document


@lru_cache(maxsize=256)
def _read(text: str, served: GraphQLSchema) -> Document | RefusalError:
    try:
        tree = parse(text)
    except GraphQLError as problem:
        return refusal(400, problem.message, "graphql_parse_failed")
    if validate(served, tree):
        return RefusalError(200, {"errors": _problems(tree)})
    types = _TypeCollector()
    visit(tree, types)
    fragments = {d.name.value: d for d in tree.definitions if isinstance(d, FragmentDefinitionNode)}
    operations = tuple(d for d in tree.definitions if isinstance(d, OperationDefinitionNode))
    return Document(operations, fragments, frozenset(types.names), types.bare)


def _problems(tree: DocumentNode) -> list[dict[str, Any]]:
    errors = []
    for rule in rules.specified_rules:
        for problem in validate(schema(), tree, [rule]):
            where = [{"line": at.line, "column": at.column} for at in problem.locations or ()]
            errors.append(error(problem.message, CODES.get(rule, "invalid"), locations=where))
    return errors
