"""Service that is asked for several groups in one request, and reads that request as a server does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pendulum
from graphql import FieldNode, IntValueNode, OperationDefinitionNode, VariableNode, parse

from ds_provider.api.polling.idle_groups import find_idle_groups
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.selection import Selection
from ds_provider.api.query.windows import DateColumn, Window
from ds_provider.api.transport.messages import Exchange, Request, Response
from tests.support.connection_model import Connection, Stored
from tests.support.flows import Drive, response

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)

Respond = Callable[[Request], Exchange]


@dataclass(frozen=True)
class Part:
    """Part of a request that asks for one group, as if it was asked for alone."""

    alias: str
    connection: str
    request: Request

    @property
    def groupe(self) -> int:
        return int(self.request.variables["number"])


def is_batched(request: Request) -> bool:
    return "getFirstDossiers" in request.query


def parts_of(request: Request) -> Iterator[Part]:
    """Yield each root field with its arguments and those of its connection."""
    given = json.loads(request.body)["variables"]
    definitions = parse(request.query).definitions
    operation = next(one for one in definitions if isinstance(one, OperationDefinitionNode))
    for field in fields_of(operation):
        (connection,) = (one for one in fields_of(field) if one.name.value != "label")
        assert field.alias is not None
        arguments = {**arguments_of(field, given), **arguments_of(connection, given)}
        yield Part(field.alias.value, connection.name.value, Request(request.query, arguments))


def fields_of(node: OperationDefinitionNode | FieldNode) -> list[FieldNode]:
    return [one for one in (node.selection_set.selections if node.selection_set else ()) if isinstance(one, FieldNode)]


def arguments_of(field: FieldNode, given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for argument in field.arguments:
        value = argument.value
        if isinstance(value, VariableNode) and value.name.value in given:
            found[argument.name.value] = given[value.name.value]
        elif isinstance(value, IntValueNode):
            found[argument.name.value] = int(value.value)
    return found


def respond_batched(request: Request, respond: Callable[[Part], Exchange]) -> Exchange:
    """Return one response made of those that each part would get alone.

    As with the service, a part that fails leaves no data, and only the first one is named. A response that is
    not GraphQL's stands for the whole.
    """
    data: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for part in parts_of(request):
        exchange = respond(part)
        body = body_of(exchange)
        if body is None:
            return exchange
        errors += [error | {"path": [part.alias, *error.get("path", [])[1:]]} for error in body.get("errors", [])]
        if body["data"] is None:
            return response({"data": None, "errors": errors})
        data[part.alias] = body["data"]["groupeInstructeur"]
    return response({"data": data, "errors": errors} if errors else {"data": data})


def body_of(exchange: Exchange) -> Any:
    """Return the content of a GraphQL response, or None if it is none."""
    if not isinstance(exchange, Response) or exchange.status != 200:
        return None
    try:
        return json.loads(exchange.body)
    except ValueError:
        return None


class Groupes:
    """Responds for several groups at once, or for one of them."""

    def __init__(self, holds: dict[int, list[Stored]] | None = None, fails: dict[int, Exchange] | None = None) -> None:
        self.holds = holds or {}
        self.fails = fails or {}

    def __call__(self, request: Request) -> Exchange:
        if is_batched(request):
            return respond_batched(request, lambda part: self.alone(part.request))
        return self.alone(request)

    def alone(self, request: Request) -> Exchange:
        groupe = request.variables["number"]
        return self.fails.get(groupe) or Connection(self.holds.get(groupe, []))(request)


def at(seconds: float) -> pendulum.DateTime:
    return pendulum.instance(START + timedelta(seconds=seconds))


def rows(*seconds: float) -> list[Stored]:
    return [Stored(i + 1, at(after)) for i, after in enumerate(seconds)]


def selection(
    groupe: int, start: float = 0, end: float | None = 10, column: DateColumn = "updated", **asked: Any
) -> Selection:
    return select_dossiers(groupe, window=Window(column, at(start), None if end is None else at(end)), **asked)


def refused(code: str, message: str = "hidden") -> Exchange:
    return response({"data": None, "errors": [{"message": message, "extensions": {"code": code}}]})


def ask(selections: list[Selection], service: Respond) -> Drive:
    return Drive(find_idle_groups(selections), service)


def found(drive: Drive) -> set[int]:
    assert drive.error is None, repr(drive.error)
    (idle,) = drive.results
    return set(idle)
