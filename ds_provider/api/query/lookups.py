"""Lookups: flows of one request each, for a démarche's groups, one dossier, or a form and its revisions."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import msgspec

from ds_provider.api.query import documents
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.flows import Flow, Send, SubFlow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import Body, read_response
from ds_provider.api.transport.retry import once, send_with_retry
from ds_provider.exceptions import DSMalformedResponseError, DSNotFoundError


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


class _Groupes(msgspec.Struct, rename="camel"):
    groupe_instructeurs: list[_Groupe]


class _Forms(_Groupes, rename="camel"):
    number: int
    revisions: list[_Revision]


# the fact of an error that is the number of a root field
_FACTS = {
    "demarche": "demarche_number",
    "demarcheDescriptor": "demarche_number",
    "dossier": "dossier_number",
    "groupeInstructeur": "groupe_instructeur_number",
}
_NUMBERED = re.compile(rf"\b({'|'.join(_FACTS)})\s*\(\s*(?:demarche\s*:\s*\{{\s*)?number\s*:\s*(\$\w+|[0-9]+)")

_decoder = msgspec.json.Decoder(Body[dict[str, Any]])


def run(request: Request) -> Flow[dict[str, Any]]:
    """Yield the ``data`` of any operation, once its response is whole. Errors name the numbers that it asks for."""
    request = replace(request, context={**_numbers_in(request), **request.context})
    return once(request, lambda exchange: read_response(exchange, _decoder))


def _numbers_in(request: Request) -> dict[str, int]:
    """Return what an operation asks for by number, as the facts of an error."""
    numbers: dict[str, int] = {}
    for field, given in _NUMBERED.findall(request.query):
        value: Any = request.variables.get(given[1:]) if given.startswith("$") else given
        with suppress(TypeError, ValueError):
            numbers.setdefault(_FACTS[field], int(value))
    return numbers


def check_token() -> Flow[bool]:
    """Yield true once the service has accepted the token. Sent once, without retries: a person waits.

    What the API tells about itself, ``__typename`` included, it tells without a token too. So it is asked for a
    démarche that there is not: only with a token does it find that out.

    :raises DSError: if it does not accept the token, or does not answer.
    """
    exchange = yield Send(Request(documents.load("no_demarche")))
    with suppress(DSNotFoundError):
        read_response(cast("Exchange", exchange), _decoder)
    yield True


def get_groupes(demarche_number: int) -> Flow[list[dict[str, Any]]]:
    """Yield all groups of a démarche, closed ones included: ``id``, ``number``, ``label``, ``closed``."""
    demarche = yield from _root_field("groupes", "demarche", demarche_number, _Groupes)
    yield demarche["groupeInstructeurs"]


def get_dossier(number: int, includes: Includes) -> Flow[dict[str, Any]]:
    """Yield one dossier, with the same fields as in a group's pages."""
    yield (yield from _root_field("dossier", "dossier", number, **includes.variables()))


def get_demarche_descriptor(number: int) -> Flow[dict[str, Any]]:
    """Yield a démarche's description, with the form of its current revision."""
    yield (yield from _root_field("demarche_descriptor", "demarcheDescriptor", number))


def get_revisions(demarche_number: int) -> Flow[dict[str, Any]]:
    """Yield a démarche's number, its groups, and all revisions of its form, the draft included."""
    yield (yield from _root_field("revisions", "demarche", demarche_number, _Forms))


def _root_field(
    document: str, field: str, number: int, shape: type[msgspec.Struct] | None = None, /, **variables: bool
) -> SubFlow[dict[str, Any]]:
    request = Request(documents.load(document), {"number": number, **variables}, {_FACTS[field]: number})

    def read(exchange: Exchange) -> dict[str, Any]:
        found = read_response(exchange, _decoder).get(field)
        if not isinstance(found, dict):
            raise DSNotFoundError(f"the API shows no {field} under number {number}")
        try:
            msgspec.convert(found, shape or Any)
        except msgspec.ValidationError as error:
            raise DSMalformedResponseError(f"démarche {number} is not as the API sends it: {error}") from None
        return found

    return (yield from send_with_retry(lambda: request, read))
