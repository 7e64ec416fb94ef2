"""Tables of a démarche: the revisions of its form, their champs, its groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from ds_provider.tables import schemas
from ds_provider.tables.schemas import ERASED

Row = dict[str, Any]


def describe(demarche: Row, read_at: datetime) -> dict[str, pa.Table]:
    """Return the tables ``revisions``, ``champ_descriptors`` and ``groupes_instructeurs`` of one démarche.

    :param demarche: the answer of :meth:`~ds_provider.hooks.ds.DSHook.get_revisions`.
    :param read_at: when it was asked for, with a time zone.
    """
    revisions, groupes = demarche["revisions"], demarche["groupeInstructeurs"]
    common = {"demarche_number": demarche["number"], "read_at": read_at, ERASED: False}
    found = (
        (schemas.REVISIONS, map(_revision, revisions)),
        (schemas.CHAMP_DESCRIPTORS, (row for revision in revisions for row in _form(revision))),
        (schemas.GROUPES_INSTRUCTEURS, groupes),
    )
    return {
        table.name: pa.Table.from_pylist([{**common, **row} for row in rows], schema=table.schema)
        for table, rows in found
    }


def _revision(revision: Row) -> Row:
    return {
        "id": revision["id"],
        "date_creation": msgspec.convert(revision["dateCreation"], datetime | None),
        "date_publication": msgspec.convert(revision["datePublication"], datetime | None),
    }


def _form(revision: Row) -> Iterator[Row]:
    """Return the rows of one revision's form, or the one that removes those it had."""
    champs, annotations = revision["champDescriptors"], revision["annotationDescriptors"]
    if not champs and not annotations:
        yield {"revision_id": revision["id"], "demarche_number": None, "read_at": None, ERASED: True}
    for part, descriptors in ((schemas.CHAMPS, champs), (schemas.ANNOTATIONS, annotations)):
        for row in _descriptors(descriptors, None):
            yield {"revision_id": revision["id"], "part": part, **row}


def _descriptors(descriptors: list[Row], repetition: str | None) -> Iterator[Row]:
    for position, descriptor in enumerate(descriptors):
        yield _descriptor(descriptor, repetition, position)
        yield from _descriptors(descriptor.get("champDescriptors") or [], descriptor["id"])


def _descriptor(descriptor: Row, repetition: str | None, position: int) -> Row:
    options = descriptor.get("options")
    return {
        "id": descriptor["id"],
        "repetition_descriptor_id": repetition,
        "position": position,
        "label": descriptor["label"],
        "description": descriptor.get("description"),
        "type": descriptor["__typename"],
        "required": descriptor["required"],
        "options": None if options is None else msgspec.json.encode(options).decode(),
    }
