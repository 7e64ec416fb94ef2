"""Service that is asked for many dossiers by number in one request, and reads that request as a server does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from graphql import OperationDefinitionNode, parse

from ds_provider.api.transport.messages import Exchange, Request
from tests.support.batched_groups import arguments_of, fields_of
from tests.support.flows import response

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)

HIDDEN = {"message": "An object of type Dossier was hidden due to permissions"}
MISSING = {"message": "Dossier not found"}
NULLED = {"message": "Cannot return null for non-nullable field Dossier.demandeur"}


def is_by_numbers(request: Request) -> bool:
    return "query rereadDossiers" in request.query


def asked_for(request: Request) -> dict[str, int]:
    """Return the number that each alias asks for."""
    definitions = parse(request.query).definitions
    operation = next(one for one in definitions if isinstance(one, OperationDefinitionNode))
    given = json.loads(request.body)["variables"]
    return {field.alias.value: arguments_of(field, given)["number"] for field in fields_of(operation) if field.alias}


def node(number: int) -> dict[str, Any]:
    date = (START + timedelta(seconds=number)).isoformat()
    return {"number": number, "dateDepot": date, "dateDerniereModification": date, "state": "accepte"}


@dataclass
class Dossiers:
    """Shows each dossier that is asked for, but those named here.

    A dossier may not be null: one that fails leaves no data, and only the first one is named.
    """

    not_found: set[int] = field(default_factory=set)
    unauthorized: set[int] = field(default_factory=set)
    invalid_null: set[int] = field(default_factory=set)
    poison: set[int] = field(default_factory=set)
    largest: int = 100
    batches: list[list[int]] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)

    def __call__(self, request: Request) -> Exchange:
        if is_by_numbers(request):
            asked = asked_for(request)
            self.batches.append(list(asked.values()))
        elif "query getTypename" in request.query:
            return response({"data": {"__typename": "Query"}})
        else:
            asked = {"dossier": request.variables["number"]}
            self.alone.append(asked["dossier"])
        if len(asked) > self.largest:
            return timeout()
        if self.poison.intersection(asked.values()):
            return internal_error()
        for alias, number in asked.items():
            if error := self._error(alias, number):
                return response({"data": None, "errors": [error]})
        return response({"data": {alias: node(number) for alias, number in asked.items()}})

    def _error(self, alias: str, number: int) -> dict[str, Any] | None:
        if number in self.not_found:
            return {**MISSING, "path": [alias], "extensions": {"code": "not_found"}}
        if number in self.unauthorized:
            return {**HIDDEN, "path": [alias], "extensions": {"code": "unauthorized"}}
        if number in self.invalid_null:
            return {**NULLED, "path": [alias, "demandeur"], "extensions": {"code": "invalid_null"}}
        return None


def timeout() -> Exchange:
    return response({"data": None, "errors": [{"message": "Timeout on Query.x", "extensions": {"code": "timeout"}}]})


def internal_error() -> Exchange:
    extensions = {"code": "internal_server_error", "exception_id": "e-1"}
    return response(
        {"errors": [{"message": "Internal Server Error", "extensions": extensions}], "data": None}, status=500
    )
