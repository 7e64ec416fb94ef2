"""Variables and arguments, coerced to the schema's types as graphql-ruby coerces them."""

from __future__ import annotations

import json
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    type_from_ast,
    value_from_ast,
)
from graphql.language import FieldNode, OperationDefinitionNode, VariableDefinitionNode, VariableNode, print_ast

from ds_provider.sandbox.graphql.errors import RefusalError, error
from ds_provider.sandbox.graphql.scalars import MAX_INT, SCALARS
from ds_provider.sandbox.graphql.schema import schema

Path = tuple[str | int, ...]


class InputError(ValueError):
    """A value that does not fit its type.

    :ivar problems: explanations with the path of the value inside of the whole
    """

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(problems[0]["explanation"])
        self.problems = problems


class OutOfBoundsError(InputError):
    """An integer of more than 32 bits where the schema has an Int."""


def read_variables(operation: OperationDefinitionNode, given: dict[str, Any]) -> dict[str, Any]:
    """Return the operation's variables, without those that have neither a value nor a default.

    :raises RefusalError: if one does not fit its type
    """
    values: dict[str, Any] = {}
    problems = []
    for definition in operation.variable_definitions or ():
        try:
            _read_one(definition, given, values)
        except InputError as problem:
            problems.append(_problem(definition, given.get(definition.variable.name.value), problem))
    if problems:
        raise RefusalError(200, {"errors": problems})
    return values


def _read_one(definition: VariableDefinitionNode, given: dict[str, Any], values: dict[str, Any]) -> None:
    name = definition.variable.name.value
    kind: Any = type_from_ast(schema(), definition.type)
    if name in given:
        values[name] = coerce(given[name], kind)
    elif definition.default_value is not None:
        values[name] = value_from_ast(definition.default_value, kind)
    elif isinstance(kind, GraphQLNonNull):
        coerce(None, kind)


def _problem(definition: VariableDefinitionNode, value: Any, problem: InputError) -> dict[str, Any]:
    name, kind = definition.variable.name.value, print_ast(definition.type)
    message = f"Variable ${name} of type {kind} was provided invalid value"
    parts = [f"{'.'.join(map(str, each['path']))} ({each['explanation']})" for each in problem.problems if each["path"]]
    if parts:
        message += f" for {', '.join(parts)}"
    token: Any = definition.loc.start_token if definition.loc else None
    where = [{"line": token.line, "column": token.column}]
    return error(message, locations=where, extensions={"value": value, "problems": problem.problems})


def coerce(value: Any, kind: GraphQLInputType, path: Path = ()) -> Any:
    """Coerce a JSON value to a type of the schema.

    :param path: where the value stands inside of the whole
    :raises InputError: if it does not fit
    """
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            raise _unfit("Expected value to not be null", path)
        return coerce(value, kind.of_type, path)
    if value is None:
        return None
    if isinstance(kind, GraphQLList):
        items = value if isinstance(value, list) else [value]
        return [coerce(item, kind.of_type, (*path, i)) for i, item in enumerate(items)]
    if isinstance(kind, GraphQLInputObjectType):
        return _coerce_object(value, kind, path)
    return _coerce_enum(value, kind, path) if isinstance(kind, GraphQLEnumType) else _coerce_scalar(value, kind, path)


def _coerce_enum(value: Any, kind: GraphQLEnumType, path: Path) -> Any:
    if not isinstance(value, str) or value not in kind.values:
        raise _unfit(f"Expected {serialize(value)} to be one of: {', '.join(kind.values)}", path)
    return value


def _coerce_scalar(value: Any, kind: Any, path: Path) -> Any:
    try:
        read = SCALARS.get(kind.name, kind.parse_value)(value)
    except (ValueError, TypeError, OverflowError) as problem:
        raise _unfit(f"Could not coerce value {serialize(value)} to {kind.name}", path) from problem
    if kind.name == "Int" and not -MAX_INT <= read < MAX_INT:
        message = f"Integer out of bounds: {value}. \nConsider using GraphQL::Types::BigInt instead."
        raise OutOfBoundsError([{"path": [], "explanation": message}])
    return read


def _coerce_object(value: Any, kind: GraphQLInputObjectType, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unfit(f"Expected {serialize(value)} to be a key-value object.", path)
    problems, out = [], {}
    for name in [*value, *(name for name in kind.fields if name not in value)]:
        field = kind.fields.get(name)
        if field is None:
            problems += _unfit(f"Field is not defined on {kind.name}", (*path, name)).problems
        elif name in value or isinstance(field.type, GraphQLNonNull):
            try:
                out[name] = coerce(value.get(name), field.type, (*path, name))
            except OutOfBoundsError:
                raise
            except InputError as problem:
                problems += problem.problems
    problems += _problems_of_one_of(value, kind, path)
    if problems:
        raise InputError(problems)
    return out


def _problems_of_one_of(value: dict[str, Any], kind: GraphQLInputObjectType, path: Path) -> list[dict[str, Any]]:
    """Return what is wrong with an object that must have exactly one key."""
    if not is_one_of(kind):
        return []
    wanted = f"'{kind.name}' requires exactly one argument, but"
    if len(value) != 1:
        return _unfit(f"{wanted} {len(value)} were provided.", path).problems
    return [
        problem
        for name, each in value.items()
        if each is None
        for problem in _unfit(f"{wanted} '{name}' was `null`.", path).problems
    ]


def is_one_of(kind: GraphQLInputObjectType) -> bool:
    """Return whether an input object takes exactly one key."""
    return any(node.name.value == "oneOf" for node in (kind.ast_node and kind.ast_node.directives) or ())


def serialize(value: Any) -> str:
    """Return a value as graphql-ruby's messages show it."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{serialize(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(serialize, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _unfit(explanation: str, path: Path) -> InputError:
    return InputError([{"path": list(path), "explanation": explanation}])


def read_arguments(field: GraphQLField, node: FieldNode, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of one field of a valid document, without those that are absent or null."""
    values: dict[str, Any] = {}
    for argument in node.arguments or ():
        name = argument.name.value
        if isinstance(argument.value, VariableNode):
            value = variables.get(argument.value.name.value)
        else:
            value = value_from_ast(argument.value, field.args[name].type, variables)
        if value is not None:
            values[name] = value
    return values
