"""The questions that have one answer: a démarche's groups, one dossier, a form and its revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from ds_provider.api.query import documents
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, read_answer
from ds_provider.api.transport.retry import Flow, Send, once
from ds_provider.exceptions import DSMalformedAnswerError, DSNotFoundError

T = TypeVar("T")


class _Groupe(msgspec.Struct):
    id: str
    number: int
    label: str
    closed: bool


class _Descriptor(msgspec.Struct, rename={"typename": "__typename", "children": "champDescriptors"}):
    typename: str
    id: str
    label: str
    required: bool
    description: str | None = None
    options: list[str] | None = None
    children: list[_Descriptor] | None = None


class _Revision(msgspec.Struct, rename="camel"):
    id: str
    date_creation: datetime
    date_publication: datetime | None
    champ_descriptors: list[_Descriptor]
    annotation_descriptors: list[_Descriptor]


class _Forms(msgspec.Struct, rename="camel"):
    number: int
    revisions: list[_Revision]
    groupe_instructeurs: list[_Groupe]


_decoder = msgspec.json.Decoder(Body[dict[str, Any]])


def run(request: Request) -> Flow[dict[str, Any]]:
    """The ``data`` of any operation whose answer is whole."""
    return once(request, lambda exchange: read_answer(exchange, _decoder))


def ping() -> Flow[dict[str, Any]]:
    """The cheapest question that only a good token gets answered. Asked once: somebody waits for the answer."""
    exchange = yield Send(Request(documents.load("ping")))
    yield read_answer(cast("Exchange", exchange), _decoder)


def groupes(demarche_number: int) -> Flow[list[dict[str, Any]]]:
    """All groups of a démarche, closed ones included: ``id``, ``number``, ``label``, ``closed``."""
    request = Request(documents.load("groupes"), {"number": demarche_number})
    return once(request, lambda exchange: _read_groupes(exchange, demarche_number))


def dossier(number: int, includes: Includes) -> Flow[dict[str, Any]]:
    """One dossier, with the same fields as in a group's pages."""
    request = Request(documents.load("dossier"), {"number": number, **includes.variables()})
    return once(request, lambda exchange: _root(exchange, "dossier", number))


def demarche_descriptor(number: int) -> Flow[dict[str, Any]]:
    """A démarche's description and the form of its current revision."""
    request = Request(documents.load("demarche_descriptor"), {"number": number})
    return once(request, lambda exchange: _root(exchange, "demarcheDescriptor", number))


def revisions(demarche_number: int) -> Flow[dict[str, Any]]:
    """A démarche's number, its groups, and all revisions of its form, the one in the making included."""
    request = Request(documents.load("revisions"), {"number": demarche_number})
    return once(request, lambda exchange: _read_revisions(exchange, demarche_number))


def _read_groupes(exchange: Exchange, demarche_number: int) -> list[dict[str, Any]]:
    demarche = _root(exchange, "demarche", demarche_number)
    try:
        groupes = msgspec.convert(demarche.get("groupeInstructeurs"), list[_Groupe])
    except msgspec.ValidationError as error:
        raise DSMalformedAnswerError(f"the groups of démarche {demarche_number} are not the API's: {error}") from None
    return [msgspec.structs.asdict(groupe) for groupe in groupes]


def _read_revisions(exchange: Exchange, demarche_number: int) -> dict[str, Any]:
    demarche = _root(exchange, "demarche", demarche_number)
    try:
        msgspec.convert(demarche, _Forms)
    except msgspec.ValidationError as error:
        raise DSMalformedAnswerError(f"the forms of démarche {demarche_number} are not the API's: {error}") from None
    return demarche


def _root(exchange: Exchange, field: str, number: int) -> dict[str, Any]:
    found = read_answer(exchange, _decoder).get(field)
    if not isinstance(found, dict):
        raise DSNotFoundError(f"the API shows no {field} under number {number}")
    return found
