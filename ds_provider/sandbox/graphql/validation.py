"""Validate a document as graphql-ruby does: the same rules, in the same order, with the same messages and paths.

Two fields of one name may be of different types there, which graphql-core refuses and the API's own stored text needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphql import GraphQLSchema, get_named_type, is_composite_type, is_input_type, type_from_ast
from graphql.language import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from ds_provider.sandbox.graphql import merging
from ds_provider.sandbox.graphql.errors import error
from ds_provider.sandbox.graphql.input_values import ArgumentChecks
from ds_provider.sandbox.graphql.spelling import did_you_mean
from ds_provider.sandbox.graphql.usages import Usages, check_definitions, repeated

Path = list[str]
PLACES = {
    "QUERY": "queries",
    "MUTATION": "mutations",
    "SUBSCRIPTION": "subscriptions",
    "FIELD": "fields",
    "FRAGMENT_DEFINITION": "fragment definitions",
    "FRAGMENT_SPREAD": "fragment spreads",
    "INLINE_FRAGMENT": "inline fragments",
}


def validate_document(schema: GraphQLSchema, tree: DocumentNode) -> list[dict[str, Any]]:
    """Return the errors of a document, empty if it fits the schema."""
    return Validator(schema, tree).validate()


class Validator(ArgumentChecks):
    """Walks a document and keeps where it is: the path, and the types of the selections around."""

    def __init__(self, schema: GraphQLSchema, tree: DocumentNode) -> None:
        self.schema = schema
        self.errors: list[dict[str, Any]] = []
        self.path: Path = []
        self.usages = Usages()
        self.fragments = {d.name.value: d for d in tree.definitions if isinstance(d, FragmentDefinitionNode)}
        self._tree = tree
        self._spreads: list[tuple[FragmentSpreadNode, Any, Path]] = []

    def validate(self) -> list[dict[str, Any]]:
        """Return the errors of the document."""
        foreign = []
        for definition in self._tree.definitions:
            if isinstance(definition, OperationDefinitionNode):
                self._operation(definition)
            elif isinstance(definition, FragmentDefinitionNode):
                self._fragment(definition)
            else:
                foreign.append(definition)
        self.usages.report_variables(self.fail)
        for spread, parent, path in self._spreads:
            self._check_spread(spread, parent, path)
        self.usages.report_fragments(self.fail)
        check_definitions(self.fail, self._tree)
        if foreign:
            self.fail("Query cannot contain schema definitions", foreign, "queryContainsSchemaDefinitions", [])
        return self.errors

    def fail(self, message: str, nodes: Any, code: str, path: Sequence[str] | None = None, **more: Any) -> None:
        """Record an error at one or several nodes."""
        places = []
        for node in nodes if isinstance(nodes, list) else [nodes]:
            token = node.loc.start_token
            places.append({"line": token.line, "column": token.column})
        where = list(self.path if path is None else path)
        self.errors.append(error(message, locations=places, path=where, extensions={"code": code, **more}))

    @contextmanager
    def at(self, *steps: str) -> Iterator[None]:
        """Extend the path inside a ``with`` block."""
        self.path.extend(steps)
        try:
            yield
        finally:
            del self.path[len(self.path) - len(steps) :]

    def _operation(self, node: OperationDefinitionNode) -> None:
        kind = self.schema.get_root_type(node.operation)
        name = f" {node.name.value}" if node.name else ""
        with self.at(f"{node.operation.value}{name}"):
            self._check_repeated_directives(node)
            if kind is not None and not self._has_selections(node, kind):
                return
            self._check_variable_names(node)
            self.usages.enter(node, self.path)
            if kind is None:
                verb = node.operation.value
                code = f"missing{verb.capitalize()}Configuration"
                self.fail(f"Schema is not configured for {PLACES[verb.upper()]}", node, code)
                return
            for definition in node.variable_definitions or ():
                self._variable(definition)
            self._directives(node, node.operation.name)
            self._selections(node.selection_set, kind)

    def _has_selections(self, node: OperationDefinitionNode, kind: Any) -> bool:
        self._check_merging(kind, node.selection_set)
        if node.selection_set.selections:
            return True
        name = node.name.value if node.name else ""
        shown = f"{node.operation.value} '{name}'" if name else "anonymous query"
        self._report_missing_selections(node, shown, name, kind)
        return False

    def _report_missing_selections(self, node: Any, shown: str, name: str, kind: Any) -> None:
        problem = f"Field must have selections ({shown} returns {kind.name} but has no selections. "
        problem += f"Did you mean '{name} {{ ... }}'?)"
        self.fail(problem, node, "selectionMismatch", nodeName=shown, typeName=kind.name)

    def _check_variable_names(self, node: OperationDefinitionNode) -> None:
        for name, nodes in repeated(node.variable_definitions or (), lambda each: each.variable.name.value):
            self.fail(f'There can only be one variable named "{name}"', nodes, "variableNotUnique", variableName=name)

    def _fragment(self, node: FragmentDefinitionNode) -> None:
        with self.at(f"fragment {node.name.value}"):
            self._check_repeated_directives(node)
            self.usages.enter(node, self.path)
            kind = self._condition(node)
            if kind is not None:
                self._directives(node, "FRAGMENT_DEFINITION")
                self._selections(node.selection_set, kind)

    def _condition(self, node: FragmentDefinitionNode | InlineFragmentNode, parent: Any = None) -> Any:
        """Return the type that a fragment is about, None if there is no such type."""
        if node.type_condition is None:
            return parent
        name = node.type_condition.name.value
        kind = self.schema.get_type(name)
        if kind is None:
            hint = did_you_mean(name, [each for each, one in self.schema.type_map.items() if is_composite_type(one)])
            message = f"No such type {name}, so it can't be a fragment condition{hint}"
            self.fail(message, node, "undefinedType", typeName=name)
        elif not is_composite_type(kind):
            message = f"Invalid fragment on type {name} (must be Union, Interface or Object)"
            self.fail(message, node, "fragmentOnNonCompositeType", typeName=name)
            return None
        return kind

    def _variable(self, node: Any) -> None:
        name, kind = node.variable.name.value, get_named_type(type_from_ast(self.schema, node.type))
        written = _inner_name(node.type)
        if kind is None:
            hint = did_you_mean(written, [each for each, one in self.schema.type_map.items() if is_input_type(one)])
            message = f"{written} isn't a defined input type (on ${name}){hint}"
            self.fail(message, node, "variableRequiresValidType", typeName=written, variableName=name)
        elif not is_input_type(kind):
            message = f"{written} isn't a valid input type (on ${name})"
            self.fail(message, node, "variableRequiresValidType", typeName=written, variableName=name)
        if node.default_value is not None:
            self.check_default(node)

    def _selections(self, selections: SelectionSetNode, parent: Any) -> None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                self._inline_fragment(node, parent)
            elif isinstance(node, FragmentSpreadNode):
                self._spread(node, parent)

    def _field(self, node: FieldNode, parent: Any) -> None:
        name = node.name.value
        definition = merging.field_of(self.schema, parent, name)
        with self.at((node.alias or node.name).value):
            self._check_repeated_directives(node)
            if definition is None:
                hint = did_you_mean(name, list(getattr(parent, "fields", ())))
                message = f"Field '{name}' doesn't exist on type '{parent.name}'{hint}"
                self.fail(message, node, "undefinedField", typeName=parent.name, fieldName=name)
                return
            kind = get_named_type(definition.type)
            if node.selection_set is not None and is_composite_type(kind):
                self._check_merging(kind, node.selection_set)
            if not self._has_fitting_selections(node, kind):
                return
            self.check_required(node, "Field", definition.args)
            self.check_arguments(node, "Field", definition.args)
            self._directives(node, "FIELD")
            if node.selection_set is not None:
                self._selections(node.selection_set, kind)

    def _has_fitting_selections(self, node: FieldNode, kind: Any) -> bool:
        name = node.name.value
        selections = node.selection_set.selections if node.selection_set is not None else ()
        if is_composite_type(kind):
            if not selections:
                self._report_missing_selections(node, f"field '{name}'", name, kind)
            return bool(selections)
        if selections:
            chosen = ", ".join(f'"{_selection_name(each)}"' for each in selections)
            problem = f"Selections can't be made on {_leaf_kind(kind)} (field '{name}' returns {kind.name} "
            problem += f"but has selections [{chosen}])"
            self.fail(problem, node, "selectionMismatch", nodeName=f"field '{name}'", typeName=kind.name)
        return not selections

    def _check_merging(self, kind: Any, selections: SelectionSetNode) -> None:
        for conflict in merging.conflicts(self.schema, self.fragments, kind, selections):
            values = " or ".join(conflict.values)
            article = "an" if conflict.kind == "argument" else "a"
            message = f"Field '{conflict.key}' has {article} {conflict.kind} conflict: {values}?"
            self.fail(message, conflict.nodes, "fieldConflict", [], fieldName=conflict.key, conflicts=values)

    def _inline_fragment(self, node: InlineFragmentNode, parent: Any) -> None:
        on = f" on {node.type_condition.name.value}" if node.type_condition else ""
        with self.at(f"...{on}"):
            self._check_repeated_directives(node)
            kind = self._condition(node, parent)
            if kind is None:
                return
            self._check_possible(node, "", kind, parent, self.path)
            self._directives(node, "INLINE_FRAGMENT")
            self._selections(node.selection_set, kind)

    def _spread(self, node: FragmentSpreadNode, parent: Any) -> None:
        with self.at(f"... {node.name.value}"):
            self._check_repeated_directives(node)
            self.usages.spread(node, self.path)
            self._spreads.append((node, parent, list(self.path)))
            self._directives(node, "FRAGMENT_SPREAD")

    def _check_spread(self, node: FragmentSpreadNode, parent: Any, path: Path) -> None:
        fragment = self.fragments.get(node.name.value)
        kind = fragment and self.schema.get_type(fragment.type_condition.name.value)
        if is_composite_type(kind):
            self._check_possible(node, f" {node.name.value}", kind, parent, path)

    def _check_possible(self, node: Any, name: str, kind: Any, parent: Any, path: Path) -> None:
        if not merging.possible(self.schema, kind) & merging.possible(self.schema, parent):
            self.fail(
                f"Fragment{name} on {kind.name} can't be spread inside {parent.name}", node, "cannotSpreadFragment",
                path, typeName=kind.name, fragmentName=name or "unknown", parentName=parent.name,
            )  # fmt: skip

    def _directives(self, parent: Any, place: str) -> None:
        for node in parent.directives or ():
            self._directive(node, place)

    def _directive(self, node: DirectiveNode, place: str) -> None:
        name, definition = node.name.value, self.schema.get_directive(node.name.value)
        if definition is None:
            hint = did_you_mean(name, [each.name for each in self.schema.directives])
            self.fail(f"Directive @{name} is not defined{hint}", node, "undefinedDirective", directiveName=name)
            return
        if place not in (allowed := [location.name for location in definition.locations]):
            names = ", ".join(PLACES.get(each, "") for each in allowed)
            message = f"'@{name}' can't be applied to {PLACES[place]} (allowed: {names})"
            self.fail(message, node, "directiveCannotBeApplied", targetName=PLACES[place], name=name)
        self.check_required(node, "Directive", definition.args)
        self.check_arguments(node, "Directive", definition.args)

    def _check_repeated_directives(self, parent: Any) -> None:
        seen: dict[str, list[DirectiveNode]] = defaultdict(list)
        for node in parent.directives or ():
            seen[node.name.value].append(node)
            if len(seen[node.name.value]) > 1:
                message = f'The directive "{node.name.value}" can only be used once at this location.'
                both = [seen[node.name.value][0], node]
                self.fail(message, both, "directiveNotUniqueForLocation", directiveName=node.name.value)


def _inner_name(node: Any) -> str:
    return str(node.name.value) if hasattr(node, "name") else _inner_name(node.type)


def _selection_name(node: Any) -> str:
    if isinstance(node, InlineFragmentNode):
        return f"... on {node.type_condition.name.value} {{ ... }}" if node.type_condition else "... { ... }"
    return str(node.name.value)


def _leaf_kind(kind: Any) -> str:
    return "enums" if hasattr(kind, "values") else "scalars"
