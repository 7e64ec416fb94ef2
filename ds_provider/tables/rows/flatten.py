"""Landed dossiers as tables.

A dossier's rows in a table take the place of those that it had there. So a part that was asked for and is empty has a
row that only removes them. A part that was not asked for has no row, and its table stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa

from ds_provider.tables import schemas
from ds_provider.tables.instants import to_microseconds
from ds_provider.tables.json.nodes import Dossier, read_dossier, read_head
from ds_provider.tables.json.values import Columns
from ds_provider.tables.rows import children
from ds_provider.tables.rows import dossiers as parents
from ds_provider.tables.rows.attachments import fichier_columns, geo_area_columns
from ds_provider.tables.rows.building import Key, TableBuilder, build
from ds_provider.tables.rows.champs import Champs, champ_columns
from ds_provider.tables.schemas import CHILD_TABLES, DOSSIERS, GROUPES_INSTRUCTEURS, REVISIONS, Table

# so few that they stay in the processor's caches: twice as fast as all of a batch together
_CHUNK = 16
# these are in every answer, so that null says that there is none
_ALWAYS_SENT = {schemas.ATTESTATION, schemas.MOTIVATION}


def flatten(lines: Sequence[bytes], read_at: datetime) -> dict[str, pa.Table]:
    """Return a batch of landed dossiers as tables by name: ``dossiers``, its child tables, groups and revisions.

    :param lines: the JSON of one dossier each, no dossier twice.
    :param read_at: when the extraction began that landed them, with a time zone.
    :raises DSMalformedResponseError: if a line is not a dossier's.
    """
    builders = {table.name: TableBuilder(table) for table in (*CHILD_TABLES, DOSSIERS)}
    began = read_at.isoformat()
    groupes: parents.Groupes = {}
    revisions: parents.Revisions = {}
    for start in range(0, len(lines), _CHUNK):
        dossiers = [*map(read_dossier, lines[start : start + _CHUNK])]
        builders[DOSSIERS.name].add(parents.dossier_columns(dossiers, began))
        for table, columns in _columns(dossiers):
            builders[table.name].add(columns)
            builders[table.name].hard_delete(_keys_without_rows(table, columns, dossiers))
        groupes |= parents.find_groupes(dossiers)
        revisions |= parents.find_revisions(dossiers)
    tables = {name: builder.build() for name, builder in builders.items()}
    return {
        **tables,
        GROUPES_INSTRUCTEURS.name: build(GROUPES_INSTRUCTEURS, parents.groupe_columns(groupes, began)),
        REVISIONS.name: build(REVISIONS, parents.revision_columns(revisions, began)),
    }


def read_heads(lines: Iterable[bytes]) -> list[tuple[int, int]]:
    """Return the number of each landed dossier, and when it was last modified, in microseconds since 1970 in UTC.

    :raises DSMalformedResponseError: if a line is not a dossier's.
    """
    heads = map(read_head, lines)
    return [(head.number, to_microseconds(head.date_derniere_modification)) for head in heads]


def _columns(dossiers: Sequence[Dossier]) -> list[tuple[Table, Columns]]:
    """Return the columns of each of :data:`CHILD_TABLES`."""
    champs = {part: Champs.of(dossiers, part) for part in (schemas.CHAMPS, schemas.ANNOTATIONS)}
    return [
        (schemas.CHAMP_ROWS, champ_columns(schemas.CHAMP_ROWS, champs[schemas.CHAMPS])),
        (schemas.ANNOTATION_ROWS, champ_columns(schemas.ANNOTATION_ROWS, champs[schemas.ANNOTATIONS])),
        (schemas.FICHIERS, fichier_columns(dossiers, champs)),
        (schemas.GEO_AREAS, geo_area_columns(champs)),
        (schemas.TRAITEMENTS, children.traitement_columns(dossiers)),
        (schemas.MESSAGE_ROWS, children.message_columns(dossiers)),
        (schemas.AVIS_ROWS, children.avis_columns(dossiers)),
        (schemas.INSTRUCTEURS, children.instructeur_columns(dossiers)),
        (schemas.LABELS, children.label_columns(dossiers)),
    ]


def _keys_without_rows(table: Table, columns: Columns, dossiers: Sequence[Dossier]) -> list[Key]:
    """Return the keys of the parts that were asked for and are empty."""
    if not table.parts:
        return [(dossier.number,) for dossier in dossiers if getattr(dossier, table.name) == []]
    present = set(zip(*(columns[name] for name in table.key), strict=True))
    sent = ((dossier.number, part) for part in table.parts for dossier in dossiers if _is_sent(dossier, part))
    return [key for key in sent if key not in present]


def _is_sent(dossier: Dossier, part: str) -> bool:
    return part in _ALWAYS_SENT or getattr(dossier, part) is not None
