"""Landed dossiers as tables.

A dossier's rows in a table take the place of those that it had there. So a part that was read and is empty is told too,
by a row that only erases; a part that was not asked for is not spoken of, and its table stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import product

import pyarrow as pa

from ds_provider.tables.json.nodes import Dossier, read_dossier, read_head
from ds_provider.tables.json.values import Columns
from ds_provider.tables.rows import building, children
from ds_provider.tables.rows.attachments import fichiers, geo_areas
from ds_provider.tables.rows.building import Key, TableBuilder, build
from ds_provider.tables.rows.champs import Champs, champ_columns
from ds_provider.tables.rows.dossiers import (
    Groupes,
    Revisions,
    dossier_columns,
    find_groupes,
    find_revisions,
    groupe_columns,
    revision_columns,
)
from ds_provider.tables.schemas import (
    ANNOTATION_ROWS,
    ANNOTATIONS,
    ATTESTATION,
    AVIS_ROWS,
    CHAMP_ROWS,
    CHAMPS,
    CHILD_TABLES,
    DOSSIERS,
    FICHIERS,
    GEO_AREAS,
    GROUPES_INSTRUCTEURS,
    INSTRUCTEURS,
    LABELS,
    MESSAGE_ROWS,
    MOTIVATION,
    REVISIONS,
    TRAITEMENTS,
    Table,
)

# so few that they stay in the processor's caches: twice as fast as all of a batch together
_AT_ONCE = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
# the service gives these whatever it is asked for, so that null says that there is none
_ALWAYS_READ = {ATTESTATION, MOTIVATION}


def flatten(lines: Sequence[bytes], read_at: datetime) -> dict[str, pa.Table]:
    """A batch of landed dossiers as tables by name: ``dossiers``, those of :data:`CHILD_TABLES`, groups and revisions.

    :param lines: the JSON of one dossier each, no dossier twice.
    :param read_at: when the reading began that brought them.
    :raises DSMalformedAnswerError: if a line is not a dossier's.
    """
    builders = {table.name: TableBuilder(table) for table in CHILD_TABLES}
    builders[DOSSIERS.name] = TableBuilder(DOSSIERS, read_at=read_at)
    groupes: Groupes = {}
    revisions: Revisions = {}
    for start in range(0, len(lines), _AT_ONCE):
        dossiers = [*map(read_dossier, lines[start : start + _AT_ONCE])]
        builders[DOSSIERS.name].add(dossier_columns(dossiers))
        for table, columns in _columns(dossiers):
            builders[table.name].add(columns)
            builders[table.name].erase(_keys_without_rows(table, columns, dossiers))
        groupes |= find_groupes(dossiers)
        revisions |= find_revisions(dossiers)
    tables = {name: builder.build() for name, builder in builders.items()}
    return {
        **tables,
        GROUPES_INSTRUCTEURS.name: build(GROUPES_INSTRUCTEURS, groupe_columns(groupes), read_at=read_at),
        REVISIONS.name: build(REVISIONS, revision_columns(revisions), read_at=read_at),
    }


def read_heads(lines: Iterable[bytes]) -> list[tuple[int, int]]:
    """The number of each landed dossier, and when it was last modified, in microseconds since 1970 UTC.

    :raises DSMalformedAnswerError: if a line is not a dossier's.
    """
    heads = map(read_head, lines)
    return [(head.number, (head.date_derniere_modification - _EPOCH) // _MICROSECOND) for head in heads]


def hard_delete_rows(table: Table, numbers: Sequence[int]) -> pa.Table:
    """The rows that remove all that a table holds of dossiers.

    :param table: one whose rows are a dossier's: its key begins with the dossier's number.
    """
    keys: list[Key] = [*product(numbers, table.parts)] if table.parts else [(number,) for number in numbers]
    return building.hard_delete_rows(table, keys)


def _columns(dossiers: Sequence[Dossier]) -> list[tuple[Table, Columns]]:
    """Of each of :data:`CHILD_TABLES`."""
    champs = {part: Champs.of(dossiers, part) for part in (CHAMPS, ANNOTATIONS)}
    return [
        (CHAMP_ROWS, champ_columns(CHAMP_ROWS, champs[CHAMPS])),
        (ANNOTATION_ROWS, champ_columns(ANNOTATION_ROWS, champs[ANNOTATIONS])),
        (FICHIERS, fichiers(dossiers, champs)),
        (GEO_AREAS, geo_areas(champs)),
        (TRAITEMENTS, children.traitements(dossiers)),
        (MESSAGE_ROWS, children.messages(dossiers)),
        (AVIS_ROWS, children.avis(dossiers)),
        (INSTRUCTEURS, children.instructeurs(dossiers)),
        (LABELS, children.labels(dossiers)),
    ]


def _keys_without_rows(table: Table, columns: Columns, dossiers: Sequence[Dossier]) -> list[Key]:
    """Of what was read, that which is empty."""
    if not table.parts:
        return [(dossier.number,) for dossier in dossiers if getattr(dossier, table.name) == []]
    there = set(zip(*(columns[name] for name in table.key), strict=True))
    read = ((dossier.number, part) for part in table.parts for dossier in dossiers if _is_read(dossier, part))
    return [key for key in read if key not in there]


def _is_read(dossier: Dossier, part: str) -> bool:
    return part in _ALWAYS_READ or getattr(dossier, part) is not None
