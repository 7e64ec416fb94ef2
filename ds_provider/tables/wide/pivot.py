"""Wide tables: a row for each dossier, columns for each champ, and a table of its own for each repetition block.

All is done on whole columns: a batch holds tens of thousands of champs.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.rows.building import hard_delete_dossiers
from ds_provider.tables.schemas import (
    ANNOTATIONS,
    BLOCK_COLUMNS,
    CHAMP_COLUMNS,
    CHAMPS,
    DOSSIER_COLUMNS,
    VALUE_COLUMNS,
    Table,
)
from ds_provider.tables.wide.grouping import Columns, by_champ, by_demarche, cells_of
from ds_provider.tables.wide.naming import ColumnRegistry, main_relation

# by column, runs of values: the keys of their rows, and the values
_Runs = dict[str, list[tuple[pa.Array, pa.Array]]]


def widen(dossiers: pa.Table, tables: Mapping[str, pa.Table], registry: ColumnRegistry) -> list[tuple[Table, pa.Table]]:
    """Return the wide rows of a batch, after those of ``champ_columns`` for champs that had no column yet.

    A dossier whose part was not asked for has no row. A dossier without a row in a block's table has one there that
    removes those it had.

    :param dossiers: the table ``dossiers`` of the batch, each dossier once.
    :param tables: its other tables; ``champs`` and ``annotations`` are used.
    :param registry: gives the champs their columns. New champs are registered in it.
    """
    pivots = [
        _Pivot(columns, demarche_number, part, registry, dossiers)
        for part in (CHAMPS, ANNOTATIONS)
        for demarche_number, columns in by_demarche(tables[part], dossiers)
    ]
    added = registry.register(cells.champ for pivot in pivots for cells in pivot.cells)
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
        {**DOSSIER_COLUMNS, **(BLOCK_COLUMNS if of_block else {}), **types},
        key=("number",),
        required="row_index" if of_block else "state",
        unique=not of_block,
    )


class _Pivot:
    """One part of the dossiers of one démarche, from rows to columns.

    :ivar cells: the values of its champs.
    """

    def __init__(
        self, columns: Columns, demarche_number: int, part: str, registry: ColumnRegistry, dossiers: pa.Table
    ) -> None:
        self.demarche_number = demarche_number
        self._columns = columns
        self._part = part
        self._registry = registry
        self._dossiers = dossiers
        self._by_champ = by_champ(columns)
        self.cells = [*cells_of(demarche_number, part, self._by_champ, columns)]
        numbers, indexes = columns["dossier_number"], columns["row_index"]
        self._numbers = pc.unique(numbers)
        # at the root a dossier is a row, in a block there is one for each index too
        self._row_keys = pc.add(pc.multiply(numbers, pc.add(pc.max(indexes), 1)), indexes)

    def tables(self) -> list[tuple[Table, pa.Table]]:
        runs = self._runs()
        main = _table(self._registry, main_relation(self.demarche_number, self._part))
        blocks = self._registry.blocks(self.demarche_number, self._part)
        return [
            (main, _fill(main, self._numbers, self._of_dossiers(self._numbers), runs.get(None, {}))),
            *(self._of_block(block, relation, runs.get(block, {})) for block, relation in blocks.items()),
        ]

    def _runs(self) -> dict[str | None, _Runs]:
        """Return the values by block and column: a champ whose type changed may have several runs in one column."""
        found: dict[str | None, _Runs] = {}
        for champ, indexes, values in self.cells:
            keys = self._columns["dossier_number"] if champ.repetition_descriptor_id is None else self._row_keys
            of_block = found.setdefault(champ.repetition_descriptor_id, {})
            of_block.setdefault(self._registry.column(champ).column_name, []).append((keys.take(indexes), values))
        return found

    def _of_dossiers(self, numbers: pa.Array) -> dict[str, pa.Array]:
        """Return the columns of dossiers, in the order of their numbers."""
        indexes = pc.index_in(numbers, value_set=self._dossiers["number"].combine_chunks())
        return {name: self._dossiers[name].take(indexes).combine_chunks() for name in DOSSIER_COLUMNS}

    def _of_block(self, block: str, relation: str, runs: _Runs) -> tuple[Table, pa.Table]:
        table = _table(self._registry, relation)
        # those without value count: a row may show no other
        members = [rows.indexes for rows in self._by_champ if rows.repetition_descriptor_id == block]
        indexes = pa.concat_arrays([pa.array([], pa.uint64()), *members])
        keys = self._row_keys.take(indexes)
        row_keys = pc.unique(keys)
        first = indexes.take(pc.index_in(row_keys, value_set=keys))
        numbers = self._columns["dossier_number"].take(first)
        fixed = {**self._of_dossiers(numbers), **{name: self._columns[name].take(first) for name in BLOCK_COLUMNS}}
        absent = self._numbers.filter(pc.invert(pc.is_in(self._numbers, value_set=numbers)))
        deleted = hard_delete_dossiers(table, absent.to_pylist())
        return table, pa.concat_tables([_fill(table, row_keys, fixed, runs), deleted])


def _fill(table: Table, keys: pa.Array, fixed: Columns, runs: _Runs) -> pa.Table:
    """Return a table with a row for each key, and a null where nothing is known."""
    arrays = [
        fixed[name] if name in fixed else _spread(runs.get(name, []), keys, type_)
        for name, type_ in table.columns.items()
    ]
    return pa.Table.from_arrays([*arrays, pa.repeat(False, len(keys))], schema=table.schema)


def _spread(runs: list[tuple[pa.Array, pa.Array]], keys: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return the values in the order of the keys."""
    if not runs:
        return pa.nulls(len(keys), type_)
    own_keys, values = runs[0] if len(runs) == 1 else map(pa.concat_arrays, zip(*runs, strict=True))
    return values if own_keys.equals(keys) else values.take(pc.index_in(keys, value_set=own_keys))
