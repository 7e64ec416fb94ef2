"""Runs an operation over the world, the way graphql-ruby does, and fast.

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
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.variables import read_arguments
from ds_provider.sandbox.http.answers import FieldError, error
from ds_provider.sandbox.world.clock import iso_second

Path = tuple[Any, ...]
Resolver = Callable[[Any, Any, dict[str, Any]], Any]
Completer = Callable[[Any, "Run", Path], Any]
Arguments = Callable[[dict[str, Any]], dict[str, Any]]
TypeOf = Callable[[Any, "Run"], str]

LEAVES: dict[str, Completer] = {"ISO8601DateTime": lambda value, run, path: iso_second(value)}
NO_ARGUMENTS: dict[str, Any] = {}
# what leads to the rows is read before them: a time that runs out in the rows spares it
ABOVE_THE_ROWS = frozenset(
    {"Query", "Demarche", "GroupeInstructeurWithDossiers", "DossierConnection", "DeletedDossierConnection", "PageInfo"}
)


class NullError(Exception):
    """A null where the schema allows none: it climbs to the nearest place that may be null."""


@dataclass
class Run:
    """One execution.

    :ivar context: what resolvers are given
    :ivar fields_left: how many fields are answered until the time runs out; None for all
    :ivar spared: the types whose fields are neither counted nor hit by that
    :ivar spares_required: whether fields that must not be null are answered even then
    """

    context: Any
    variables: dict[str, Any]
    fields_left: int | None = None
    spared: frozenset[str] = ABOVE_THE_ROWS
    spares_required: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    timed_out: bool = False

    def fail(self, message: str, code: str | None, path: Path) -> None:
        self.errors.append(error(message, code, path=list(path)))

    def timed_out_at(self, plan: Plan, one: FieldPlan, path: Path) -> bool:
        """Count a field; whether the time is up for it."""
        if self.fields_left is None or plan.type_name in self.spared:
            return False
        self.fields_left -= 1
        if self.fields_left >= 0 or (self.spares_required and not one.nullable):
            return False
        code = None if self.timed_out else "timeout"
        self.timed_out = True
        self.fail(f"Timeout on {plan.type_name}.{one.name}", code, (*path, one.key))
        return True


class FieldPlan:
    """How one field of a type is answered."""

    __slots__ = ("arguments", "complete", "key", "name", "nullable", "resolve")

    def __init__(self, key: str, name: str, resolve: Resolver | None, arguments: Arguments | None,
                 complete: Completer | None, nullable: bool) -> None:  # fmt: skip
        self.key = key
        self.name = name
        self.resolve = resolve
        self.arguments = arguments
        self.complete = complete
        self.nullable = nullable


class Plan:
    """The fields that a document selects of one type."""

    __slots__ = ("fields", "type_name")

    def __init__(self, type_name: str, fields: list[FieldPlan]) -> None:
        self.type_name = type_name
        self.fields = fields

    def run(self, source: Any, run: Run, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for one in self.fields:
            value = None
            try:
                if run.fields_left is not None and run.timed_out_at(self, one, path):
                    value = None
                elif one.resolve is None:
                    value = source[one.name]
                    if value is None and not one.nullable:
                        self._told_null(one, run, path)
                else:
                    arguments = NO_ARGUMENTS if one.arguments is None else one.arguments(run.variables)
                    value = one.resolve(source, run.context, arguments)
                    if value is None and not one.nullable:
                        self._told_null(one, run, path)
                if value is not None and one.complete is not None:
                    value = one.complete(value, run, (*path, one.key))
            except FieldError as problem:
                run.fail(problem.message, problem.code, (*path, one.key))
                value = None
            except NullError:
                value = None
            if value is None and not one.nullable:
                raise NullError
            out[one.key] = value
        return out

    def _told_null(self, one: FieldPlan, run: Run, path: Path) -> None:
        message = f"Cannot return null for non-nullable field {self.type_name}.{one.name}"
        run.fail(message, "invalid_null", (*path, one.key))


class Compiler:
    """Compiles one operation of a document.

    :param variables: of which those that `@include` and `@skip` ask for are fixed in the plan
    :param resolvers: by type and field; a field without one is read from a dict
    :param type_of: which object type a value of an interface is
    """

    def __init__(
        self, document: Document, variables: dict[str, Any], resolvers: dict[str, Resolver], type_of: TypeOf
    ) -> None:
        self._document = document
        self._variables = variables
        self._resolvers = resolvers
        self._type_of = type_of

    def plan(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> Plan:
        fields = [self._field(kind, key, nodes) for key, nodes in self.collect(kind, selections).items()]
        return Plan(kind.name, fields)

    def collect(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields selected of an object type, by the key of their answer."""
        found: dict[str, list[FieldNode]] = {}
        for selection in selections:
            self._collect(kind, selection, found)
        return found

    def _collect(self, kind: GraphQLObjectType, selection: SelectionSetNode, found: dict[str, list[FieldNode]]) -> None:
        for node in selection.selections:
            if not self.included(node):
                continue
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                found.setdefault(key, []).append(node)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._document.fragments[node.name.value]
                if applies(fragment.type_condition.name.value, kind):
                    self._collect(kind, fragment.selection_set, found)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or applies(condition.name.value, kind):
                    self._collect(kind, node.selection_set, found)

    def included(self, node: Any) -> bool:
        """Whether `@include` and `@skip` leave it in."""
        for directive in node.directives or ():
            wanted = {"include": True, "skip": False}.get(directive.name.value)
            if wanted is not None:
                definition: Any = schema().get_directive(directive.name.value)
                if read_arguments(definition, directive, self._variables)["if"] is not wanted:
                    return False
        return True

    def _field(self, kind: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> FieldPlan:
        name = nodes[0].name.value
        if name == "__typename":
            type_name = kind.name
            return FieldPlan(key, name, lambda *_: type_name, None, None, nullable=False)
        definition = kind.fields[name]
        arguments = partial(read_arguments, definition, nodes[0]) if nodes[0].arguments else None
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        resolve = self._resolvers.get(f"{kind.name}.{name}")
        complete = self._completer(definition.type, selections)
        return FieldPlan(key, name, resolve, arguments, complete, not isinstance(definition.type, GraphQLNonNull))

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

        def complete(value: Any, run: Run, path: Path) -> Any:
            name = type_of(value, run)
            plan = plans.get(name)
            if plan is None:
                kind: Any = schema().type_map[name]
                plan = plans[name] = self.plan(kind, selections)
            return plan.run(value, run, path)

        return complete


def _list_completer(item: Completer, *, nullable: bool) -> Completer:
    def complete(values: Any, run: Run, path: Path) -> Any:
        out = []
        for i, value in enumerate(values):
            try:
                out.append(item(value, run, (*path, i)))
            except NullError:
                if not nullable:
                    raise
                out.append(None)
        return out

    return complete


def applies(condition: str, kind: GraphQLObjectType) -> bool:
    """Whether a fragment on this type takes in this object type."""
    return condition == kind.name or any(interface.name == condition for interface in kind.interfaces)
