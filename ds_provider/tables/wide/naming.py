"""Names of wide tables and of their columns: given once, after a label, and kept whatever the label becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from ds_provider.tables.schemas import ANNOTATIONS, CHAMP_COLUMNS, CHAMP_DESCRIPTORS, ERASED, REVISIONS
from ds_provider.tables.wide.grouping import ChampValue, published_champs
from ds_provider.tables.wide.identifiers import FIXED, free_name, slug, suffixed

# Postgres cuts names at 63 bytes
MAX_NAME = 63
# of a label's part of a column's name
MAX_LABEL = 50


class Column(NamedTuple):
    """Row of the table ``champ_columns``: the place of one value of a champ, of one kind.

    :param relation: the name of the wide table.
    :param label: the one that the column was named after.
    """

    relation: str
    column_name: str
    demarche_number: int
    part: str
    repetition_descriptor_id: str | None
    champ_descriptor_id: str
    path: str | None
    kind: str
    label: str


class ColumnRegistry:
    """Columns that champs were ever given.

    :param rows: those of the table ``champ_columns``.
    :ivar relations: the columns of each wide table, by its name.
    :ivar demarches: the numbers of all démarches that have any.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.relations: dict[str, list[Column]] = {}
        self.demarches: set[int] = set()
        # by démarche, part, block and champ; by démarche, part and block
        self._columns: dict[tuple[object, ...], list[Column]] = {}
        self._blocks: dict[tuple[object, ...], str] = {}
        for row in rows:
            self._keep(Column(*(row[name] for name in Column._fields)))

    def register_form(self, described: Mapping[str, pa.Table]) -> pa.Table:
        """Give columns to the champs of a form, and return the new rows of ``champ_columns``.

        :param described: the tables of :func:`~ds_provider.tables.descriptors.describe`.
        """
        return self.register(published_champs(described[CHAMP_DESCRIPTORS.name], described[REVISIONS.name]))

    def register(self, champs: Iterable[ChampValue]) -> pa.Table:
        """Give columns to champs, in their order, and return the new rows of ``champ_columns``.

        A value has a column for each kind that it ever had.
        """
        added = []
        for champ in champs:
            known = self._columns.get(_identity(champ), [])
            if not any(_holds(column, champ) for column in known):
                added.append(self._name(champ, known))
                self._keep(added[-1])
        rows = [{**column._asdict(), ERASED: False} for column in added]
        return pa.Table.from_pylist(rows, schema=CHAMP_COLUMNS.schema)

    def column(self, champ: ChampValue) -> Column:
        """Return the column of a registered champ."""
        return next(column for column in self._columns[_identity(champ)] if _holds(column, champ))

    def blocks(self, demarche_number: int, part: str) -> dict[str, str]:
        """Return the names of the wide tables of a part's repetition blocks, by the block's descriptor."""
        return {str(key[2]): name for key, name in self._blocks.items() if key[:2] == (demarche_number, part)}

    def _keep(self, column: Column) -> None:
        self.relations.setdefault(column.relation, []).append(column)
        self.demarches.add(column.demarche_number)
        self._columns.setdefault(_identity(column), []).append(column)
        if column.repetition_descriptor_id is not None:
            self._blocks[_block(column)] = column.relation

    def _name(self, champ: ChampValue, known: list[Column]) -> Column:
        relation = self._relation(champ)
        wanted = slug(champ.label, "champ", MAX_LABEL)
        if answers := [column.column_name for column in known if column.path is None]:
            # the columns of parts and of later kinds carry the name of the first answer's, and are longer
            first = min(answers, key=lambda name: (len(name), name))
            wanted = suffixed(first, champ.suffix or champ.kind, MAX_NAME)
        taken = FIXED.union(column.column_name for column in self.relations.get(relation, ()))
        name = free_name(wanted, taken, MAX_NAME)
        # the rest is the champ's, but for the label of its block and the suffix
        return Column(relation, name, *champ[:-2])

    def _relation(self, champ: ChampValue) -> str:
        main = main_relation(champ.demarche_number, champ.part)
        if champ.repetition_descriptor_id is None:
            return main
        if _block(champ) in self._blocks:
            return self._blocks[_block(champ)]
        wanted = f"{main}_{slug(champ.repetition_label, 'bloc', MAX_NAME - len(main) - 1)}"
        # a block of the champs may be labelled "Annotations"
        return free_name(wanted, {*self.relations, main_relation(champ.demarche_number, ANNOTATIONS)}, MAX_NAME)


def main_relation(demarche_number: int, part: str) -> str:
    """Return the name of the wide table that has a row for each dossier."""
    name = f"demarche_{demarche_number}"
    return f"{name}_annotations" if part == ANNOTATIONS else name


def _holds(column: Column, champ: ChampValue) -> bool:
    return (column.path, column.kind) == (champ.path, champ.kind)


def _identity(champ: ChampValue | Column) -> tuple[object, ...]:
    return *_block(champ), champ.champ_descriptor_id


def _block(champ: ChampValue | Column) -> tuple[object, ...]:
    return champ.demarche_number, champ.part, champ.repetition_descriptor_id
