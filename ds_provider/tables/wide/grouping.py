"""Champs of a published form, and the rows of a batch of dossiers grouped by champ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.rows import kinds
from ds_provider.tables.schemas import ERASED, INTEGER, TEXT

Columns = Mapping[str, pa.Array]

_GROUPED_BY = ("champ_descriptor_id", "repetition_descriptor_id", "type")


class Champ(NamedTuple):
    """A champ of one démarche, as its form or a dossier shows it.

    :param part: ``champs`` or ``annotations``.
    :param repetition_descriptor_id: the repetition block that holds it; null at the root.
    :param kind: of its values, see :mod:`ds_provider.tables.rows.kinds`.
    """

    demarche_number: int
    part: str
    repetition_descriptor_id: str | None
    champ_descriptor_id: str
    kind: str
    label: str
    repetition_label: str


class ChampRows(NamedTuple):
    """Rows of a batch that show one champ with one type.

    :param indexes: of the rows, in the batch.
    """

    champ_descriptor_id: str
    repetition_descriptor_id: str | None
    type: str
    label: str
    indexes: pa.Array


def published_champs(descriptors: pa.Table, revisions: pa.Table) -> Iterator[Champ]:
    """Return the champs of the forms that are filled in now: they may have columns before any dossier shows them.

    A form in the making is left out: columns stay, and it may still change.

    :param descriptors: the table ``champ_descriptors``.
    :param revisions: the table ``revisions``.
    """
    published = revisions.filter(pc.is_valid(revisions["date_publication"])).sort_by("date_publication")
    current = dict(zip(published["demarche_number"].to_pylist(), published["id"].to_pylist(), strict=True))
    is_current = pc.is_in(descriptors["revision_id"], value_set=pa.array(current.values(), TEXT))
    rows = descriptors.filter(is_current).to_pylist()
    labels = {(row["demarche_number"], row["id"]): row["label"] for row in rows}
    for row in rows:
        if not row[ERASED] and kinds.has_value(champ_type := kinds.champ_type(row["type"])):
            yield Champ(
                row["demarche_number"],
                row["part"],
                row["repetition_descriptor_id"],
                row["id"],
                kinds.kind_of(champ_type),
                row["label"],
                labels.get((row["demarche_number"], row["repetition_descriptor_id"]), ""),
            )


def by_demarche(champs: pa.Table, dossiers: pa.Table) -> Iterator[tuple[int, Columns]]:
    """Return the columns of each démarche of the batch that has any rows.

    :param champs: the table ``champs`` or ``annotations``.
    :param dossiers: the table ``dossiers``.
    """
    demarches = pc.unique(dossiers["demarche_number"]).drop_null().to_pylist()
    for demarche_number in demarches:
        numbers = dossiers.filter(pc.equal(dossiers["demarche_number"], demarche_number))["number"]
        # a group's dossiers are of one démarche, and then nothing is copied
        is_only = len(numbers) == dossiers.num_rows
        rows = champs if is_only else champs.filter(pc.is_in(champs["dossier_number"], numbers.combine_chunks()))
        if rows.num_rows:
            yield demarche_number, {name: _unchunked(rows[name]) for name in rows.column_names}


def by_champ(columns: Columns) -> list[ChampRows]:
    """Return the rows of each champ and type, in the order in which these first appear."""
    codes = pa.repeat(pa.scalar(0, INTEGER), len(columns["type"]))
    for name in _GROUPED_BY:
        encoded = columns[name].dictionary_encode(null_encoding="encode")
        codes = pc.add(pc.multiply(codes, len(encoded.dictionary)), encoded.indices)
    group_of = codes.dictionary_encode().indices
    indexes = pc.array_sort_indices(group_of)  # stable
    found, start = [], 0
    for size in pc.value_counts(group_of).field("counts").to_pylist():
        first = indexes[start].as_py()
        known = {name: columns[name][first].as_py() for name in (*_GROUPED_BY, "label")}
        # a row that only says that a dossier has no champs shows none
        if known["champ_descriptor_id"] is not None:
            found.append(ChampRows(**known, indexes=indexes.slice(start, size)))
        start += size
    return found


def champs_with_values(demarche_number: int, part: str, found: list[ChampRows]) -> Iterator[tuple[Champ, ChampRows]]:
    """Return the champs that have values, each with its rows; those of the root first."""
    labels = {rows.champ_descriptor_id: rows.label for rows in found if rows.type == kinds.REPETITION}
    for rows in sorted(found, key=lambda rows: rows.repetition_descriptor_id is not None):
        if kinds.has_value(rows.type):
            block, kind = rows.repetition_descriptor_id, kinds.kind_of(rows.type)
            of_block = labels.get(block or "", "")
            yield Champ(demarche_number, part, block, rows.champ_descriptor_id, kind, rows.label, of_block), rows


def _unchunked(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
