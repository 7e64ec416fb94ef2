"""From a démarche's description to tables: the revisions of its form, their champs, its groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables import kinds
from ds_provider.tables.schemas import (
    ANNOTATIONS,
    CHAMP_DESCRIPTORS,
    CHAMPS,
    ERASED,
    GROUPES_INSTRUCTEURS,
    REVISIONS,
    TEXT,
)
from ds_provider.tables.wide.grouping import Champ

Row = dict[str, Any]


def describe(demarche: Row, read_at: datetime) -> dict[str, pa.Table]:
    """The tables ``revisions``, ``champ_descriptors`` and ``groupes_instructeurs`` of one démarche.

    :param demarche: what :meth:`~ds_provider.hooks.ds.DSHook.get_revisions` gives.
    :param read_at: when it was asked for, with a time zone.
    """
    revisions, groupes = demarche["revisions"], demarche["groupeInstructeurs"]
    common = {"demarche_number": demarche["number"], "read_at": read_at, ERASED: False}
    found = (
        (REVISIONS, map(_revision, revisions)),
        (CHAMP_DESCRIPTORS, (row for revision in revisions for row in _form(revision))),
        (GROUPES_INSTRUCTEURS, groupes),
    )
    return {
        table.name: pa.Table.from_pylist([{**common, **row} for row in rows], schema=table.schema)
        for table, rows in found
    }


def published_champs(descriptors: pa.Table, revisions: pa.Table) -> Iterator[Champ]:
    """The champs of the forms that are filled in now, which may have columns before any dossier shows them.

    A form in the making is left out: columns stay, and it may still change.

    :param descriptors: the table ``champ_descriptors``.
    :param revisions: the table ``revisions``.
    """
    published = revisions.filter(pc.is_valid(revisions["date_publication"])).sort_by("date_publication")
    current = dict(zip(published["demarche_number"].to_pylist(), published["id"].to_pylist(), strict=True))
    of_current = pc.is_in(descriptors["revision_id"], value_set=pa.array(current.values(), TEXT))
    rows = descriptors.filter(of_current).to_pylist()
    labels = {(row["demarche_number"], row["id"]): row["label"] for row in rows}
    for row in rows:
        if not row[ERASED] and kinds.has_value(champ_type := kinds.champ_type(row["type"])):
            yield Champ(
                row["demarche_number"],
                row["part"],
                row["repetition_descriptor_id"],
                labels.get((row["demarche_number"], row["repetition_descriptor_id"]), ""),
                row["id"],
                row["label"],
                kinds.kind_of(champ_type),
            )


def _revision(revision: Row) -> Row:
    return {
        "id": revision["id"],
        "date_creation": _instant(revision["dateCreation"]),
        "date_publication": _instant(revision["datePublication"]),
    }


def _form(revision: Row) -> Iterator[Row]:
    """The rows of one revision's form, or the one that removes those it had."""
    champs, annotations = revision["champDescriptors"], revision["annotationDescriptors"]
    if not champs and not annotations:
        yield {"revision_id": revision["id"], "demarche_number": None, "read_at": None, ERASED: True}
    for part, descriptors in ((CHAMPS, champs), (ANNOTATIONS, annotations)):
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


def _instant(value: str | None) -> datetime | None:
    return None if value is None else msgspec.convert(value, datetime)
