"""The wide form: a relation with a row for each dossier and a column for each champ, and one for each repetition block.

All is done on whole columns: a batch holds tens of thousands of champs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables import kinds
from ds_provider.tables.schemas import (
    ANNOTATIONS,
    BOOLEAN,
    CHAMPS,
    DATE,
    DECIMAL,
    INSTANT,
    INTEGER,
    JSON,
    TEXT,
    Table,
)
from ds_provider.tables.wide.grouping import Columns, Group, by_demarche, champs_of, groups
from ds_provider.tables.wide.naming import Registry, main_relation

_OF_KIND = {
    kinds.TEXT: TEXT,
    kinds.BOOLEAN: BOOLEAN,
    kinds.INTEGER: INTEGER,
    kinds.DECIMAL: DECIMAL,
    kinds.DATE: DATE,
    kinds.TIMESTAMP: INSTANT,
    kinds.JSON: JSON,
}
_OF_DOSSIER = {"dossier_number": INTEGER}
_OF_ROW = {**_OF_DOSSIER, "row_id": TEXT, "row_index": INTEGER}


class _Cells(NamedTuple):
    """Values of one column, and the key of the row that each belongs in."""

    keys: pa.Array
    values: pa.Array


_Found = dict[str, list[_Cells]]


def widen(dossiers: pa.Table, tables: Mapping[str, pa.Table], registry: Registry) -> list[tuple[Table, pa.Table]]:
    """The rows of the wide relations, for all dossiers of a batch of which the part was read.

    A dossier without a row in a block's relation has one there that removes those it had.

    :param dossiers: the table ``dossiers`` of the batch, each dossier once.
    :param tables: its other tables, of which ``champs`` and ``annotations`` are read.
    :param registry: it has learned these dossiers.
    """
    return [
        (table, rows)
        for part in (CHAMPS, ANNOTATIONS)
        for demarche_number, columns in by_demarche(tables[part], dossiers)
        if demarche_number in registry.demarches  # or nothing in the form has a value
        for table, rows in _Pivot(columns, demarche_number, part, registry).tables()
        if rows.num_rows
    ]


def relations(registry: Registry) -> list[Table]:
    """All wide relations that there are: whatever is erased of a dossier is erased there too."""
    main = {main_relation(number, part) for number in registry.demarches for part in (CHAMPS, ANNOTATIONS)}
    return [_relation(registry, name) for name in sorted(main | registry.relations.keys())]


def _relation(registry: Registry, name: str) -> Table:
    columns = registry.relations.get(name, [])
    of_block = any(column.repetition_descriptor_id is not None for column in columns)
    return Table(
        name,
        {**(_OF_ROW if of_block else _OF_DOSSIER), **{column.column_name: _OF_KIND[column.kind] for column in columns}},
        key=tuple(_OF_DOSSIER),
        unique=not of_block,
        json=frozenset(column.column_name for column in columns if column.kind == kinds.JSON),
    )


class _Pivot:
    """One part of the dossiers of one démarche, from rows to columns."""

    def __init__(self, columns: Columns, demarche_number: int, part: str, registry: Registry) -> None:
        self._columns = columns
        self._demarche_number = demarche_number
        self._part = part
        self._registry = registry
        self._groups = groups(columns)
        self._numbers = pc.unique(columns["dossier_number"])

    def tables(self) -> list[tuple[Table, pa.Table]]:
        blocks = self._registry.blocks(self._demarche_number, self._part)
        found = self._found()
        main = _relation(self._registry, main_relation(self._demarche_number, self._part))
        return [
            (main, _fill(main, self._numbers, {"dossier_number": self._numbers}, found.get(None, {}))),
            *(self._of_block(block, relation, found.get(block, {})) for block, relation in blocks.items()),
        ]

    def _found(self) -> dict[str | None, _Found]:
        """The values by block and column; a champ whose type changed may have several runs of them in one column."""
        found: dict[str | None, _Found] = {}
        for champ, group in champs_of(self._demarche_number, self._part, self._groups):
            # of a type that the API had not yet, the text is all that is known
            source = f"{champ.kind}_value" if group.type in kinds.KINDS else "string_value"
            cells = _Cells(self._keys(group), self._columns[source].take(group.rows))
            of_block = found.setdefault(champ.repetition_descriptor_id, {})
            of_block.setdefault(self._registry.column(champ).column_name, []).append(cells)
        return found

    def _keys(self, group: Group) -> pa.Array:
        """What tells the rows of a relation apart: the dossier's number, and in a block the row's index too."""
        numbers = self._columns["dossier_number"].take(group.rows)
        if group.repetition_descriptor_id is None:
            return numbers
        indexes = self._columns["row_index"]
        return pc.add(pc.multiply(numbers, pc.add(pc.max(indexes), 1)), indexes.take(group.rows))

    def _of_block(self, block: str, relation: str, found: _Found) -> tuple[Table, pa.Table]:
        table = _relation(self._registry, relation)
        # those without value count: a row may show no other
        members = [group for group in self._groups if group.repetition_descriptor_id == block]
        rows = pa.concat_arrays([pa.array([], pa.uint64()), *(group.rows for group in members)])
        keys = pa.concat_arrays([pa.array([], INTEGER), *map(self._keys, members)])
        row_keys = pc.unique(keys)
        first = rows.take(pc.index_in(row_keys, value_set=keys))
        fixed = {column: self._columns[column].take(first) for column in _OF_ROW}
        hard_delete_rows = self._erasers(table, fixed["dossier_number"])
        return table, pa.concat_tables([_fill(table, row_keys, fixed, found), hard_delete_rows])

    def _erasers(self, table: Table, present: pa.Array) -> pa.Table:
        numbers = self._numbers.filter(pc.invert(pc.is_in(self._numbers, value_set=present)))
        return _fill(table, numbers, {"dossier_number": numbers}, {}, erased=True)


def _fill(table: Table, keys: pa.Array, fixed: Columns, found: _Found, *, erased: bool = False) -> pa.Table:
    """A table with a row for each key, and a null where nothing is known."""
    arrays = [
        fixed[name] if name in fixed else _spread(found.get(name, []), keys, type_)
        for name, type_ in table.columns.items()
    ]
    return pa.Table.from_arrays([*arrays, pa.repeat(erased, len(keys))], schema=table.schema)


def _spread(cells: list[_Cells], keys: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values in the order of the keys."""
    if not cells:
        return pa.nulls(len(keys), type_)
    of, values = cells[0] if len(cells) == 1 else map(pa.concat_arrays, zip(*cells, strict=True))
    return values if of.equals(keys) else values.take(pc.index_in(keys, value_set=of))
