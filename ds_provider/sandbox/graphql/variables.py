"""Variables and arguments, coerced to the schema's types."""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    type_from_ast,
    value_from_ast,
)
from graphql.language import FieldNode, OperationDefinitionNode, VariableDefinitionNode, VariableNode, print_ast
from graphql.pyutils import Undefined

from ds_provider.sandbox.graphql.errors import RefusalError, error, refusal
from ds_provider.sandbox.graphql.schema import schema

INT_BITS = 1 << 31


def read_variables(operation: OperationDefinitionNode, given: dict[str, Any]) -> dict[str, Any]:
    """Return the operation's variables, without those that have neither a value nor a default.

    :raises RefusalError: if one does not fit its type
    """
    values: dict[str, Any] = {}
    problems = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        try:
            _read_one(definition, given, values)
        except (ValueError, TypeError, GraphQLError) as problem:
            if isinstance(given.get(name), int) and abs(given[name]) >= INT_BITS:
                raise refusal(200, f"Integer out of bounds: {given[name]}", "bad_request") from problem
            problems.append(_problem(definition, given.get(name), problem))
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
        raise ValueError("Expected value to not be null")


def _problem(definition: VariableDefinitionNode, value: Any, problem: Exception) -> dict[str, Any]:
    message = (
        f"Variable ${definition.variable.name.value} of type {print_ast(definition.type)} was provided invalid value"
    )
    extensions = {"value": value, "problems": [{"path": [], "explanation": str(problem)}]}
    return error(message, extensions=extensions)


def coerce(value: Any, kind: GraphQLInputType) -> Any:
    """Coerce a JSON value to a type of the schema.

    :raises ValueError: if it does not fit
    """
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            raise ValueError("Expected value to not be null")
        return coerce(value, kind.of_type)
    if value is None:
        return None
    if isinstance(kind, GraphQLList):
        return [coerce(item, kind.of_type) for item in (value if isinstance(value, list) else [value])]
    if isinstance(kind, GraphQLInputObjectType):
        return _coerce_object(value, kind)
    assert isinstance(kind, GraphQLScalarType | GraphQLEnumType)  # noqa: S101
    return kind.parse_value(value)


def _coerce_object(value: Any, kind: GraphQLInputObjectType) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"Expected {value!r} to be an object")
    if unknown := set(value) - set(kind.fields):
        raise ValueError(f"Field is not defined on {kind.name}: {', '.join(sorted(unknown))}")
    return {name: coerce(value[name], field.type) for name, field in kind.fields.items() if name in value}


def read_arguments(field: GraphQLField, node: FieldNode, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of one field, without those that are absent or null.

    :raises RefusalError: if a literal does not fit
    """
    values: dict[str, Any] = {}
    for argument in node.arguments or ():
        name = argument.name.value
        if isinstance(argument.value, VariableNode):
            value = variables.get(argument.value.name.value)
        else:
            value = value_from_ast(argument.value, field.args[name].type, variables)
        if value is Undefined:
            raise RefusalError(200, {"errors": [error(f"Argument '{name}' has an invalid value")]})
        if value is not None:
            values[name] = value
    return values
