"""Complexity and depth of a query, measured before it is executed.

A field costs one. A value of several possible types costs as much as the dearest. The rows of a connection
cost once for each *requested* row, even beyond the hundred that a page holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLInterfaceType, get_named_type, is_composite_type
from graphql.language import FieldNode, OperationDefinitionNode, SelectionSetNode

from ds_provider.sandbox.graphql.connections import PAGE_LIMIT
from ds_provider.sandbox.graphql.errors import RefusalError, error
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.schema import is_january, schema
from ds_provider.sandbox.graphql.variables import read_arguments

MAX_COMPLEXITY = 60_000
MAX_DEPTH = 15
ROWS = ("nodes", "edges")


# below these, no field has a connection: what they cost does not depend on page sizes
ABOVE_CONNECTIONS = {"Query", "Demarche", "GroupeInstructeurWithDossiers"}


class Measure(NamedTuple):
    """Complexity and depth of a selection."""

    complexity: int
    depth: int


@dataclass
class QueryCost:
    """Complexity and depth of a query.

    :ivar page_size: largest page that the query requests
    """

    complexity: int
    depth: int
    page_size: int


class Cost:
    """Measures operations of one document.

    :param compiler: the document's compiler, which resolves fragments and `@include` and `@skip`
    """

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._measures: dict[Any, Measure] = {}
        self._variables: dict[str, Any] = {}
        self._page_size = 0

    def measure(self, operation: OperationDefinitionNode, variables: dict[str, Any]) -> QueryCost:
        """Measure an operation with its variables."""
        self._variables, self._page_size = variables, 0
        found = self._measure(schema().query_type, [operation.selection_set])
        return QueryCost(*found, self._page_size)

    def _measure(self, kind: Any, selections: list[SelectionSetNode]) -> Measure:
        """Measure the selections of a type."""
        key = (kind.name, *map(id, selections))
        if key in self._measures:
            return self._measures[key]
        if isinstance(kind, GraphQLInterfaceType):
            parts = [self._measure(possible, selections) for possible in schema().get_possible_types(kind)]
        else:
            fields = self._compiler.collect(kind, selections).values()
            parts = [self._field(kind, nodes) for nodes in fields]
        costs = [measure.complexity for measure in parts]
        total = max(costs) if isinstance(kind, GraphQLInterfaceType) else sum(costs)
        measure = Measure(total, max((measure.depth for measure in parts), default=0))
        if kind.name not in ABOVE_CONNECTIONS and not kind.name.endswith("Connection"):
            self._measures[key] = measure
        return measure

    def _field(self, kind: Any, nodes: list[FieldNode]) -> Measure:
        definition = kind.fields.get(nodes[0].name.value)
        if definition is None or not is_composite_type(inner := get_named_type(definition.type)):
            return Measure(1, 1)
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        inner_measure = self._measure(inner, selections)
        extra = 0
        if inner.name.endswith("Connection"):
            extra = self._rows(inner, selections) * (self._size(definition, nodes[0]) - 1)
        return Measure(1 + inner_measure.complexity + extra, 1 + inner_measure.depth)

    def _rows(self, connection: Any, selections: list[SelectionSetNode]) -> int:
        """Return the complexity of one row of a connection."""
        found = self._compiler.collect(connection, selections).values()
        rows = [nodes for nodes in found if nodes[0].name.value in ROWS]
        return sum(self._field(connection, nodes).complexity - 1 for nodes in rows)

    def _size(self, definition: GraphQLField, node: FieldNode) -> int:
        arguments = read_arguments(definition, node, self._variables)
        size = max(0, int(arguments.get("first", arguments.get("last", PAGE_LIMIT))))
        self._page_size = max(self._page_size, size)
        return size


def check_limits(query: QueryCost, page_limit: int | None = None) -> None:
    """Refuse a query that is too deep or too complex; January's server bounds the depth alone.

    :param page_limit: page size above which a query is refused as too complex, whatever it costs
    :raises RefusalError: with HTTP 200 and no data
    """
    cost = query.complexity
    if page_limit is not None and query.page_size > page_limit:
        cost = max(cost, MAX_COMPLEXITY * query.page_size // max(1, page_limit))
    errors = []
    if query.depth > MAX_DEPTH:
        errors.append(error(f"Query has depth of {query.depth}, which exceeds max depth of {MAX_DEPTH}"))
    if cost > MAX_COMPLEXITY and (page_limit is not None or not is_january()):
        errors.append(error(f"Query has complexity of {cost}, which exceeds max complexity of {MAX_COMPLEXITY}"))
    if errors:
        raise RefusalError(200, {"errors": errors})
