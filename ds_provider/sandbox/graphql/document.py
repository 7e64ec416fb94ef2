"""A client's document, parsed and validated once, with the types that its fragments name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import GraphQLSchema, GraphQLSyntaxError
from graphql.language import (
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    Visitor,
    visit,
)

from ds_provider.sandbox.graphql.errors import RefusalError, ServerError, error
from ds_provider.sandbox.graphql.parsing import parse_document, syntax_error
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.validation import validate_document


@dataclass(frozen=True)
class Document:
    """A document that could be parsed.

    :ivar text: the text that it was read from
    :ivar named_types: type conditions of all its fragments
    :ivar bare_fragment: whether an inline fragment has no type condition
    :ivar errors: what does not fit the schema
    """

    text: str
    operations: tuple[OperationDefinitionNode, ...]
    fragments: dict[str, FragmentDefinitionNode]
    named_types: frozenset[str]
    bare_fragment: bool
    errors: tuple[dict[str, Any], ...]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation with this name, or the only one if no name is given.

        :raises RefusalError: with HTTP 200 and no data if there is no such operation or the document is not valid
        :raises ServerError: if an inline fragment has no type condition: the real server crashes on it
        """
        found = self._find(name)
        if found is None and self.operations:
            message = "An operation name is required" if name is None else f'No operation named "{name}"'
            raise RefusalError(200, {"errors": [error(message)]})
        if self.errors:
            raise RefusalError(200, {"errors": list(self.errors)})
        if found is None:
            raise RefusalError(200, {})
        if self.bare_fragment:
            raise ServerError("inline fragment without a type condition")
        return found

    def _find(self, name: str | None) -> OperationDefinitionNode | None:
        by_name = {each.name and each.name.value: each for each in self.operations}
        return next(iter(by_name.values())) if name is None and len(by_name) == 1 else by_name.get(name)


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


def read_document(text: str | None) -> Document:
    """Parse and validate a document.

    :raises RefusalError: with HTTP 200 and no data if there is none or it cannot be parsed
    """
    document = _read(text, schema())
    if isinstance(document, RefusalError):
        raise RefusalError(document.status, document.body)
    return document


@lru_cache(maxsize=256)
def _read(text: str | None, served: GraphQLSchema) -> Document | RefusalError:
    if text is None:
        return RefusalError(200, {"errors": [error("No query string was present")]})
    try:
        tree = parse_document(text)
        errors = validate_document(served, tree)
    except GraphQLSyntaxError as problem:
        return RefusalError(200, {"errors": [syntax_error(problem)]})
    except RecursionError:
        return RefusalError(200, {"errors": [error("This query is too large to execute.", locations=[])]})
    except RefusalError as refused:
        return refused
    types = _TypeCollector()
    visit(tree, types)
    fragments = {d.name.value: d for d in tree.definitions if isinstance(d, FragmentDefinitionNode)}
    operations = tuple(d for d in tree.definitions if isinstance(d, OperationDefinitionNode))
    return Document(text, operations, fragments, frozenset(types.names), types.bare, tuple(errors))
