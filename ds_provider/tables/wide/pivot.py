"""Wide tables: a row for each dossier and a column for each champ, and a table of its own for each repetition block.

All is done on whole columns: a batch holds tens of thousands of champs.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.rows.building import hard_delete_dossiers
from ds_provider.tables.rows.kinds import KINDS
from ds_provider.tables.schemas import ANNOTATIONS, CHAMP_COLUMNS, CHAMPS, INTEGER, TEXT, VALUE_COLUMNS, Table
from ds_provider.tables.wide.grouping import Columns, by_champ, by_demarche, champs_with_values
from ds_provider.tables.wide.naming import ColumnRegistry, main_relation

_DOSSIER_KEY = {"dossier_number": INTEGER}
_BLOCK_COLUMNS = {**_DOSSIER_KEY, "row_id": TEXT, "row_index": INTEGER}

# by column, runs of values: the keys of their rows, and the values
_Cells = dict[str, list[tuple[pa.Array, pa.Array]]]


def widen(dossiers: pa.Table, tables: Mapping[str, pa.Table], registry: ColumnRegistry) -> list[tuple[Table, pa.Table]]:
    """Return the wide rows of a batch, after those of ``champ_columns`` for champs that had no column yet.

    A dossier whose part was not asked for has no row. A dossier without a row in a block's table has one there that
    removes those it had.

    :param dossiers: the table ``dossiers`` of the batch, each dossier once.
    :param tables: its other tables; ``champs`` and ``annotations`` are used.
    :param registry: gives the champs their columns. New champs are registered in it.
    """
    pivots = [
        _Pivot(columns, demarche_number, part, registry)
        for part in (CHAMPS, ANNOTATIONS)
        for demarche_number, columns in by_demarche(tables[part], dossiers)
    ]
    added = registry.register(champ for pivot in pivots for champ, _ in pivot.champs)
    return [
        (CHAMP_COLUMNS, added),
        *(
            (table, rows)
            for pivot in pivots
            if pivot.demarche_number in registry.demarches  # or nothing in the form has a value
            for table, rows in pivot.tables()
            if rows.num_rows
        ),
    ]


def wide_tables(registry: ColumnRegistry) -> list[Table]:
    """Return all wide tables: what is erased of a dossier is erased in each of them too."""
    main = {main_relation(number, part) for number in registry.demarches for part in (CHAMPS, ANNOTATIONS)}
    return [_table(registry, name) for name in sorted(main | registry.relations.keys())]


def _table(registry: ColumnRegistry, name: str) -> Table:
    columns = registry.relations.get(name, [])
    of_block = any(column.repetition_descriptor_id is not None for column in columns)
    types = {column.column_name: VALUE_COLUMNS[f"{column.kind}_value"] for column in columns}
    return Table(
        name,
        {**(_BLOCK_COLUMNS if of_block else _DOSSIER_KEY), **types},
        key=tuple(_DOSSIER_KEY),
        unique=not of_block,
        json=tuple(column.column_name for column in columns if column.kind == "json"),
    )


class _Pivot:
    """One part of the dossiers of one démarche, from rows to columns.

    :ivar champs: those that have values, each with its rows.
    """

    def __init__(self, columns: Columns, demarche_number: int, part: str, registry: ColumnRegistry) -> None:
        self.demarche_number = demarche_number
        self._columns = columns
        self._part = part
        self._registry = registry
        self._by_champ = by_champ(columns)
        self.champs = [*champs_with_values(demarche_number, part, self._by_champ)]
        numbers, indexes = columns["dossier_number"], columns["row_index"]
        self._numbers = pc.unique(numbers)
        # at the root a dossier is a row, in a block there is one for each index too
        self._row_keys = pc.add(pc.multiply(numbers, pc.add(pc.max(indexes), 1)), indexes)

    def tables(self) -> list[tuple[Table, pa.Table]]:
        cells = self._cells()
        main = _table(self._registry, main_relation(self.demarche_number, self._part))
        blocks = self._registry.blocks(self.demarche_number, self._part)
        return [
            (main, _fill(main, self._numbers, {"dossier_number": self._numbers}, cells.get(None, {}))),
            *(self._of_block(block, relation, cells.get(block, {})) for block, relation in blocks.items()),
        ]

    def _cells(self) -> dict[str | None, _Cells]:
        """Return the values by block and column: a champ whose type changed may have several runs in one column."""
        found: dict[str | None, _Cells] = {}
        for champ, rows in self.champs:
            # of a type that the API had not yet, the text is all that is known
            source = f"{champ.kind}_value" if rows.type in KINDS else "string_value"
            keys = self._columns["dossier_number"] if champ.repetition_descriptor_id is None else self._row_keys
            cells = keys.take(rows.indexes), self._columns[source].take(rows.indexes)
            of_block = found.setdefault(champ.repetition_descriptor_id, {})
            of_block.setdefault(self._registry.column(champ).column_name, []).append(cells)
        return found

    def _of_block(self, block: str, relation: str, cells: _Cells) -> tuple[Table, pa.Table]:
        table = _table(self._registry, relation)
        # those without value count: a row may show no other
        members = [rows.indexes for rows in self._by_champ if rows.repetition_descriptor_id == block]
        indexes = pa.concat_arrays([pa.array([], pa.uint64()), *members])
        keys = self._row_keys.take(indexes)
        row_keys = pc.unique(keys)
        first = indexes.take(pc.index_in(row_keys, value_set=keys))
        fixed = {column: self._columns[column].take(first) for column in _BLOCK_COLUMNS}
        absent = self._numbers.filter(pc.invert(pc.is_in(self._numbers, value_set=fixed["dossier_number"])))
        deleted = hard_delete_dossiers(table, absent.to_pylist())
        return table, pa.concat_tables([_fill(table, row_keys, fixed, cells), deleted])


def _fill(table: Table, keys: pa.Array, fixed: Columns, cells: _Cells) -> pa.Table:
    """Return a table with a row for each key, and a null where nothing is known."""
    arrays = [
        fixed[name] if name in fixed else _spread(cells.get(name, []), keys, type_)
        for name, type_ in table.columns.items()
    ]
    return pa.Table.from_arrays([*arrays, pa.repeat(False, len(keys))], schema=table.schema)


def _spread(cells: list[tuple[pa.Array, pa.Array]], keys: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return the values in the order of the keys."""
    if not cells:
        return pa.nulls(len(keys), type_)
    own_keys, values = cells[0] if len(cells) == 1 else map(pa.concat_arrays, zip(*cells, strict=True))
    return values if own_keys.equals(keys) else values.take(pc.index_in(keys, value_set=own_keys))
