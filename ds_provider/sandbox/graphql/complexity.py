"""What a query costs, and how deep it goes, before it is run.

A field costs one; a value of several possible types costs as much as the dearest; the rows of a connection
cost once for each row *asked for*, even beyond the hundred that are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLInterfaceType, get_named_type, is_composite_type
from graphql.language import FieldNode, OperationDefinitionNode, SelectionSetNode

from ds_provider.sandbox.graphql.connections import PAGE_LIMIT
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.variables import read_arguments
from ds_provider.sandbox.http.answers import RefusalError, error

MAX_COMPLEXITY = 60_000
MAX_DEPTH = 15
ROWS = ("nodes", "edges")


# below these, no field has a connection: what they cost does not depend on page sizes
ABOVE_CONNECTIONS = {"Query", "Demarche", "GroupeInstructeurWithDossiers"}


class Measure(NamedTuple):
    complexity: int
    depth: int


@dataclass
class Measured:
    """:ivar page_size: the largest that is asked for"""

    complexity: int
    depth: int
    page_size: int


class Cost:
    """Measures one operation, whose fragments and left-out fields the compiler knows."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._known: dict[Any, Measure] = {}
        self._variables: dict[str, Any] = {}
        self._page_size = 0

    def measure(self, operation: OperationDefinitionNode, variables: dict[str, Any]) -> Measured:
        self._variables, self._page_size = variables, 0
        found = self._of(schema().query_type, [operation.selection_set])
        return Measured(*found, self._page_size)

    def _of(self, kind: Any, selections: list[SelectionSetNode]) -> Measure:
        """The complexity and the depth of what is selected of a type."""
        key = (kind.name, *map(id, selections))
        if key in self._known:
            return self._known[key]
        if isinstance(kind, GraphQLInterfaceType):
            each = [self._of(possible, selections) for possible in schema().get_possible_types(kind)]
        else:
            fields = self._compiler.collect(kind, selections).values()
            each = [self._field(kind, nodes) for nodes in fields]
        costs = [measure.complexity for measure in each]
        total = max(costs) if isinstance(kind, GraphQLInterfaceType) else sum(costs)
        measure = Measure(total, max((measure.depth for measure in each), default=0))
        if kind.name not in ABOVE_CONNECTIONS and not kind.name.endswith("Connection"):
            self._known[key] = measure
        return measure

    def _field(self, kind: Any, nodes: list[FieldNode]) -> Measure:
        definition = kind.fields.get(nodes[0].name.value)
        if definition is None or not is_composite_type(inner := get_named_type(definition.type)):
            return Measure(1, 1)
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        below = self._of(inner, selections)
        extra = 0
        if inner.name.endswith("Connection"):
            extra = self._rows(inner, selections) * (self._size(definition, nodes[0]) - 1)
        return Measure(1 + below.complexity + extra, 1 + below.depth)

    def _rows(self, connection: Any, selections: list[SelectionSetNode]) -> int:
        """What one row of a connection costs."""
        found = self._compiler.collect(connection, selections).values()
        rows = [nodes for nodes in found if nodes[0].name.value in ROWS]
        return sum(self._field(connection, nodes).complexity - 1 for nodes in rows)

    def _size(self, definition: GraphQLField, node: FieldNode) -> int:
        arguments = read_arguments(definition, node, self._variables)
        size = max(0, int(arguments.get("first", arguments.get("last", PAGE_LIMIT))))
        self._page_size = max(self._page_size, size)
        return size


def check_limits(measured: Measured, page_limit: int | None = None) -> None:
    """Refuse what is too much.

    :param page_limit: refuse larger pages than this as too complex, whatever they cost
    :raises RefusalError: with HTTP 200 and no data
    """
    cost = measured.complexity
    if page_limit is not None and measured.page_size > page_limit:
        cost = max(cost, MAX_COMPLEXITY * measured.page_size // max(1, page_limit))
    told = []
    if measured.depth > MAX_DEPTH:
        told.append(error(f"Query has depth of {measured.depth}, which exceeds max depth of {MAX_DEPTH}"))
    if cost > MAX_COMPLEXITY:
        told.append(error(f"Query has complexity of {cost}, which exceeds max complexity of {MAX_COMPLEXITY}"))
    if told:
        raise RefusalError(200, {"errors": told})
