"""Execute an operation over the world, as graphql-ruby does, and fast.

A general executor walks the document anew for each object, which makes a page of a hundred dossiers slow.
Here the document is compiled once into a plan per type: for each field how it is resolved and completed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
)
from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from ds_provider.sandbox.graphql.document import Document
from ds_provider.sandbox.graphql.errors import FieldError, error
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.variables import read_arguments
from ds_provider.sandbox.world.clock import iso_second

Path = tuple[Any, ...]
Resolver = Callable[[Any, Any, dict[str, Any]], Any]
Completer = Callable[[Any, "Execution", Path], Any]
Arguments = Callable[[dict[str, Any]], dict[str, Any]]
TypeOf = Callable[[Any, "Execution"], str]

LEAVES: dict[str, Completer] = {"ISO8601DateTime": lambda value, execution, path: iso_second(value)}
NO_ARGUMENTS: dict[str, Any] = {}
# what leads to the rows is read before them: it stays when the time runs out in the rows
ABOVE_THE_ROWS = frozenset(
    {"Query", "Demarche", "GroupeInstructeurWithDossiers", "DossierConnection", "DeletedDossierConnection", "PageInfo"}
)


class NullFieldError(Exception):
    """A null where the schema allows none: it moves up to the nearest place that may be null."""


@dataclass
class Execution:
    """State of one execution of a plan.

    :ivar context: context passed to the resolvers
    :ivar fields_left: number of fields to answer until the time runs out; None for all
    :ivar exempt_types: types whose fields are not counted and are answered even then
    :ivar keeps_required: whether fields that must not be null are answered even then
    """

    context: Any
    variables: dict[str, Any]
    fields_left: int | None = None
    exempt_types: frozenset[str] = ABOVE_THE_ROWS
    keeps_required: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    timed_out: bool = False

    def fail(self, message: str, code: str | None, one: FieldPlan, path: Path) -> None:
        """Record an error of a field.

        :param path: path of the object that the field belongs to
        """
        self.errors.append(error(message, code, locations=[one.place], path=[*path, one.key]))

    def times_out(self, plan: Plan, one: FieldPlan, path: Path) -> bool:
        """Count a field, and return whether the time runs out before it is answered."""
        if self.fields_left is None or plan.type_name in self.exempt_types:
            return False
        self.fields_left -= 1
        if self.fields_left >= 0 or (self.keeps_required and not one.nullable):
            return False
        code = None if self.timed_out else "timeout"
        self.timed_out = True
        self.fail(f"Timeout on {plan.type_name}.{one.name}", code, one, path)
        return True


class FieldPlan:
    """Plan of one field: how it is resolved and completed, and the place of its first node in the document."""

    __slots__ = ("arguments", "complete", "key", "name", "nullable", "place", "resolve")

    def __init__(self, node: FieldNode, resolve: Resolver | None, arguments: Arguments | None,
                 complete: Completer | None, nullable: bool) -> None:  # fmt: skip
        token: Any = node.loc and node.loc.start_token
        self.place = {"line": token.line, "column": token.column}
        self.key = (node.alias or node.name).value
        self.name = node.name.value
        self.resolve = resolve
        self.arguments = arguments
        self.complete = complete
        self.nullable = nullable


class Plan:
    """Plans of the fields that a document selects of one type."""

    __slots__ = ("fields", "type_name")

    def __init__(self, type_name: str, fields: list[FieldPlan]) -> None:
        self.type_name = type_name
        self.fields = fields

    def run(self, source: Any, execution: Execution, path: Path) -> dict[str, Any]:
        """Answer the selected fields of one object.

        :raises NullFieldError: if a field that must not be null is null
        """
        out: dict[str, Any] = {}
        for one in self.fields:
            value = None
            try:
                if execution.fields_left is not None and execution.times_out(self, one, path):
                    value = None
                elif one.resolve is None:
                    value = source[one.name]
                    if value is None and not one.nullable:
                        self._report_null(one, execution, path)
                else:
                    arguments = NO_ARGUMENTS if one.arguments is None else one.arguments(execution.variables)
                    value = one.resolve(source, execution.context, arguments)
                    if value is None and not one.nullable:
                        self._report_null(one, execution, path)
                if value is not None and one.complete is not None:
                    value = one.complete(value, execution, (*path, one.key))
            except FieldError as problem:
                execution.fail(problem.message, problem.code, one, path)
                value = None
            except NullFieldError:
                value = None
            if value is None and not one.nullable:
                raise NullFieldError
            out[one.key] = value
        return out

    def _report_null(self, one: FieldPlan, execution: Execution, path: Path) -> None:
        message = f"Cannot return null for non-nullable field {self.type_name}.{one.name}"
        execution.fail(message, "invalid_null", one, path)


class Compiler:
    """Compiles one operation of a document.

    :param variables: variables; those in `@include` and `@skip` are fixed in the plan
    :param resolvers: resolvers by type and field; a field without a resolver is read from a dict
    :param type_of: function that returns the object type of an interface's value
    """

    def __init__(
        self, document: Document, variables: dict[str, Any], resolvers: dict[str, Resolver], type_of: TypeOf
    ) -> None:
        self._document = document
        self._variables = variables
        self._resolvers = resolvers
        self._type_of = type_of

    def plan(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> Plan:
        """Compile the selections of an object type."""
        fields = [self._field(kind, nodes) for nodes in self.collect(kind, selections).values()]
        return Plan(kind.name, fields)

    def collect(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """Return the fields selected of an object type, by their key in the answer."""
        found: dict[str, list[FieldNode]] = {}
        for selection in selections:
            self._collect(kind, selection, found)
        return found

    def _collect(self, kind: GraphQLObjectType, selection: SelectionSetNode, found: dict[str, list[FieldNode]]) -> None:
        for node in selection.selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                found.setdefault(key, []).append(node)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._document.fragments[node.name.value]
                if _applies(fragment.type_condition.name.value, kind):
                    self._collect(kind, fragment.selection_set, found)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or _applies(condition.name.value, kind):
                    self._collect(kind, node.selection_set, found)

    def _is_included(self, node: Any) -> bool:
        """Return whether `@include` and `@skip` leave a node in."""
        for directive in node.directives or ():
            wanted = {"include": True, "skip": False}.get(directive.name.value)
            if wanted is not None:
                definition: Any = schema().get_directive(directive.name.value)
                if read_arguments(definition, directive, self._variables)["if"] is not wanted:
                    return False
        return True

    def _field(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> FieldPlan:
        name = nodes[0].name.value
        if name == "__typename":
            type_name = kind.name
            return FieldPlan(nodes[0], lambda *_: type_name, None, None, nullable=False)
        definition = kind.fields[name]
        arguments = partial(read_arguments, definition, nodes[0]) if nodes[0].arguments else None
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        resolve = self._resolvers.get(f"{kind.name}.{name}")
        complete = self._completer(definition.type, selections)
        return FieldPlan(nodes[0], resolve, arguments, complete, not isinstance(definition.type, GraphQLNonNull))

    def _completer(self, kind: GraphQLOutputType, selections: list[SelectionSetNode]) -> Completer | None:
        inner: Any = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if is_list_type(inner):
            item = self._completer(inner.of_type, selections)
            return item and _list_completer(item, nullable=not isinstance(inner.of_type, GraphQLNonNull))
        if is_leaf_type(inner):
            return LEAVES.get(inner.name)
        if isinstance(inner, GraphQLInterfaceType):
            return self._abstract_completer(selections)
        return self.plan(inner, selections).run

    def _abstract_completer(self, selections: list[SelectionSetNode]) -> Completer:
        plans: dict[str, Plan] = {}
        type_of = self._type_of

        def complete(value: Any, execution: Execution, path: Path) -> Any:
            name = type_of(value, execution)
            plan = plans.get(name)
            if plan is None:
                kind: Any = schema().type_map[name]
                plan = plans[name] = self.plan(kind, selections)
            return plan.run(value, execution, path)

        return complete


def _list_completer(item: Completer, *, nullable: bool) -> Completer:
    def complete(values: Any, execution: Execution, path: Path) -> Any:
        out = []
        for i, value in enumerate(values):
            try:
                out.append(item(value, execution, (*path, i)))
            except NullFieldError:
                if not nullable:
                    raise
                out.append(None)
        return out

    return complete


def _applies(condition: str, kind: GraphQLObjectType) -> bool:
    """Return whether a fragment with this type condition applies to an object type."""
    return condition == kind.name or any(interface.name == condition for interface in kind.interfaces)
