"""The champs of a batch of dossiers, by what they are of the form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables import kinds
from ds_provider.tables.schemas import INTEGER

Columns = Mapping[str, pa.Array]

_GROUPED_BY = ("champ_descriptor_id", "repetition_descriptor_id", "type")


class Champ(NamedTuple):
    """A champ as a form or a dossier shows it."""

    demarche_number: int
    part: str
    repetition_descriptor_id: str | None
    repetition_label: str
    champ_descriptor_id: str
    label: str
    kind: str


class Group(NamedTuple):
    """The rows of a batch that are of one champ and of one type."""

    champ_descriptor_id: str
    repetition_descriptor_id: str | None
    type: str
    label: str
    rows: pa.Array


def by_demarche(champs: pa.Table, dossiers: pa.Table) -> Iterator[tuple[int, Columns]]:
    """The columns of ``champs`` or ``annotations``, for each démarche of the batch."""
    demarches = pc.unique(dossiers["demarche_number"]).drop_null().to_pylist()
    for demarche_number in demarches:
        numbers = dossiers.filter(pc.equal(dossiers["demarche_number"], demarche_number))["number"]
        # a group's dossiers are of one démarche, and then nothing is copied
        alone = len(numbers) == dossiers.num_rows
        rows = champs if alone else champs.filter(pc.is_in(champs["dossier_number"], numbers.combine_chunks()))
        yield demarche_number, {name: _whole(rows[name]) for name in rows.column_names}


def groups(columns: Columns) -> list[Group]:
    """The rows by champ and type, in the order in which these first appear."""
    codes = pa.repeat(pa.scalar(0, INTEGER), len(columns["type"]))
    for name in _GROUPED_BY:
        encoded = columns[name].dictionary_encode(null_encoding="encode")
        codes = pc.add(pc.multiply(codes, len(encoded.dictionary)), encoded.indices)
    group_of = codes.dictionary_encode().indices
    rows = pc.array_sort_indices(group_of)  # stable
    found, start = [], 0
    for size in pc.value_counts(group_of).field("counts").to_pylist():
        first = rows[start].as_py()
        known = {name: columns[name][first].as_py() for name in (*_GROUPED_BY, "label")}
        # a row that only says that a dossier has no champs is of none
        if known["champ_descriptor_id"] is not None:
            found.append(Group(**known, rows=rows.slice(start, size)))
        start += size
    return found


def champs_of(demarche_number: int, part: str, found: list[Group]) -> Iterator[tuple[Champ, Group]]:
    """The champs that have values, each with its rows; those of the root first."""
    labels = {group.champ_descriptor_id: group.label for group in found if group.type == kinds.REPETITION}
    for group in sorted(found, key=lambda group: group.repetition_descriptor_id is not None):
        if kinds.has_value(group.type):
            block, kind = group.repetition_descriptor_id, kinds.kind_of(group.type)
            label = labels.get(block or "", "")
            yield Champ(demarche_number, part, block, label, group.champ_descriptor_id, group.label, kind), group


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
