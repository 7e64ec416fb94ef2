"""Values of the champs of a published form, and the rows of a batch of dossiers grouped by champ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.rows import kinds
from ds_provider.tables.schemas import ERASED, INTEGER, TEXT, VALUE_COLUMNS
from ds_provider.tables.wide.values import TEXT_VALUE, Value, arrays_of, text_without_value, values_of

Columns = Mapping[str, pa.Array]

_VALUE_COLUMNS = ("string_value", *VALUE_COLUMNS)
_GROUPED_BY = ("champ_descriptor_id", "repetition_descriptor_id", "type")


class ChampValue(NamedTuple):
    """One value of a champ of one démarche, as its form or a dossier shows it.

    :param part: ``champs`` or ``annotations``.
    :param repetition_descriptor_id: the repetition block that holds it; null at the root.
    :param kind: of the value, see :data:`~ds_provider.tables.schemas.VALUE_COLUMNS`.
    :param path: of the value within the champ; null for the answer.
    :param suffix: what the column's name adds to that of the answer.
    """

    demarche_number: int
    part: str
    repetition_descriptor_id: str | None
    champ_descriptor_id: str
    path: str | None
    kind: str
    label: str
    repetition_label: str
    suffix: str | None = None


class Cells(NamedTuple):
    """One value of a champ in a batch.

    :param indexes: of the rows that show it, in the batch.
    """

    champ: ChampValue
    indexes: pa.Array
    values: pa.Array


class ChampRows(NamedTuple):
    """Rows of a batch that show one champ with one type.

    :param indexes: of the rows, in the batch.
    """

    champ_descriptor_id: str
    repetition_descriptor_id: str | None
    type: str
    label: str
    indexes: pa.Array


def published_champs(descriptors: pa.Table, revisions: pa.Table) -> Iterator[ChampValue]:
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
            block = row["repetition_descriptor_id"]
            place = row["demarche_number"], row["part"], block, row["id"]
            for value in values_of(champ_type):
                of_block = labels.get((row["demarche_number"], block), "")
                yield ChampValue(*place, value.path, value.kind, row["label"], of_block, value.suffix)


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


def cells_of(demarche_number: int, part: str, found: list[ChampRows], columns: Columns) -> Iterator[Cells]:
    """Yield the values of champs, those of the root first.

    :param columns: those of the batch.
    """
    labels = {rows.champ_descriptor_id: rows.label for rows in found if rows.type == kinds.REPETITION}
    for rows in sorted(found, key=lambda rows: rows.repetition_descriptor_id is not None):
        if kinds.has_value(rows.type):
            block = rows.repetition_descriptor_id
            place = demarche_number, part, block, rows.champ_descriptor_id
            for value, indexes, values in _values_of_rows(rows, columns):
                of_block = labels.get(block or "", "")
                champ = ChampValue(*place, value.path, value.kind, rows.label, of_block, value.suffix)
                yield Cells(champ, indexes, values)


def _values_of_rows(rows: ChampRows, columns: Columns) -> Iterator[tuple[Value, pa.Array, pa.Array]]:
    values, own = values_of(rows.type), {name: columns[name].take(rows.indexes) for name in _VALUE_COLUMNS}
    for value, array in zip(values, arrays_of(values, own), strict=True):
        yield value, rows.indexes, array
    is_text = text_without_value(rows.type, own)
    if is_text is not None and pc.any(is_text).as_py():
        yield TEXT_VALUE, rows.indexes.filter(is_text), own["string_value"].filter(is_text)


def _unchunked(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
