"""Arguments in a document: whether they exist, are there, and have values that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    is_enum_type,
    is_input_type,
    print_ast,
    type_from_ast,
)
from graphql.language import (
    ArgumentNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    VariableNode,
)
from graphql.type import is_required_argument, is_required_input_field

from ds_provider.sandbox.graphql.errors import refusal
from ds_provider.sandbox.graphql.spelling import did_you_mean
from ds_provider.sandbox.graphql.usages import Usages, repeated
from ds_provider.sandbox.graphql.variables import InputError, OutOfBoundsError, coerce, is_one_of

Definitions = Mapping[str, Any]


class ArgumentChecks:
    """Checks of arguments, for a validator that knows the schema and the path."""

    schema: GraphQLSchema
    path: list[str]
    errors: list[dict[str, Any]]
    usages: Usages

    def fail(self, message: str, nodes: Any, code: str, path: Sequence[str] | None = None, **more: Any) -> None:
        """Record an error at one or several nodes."""
        raise NotImplementedError

    def at(self, *steps: str) -> AbstractContextManager[None]:
        """Extend the path inside a ``with`` block."""
        raise NotImplementedError

    def check_required(self, node: Any, owner: str, definitions: Definitions) -> None:
        """Report required arguments that a field or directive lacks, and those that it has twice."""
        given = [argument.name.value for argument in node.arguments or ()]
        missing = [name for name, each in definitions.items() if is_required_argument(each) and name not in given]
        if missing:
            names = ", ".join(missing)
            message = f"{owner} '{node.name.value}' is missing required arguments: {names}"
            more = {"className": owner, "name": node.name.value, "arguments": names}
            self.fail(message, node, "missingRequiredArguments", **more)
        for name, nodes in repeated(node.arguments or (), lambda each: each.name.value):
            self.fail(f'There can be only one argument named "{name}"', nodes, "argumentNotUnique", name=name)

    def check_arguments(self, node: Any, owner: str, definitions: Definitions) -> None:
        """Check each argument of a field or directive."""
        shown = (getattr(node, "alias", None) or node.name).value
        for argument in node.arguments or ():
            self._argument(argument, node, (owner, shown), definitions)

    def _argument(self, node: ArgumentNode, parent: Any, owner: tuple[str, str], definitions: Definitions) -> None:
        name = node.name.value
        definition = definitions.get(name)
        with self.at(name):
            if definition is None:
                hint = did_you_mean(name, list(definitions))
                message = f"{owner[0]} '{owner[1]}' doesn't accept argument '{name}'{hint}"
                more = {"name": owner[1], "typeName": owner[0], "argumentName": name}
                self.fail(message, node, "argumentNotAccepted", **more)
                return
            self._check_usage(node, definition)
            if isinstance(node.value, VariableNode):
                self.usages.variables(node.value, self.path)
                return
            before = len(self.errors)
            self._inner(node.value, get_named_type(definition.type))
            if len(self.errors) == before:
                self._check_literal(node, parent, owner, definition)

    def _inner(self, value: Any, kind: Any) -> None:
        """Check the arguments inside of an argument's value."""
        for each in value.values if isinstance(value, ListValueNode) else [value]:
            if isinstance(each, ObjectValueNode) and isinstance(kind, GraphQLInputObjectType):
                for name, nodes in repeated(each.fields, lambda field: field.name.value):
                    self.fail(f'There can be only one input field named "{name}"', nodes, "inputFieldNotUnique",
                              name=name)  # fmt: skip
                if is_one_of(kind):
                    self._check_one_of(each, kind)
                for field in each.fields:
                    self._argument(field, each, ("InputObject", kind.name), kind.fields)  # type: ignore[arg-type]
            else:
                self.usages.variables(each, self.path)

    def _check_one_of(self, node: ObjectValueNode, kind: GraphQLInputObjectType) -> None:
        code, more = "invalidOneOfInputObject", {"inputObjectType": kind.name}
        if len(node.fields) != 1:
            message = f"OneOf Input Object '{kind.name}' must specify exactly one key."
            self.fail(message, node, code, **more)
            return
        name, value = node.fields[0].name.value, node.fields[0].value
        where = [*self.path, name]
        if isinstance(value, NullValueNode):
            self.fail(f"Field '{kind.name}.{name}' must be non-null.", node.fields[0], code, where, **more)
        elif isinstance(value, VariableNode) and not isinstance(self._type_of(value), GraphQLNonNull | None):
            message = f"Variable '{value.name.value}' must be non-nullable to be used for OneOf Input Object"
            self.fail(f"{message} '{kind.name}'.", node, code, where, **more)

    def _type_of(self, variable: VariableNode) -> Any:
        definition = self.usages.declaration(variable)
        return definition and type_from_ast(self.schema, definition.type)

    def _check_literal(self, node: ArgumentNode, parent: Any, owner: tuple[str, str], definition: Any) -> None:
        if _fits(node.value, definition.type):
            return
        message = f"Argument '{node.name.value}' on {owner[0]} '{owner[1]}' has an invalid value"
        message += f" ({print_ast(node.value)}). Expected type '{definition.type}'."
        more = {"typeName": owner[0], "argumentName": node.name.value}
        self.fail(message, parent, "argumentLiteralsIncompatible", **more)

    def check_default(self, node: Any) -> None:
        """Check the default of a variable."""
        kind = type_from_ast(self.schema, node.type)
        if not is_input_type(kind) or _fits(node.default_value, kind):
            return
        name = node.variable.name.value
        message = f"Default value for ${name} doesn't match type {kind}"
        self.fail(message, node, "defaultValueInvalidType", variableName=name, typeName=str(kind))

    def _check_usage(self, node: ArgumentNode, definition: Any) -> None:
        """Check that the type of a variable fits that of the argument."""
        values = node.value.values if isinstance(node.value, ListValueNode) else [node.value]
        for value in values:
            declared = self.usages.declaration(value) if isinstance(value, VariableNode) else None
            kind: Any = declared and type_from_ast(self.schema, declared.type)
            if declared is None or kind is None:
                continue
            if declared.default_value is not None and not isinstance(kind, GraphQLNonNull):
                kind = GraphQLNonNull(kind)
            if isinstance(node.value, ListValueNode):
                kind = GraphQLNonNull(GraphQLList(kind))
            if problem := _mismatch(kind, definition.type):
                self._report_usage(problem, node, value, kind, definition.type)

    def _report_usage(self, problem: str, node: ArgumentNode, value: Any, given: Any, wanted: Any) -> None:
        variable, name = value.name.value, node.name.value
        message = f"{problem} on variable ${variable} and argument {name} ({given} / {wanted})"
        more = {"variableName": variable, "typeName": str(given), "argumentName": name, "errorMessage": problem}
        self.fail(message, node, "variableMismatch", **more)


def _mismatch(given: Any, wanted: Any) -> str | None:
    if get_named_type(given) is not get_named_type(wanted):
        return "Type mismatch"
    if _depth(given) != _depth(wanted):
        return "List dimension mismatch"
    return None if _null_fits(given, wanted) else "Nullability mismatch"


def _depth(kind: Any) -> int:
    inner = getattr(kind, "of_type", None)
    return 0 if inner is None else _depth(inner) + isinstance(kind, GraphQLList)


def _null_fits(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, GraphQLNonNull) and not isinstance(given, GraphQLNonNull):
        return False
    if isinstance(given, GraphQLNonNull) and not isinstance(wanted, GraphQLNonNull):
        given = given.of_type
    if not hasattr(given, "of_type") or not hasattr(wanted, "of_type"):
        return True
    return _null_fits(given.of_type, wanted.of_type)


def _fits(node: Any, kind: Any) -> bool:
    """Return whether a literal fits a type; the variables in it are checked by their own types.

    :raises RefusalError: with HTTP 400 if it is an integer of more than 32 bits: the server gives up on it
    """
    if isinstance(kind, GraphQLNonNull):
        return not isinstance(node, NullValueNode) and _fits(node, kind.of_type)
    if isinstance(node, NullValueNode | VariableNode):
        return True
    if isinstance(kind, GraphQLList):
        return all(_fits(each, kind.of_type) for each in (node.values if isinstance(node, ListValueNode) else [node]))
    if isinstance(kind, GraphQLInputObjectType):
        return isinstance(node, ObjectValueNode) and _object_fits(node, kind)
    if isinstance(node, ListValueNode | ObjectValueNode) or isinstance(node, EnumValueNode) != is_enum_type(kind):
        return False
    return _constant_fits(node, kind)


def _object_fits(node: ObjectValueNode, kind: GraphQLInputObjectType) -> bool:
    given = {field.name.value: field.value for field in node.fields}
    required = (name for name, field in kind.fields.items() if is_required_input_field(field))
    known = all(name in kind.fields and _fits(value, kind.fields[name].type) for name, value in given.items())
    return known and all(name in given for name in required)


def _constant_fits(node: Any, kind: Any) -> bool:
    value: Any = node.value
    if isinstance(node, IntValueNode):
        value = int(value)
    elif isinstance(node, FloatValueNode):
        value = float(value)
    try:
        coerce(value, kind)
    except OutOfBoundsError as problem:
        raise refusal(400, str(problem), "bad_request") from problem
    except InputError:
        return False
    return True
