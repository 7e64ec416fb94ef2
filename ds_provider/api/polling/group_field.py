"""Batch field that asks for one connection of one group, and the few fields of its rows that polling needs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from ds_provider.api.paging.rows import PageInfo, RowHead
from ds_provider.api.query.batch import BatchField
from ds_provider.exceptions import DSIncompletePageError

ALIAS = "g"
DOSSIER_FILTERS = {
    "state": "DossierState",
    "archived": "Boolean",
    "createdSince": "ISO8601DateTime",
    "updatedSince": "ISO8601DateTime",
}


class HeadConnection(msgspec.Struct, rename="camel"):
    """Page of a connection, of whose rows only the heads were asked for."""

    page_info: PageInfo
    nodes: list[RowHead]


class _Label(msgspec.Struct):
    label: str


_decoder = msgspec.json.Decoder(dict[str, HeadConnection | str])
_label_decoder = msgspec.json.Decoder(_Label)


def group_field(
    connection: str, arguments: Mapping[str, str], fragment: str, *, fixed: str = "", beside: str = ""
) -> BatchField:
    """Return the field that asks for a connection of a group.

    :param arguments: the types of the connection's arguments, by name; each is a variable.
    :param fragment: the fragment to spread on the connection.
    :param fixed: arguments with their values, to stand before the others.
    :param beside: another field of the group.
    """
    given = ", ".join(filter(None, [fixed, *(f"{name}: ${name}" for name in arguments)]))
    fields = "\n    ".join(filter(None, [beside, f"{connection}({given}) {{\n      ...{fragment}\n    }}"]))
    text = f"groupeInstructeur(number: $number) {{\n    {fields}\n  }}"
    return BatchField(text, {"number": "Int!", **arguments})


def read_group_field(field: msgspec.Raw, connection: str) -> HeadConnection:
    """Return the connection that a group's field holds.

    :raises DSIncompletePageError: if it is not whole.
    """
    with suppress(msgspec.DecodeError):
        found = _decoder.decode(field).get(connection)
        if isinstance(found, HeadConnection):
            return found
    raise DSIncompletePageError(f"the response lacks some of the group's {connection}")


def read_group_label(field: msgspec.Raw) -> str | None:
    """Return the group's label, if it was asked for and came."""
    with suppress(msgspec.DecodeError):
        return _label_decoder.decode(field).label
    return None
