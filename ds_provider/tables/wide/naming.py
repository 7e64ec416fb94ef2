"""Names of wide tables and of their columns: given once, after a label, and kept whatever the label becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from ds_provider.tables.schemas import ANNOTATIONS, CHAMP_COLUMNS, CHAMP_DESCRIPTORS, ERASED, REVISIONS
from ds_provider.tables.wide.grouping import Champ, published_champs
from ds_provider.tables.wide.identifiers import free_name, slug, suffixed

MAX_COLUMN = 50
# Postgres cuts names at 63 bytes
MAX_RELATION = 60


class Column(NamedTuple):
    """Row of the table ``champ_columns``: the place of one champ's values of one kind.

    :param relation: the name of the wide table.
    :param label: the one that the column was named after.
    """

    relation: str
    column_name: str
    demarche_number: int
    part: str
    repetition_descriptor_id: str | None
    champ_descriptor_id: str
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

    def register(self, champs: Iterable[Champ]) -> pa.Table:
        """Give columns to champs, in their order, and return the new rows of ``champ_columns``.

        A champ has a column for each kind of value that it ever had.
        """
        added = []
        for champ in champs:
            known = self._columns.get(_identity(champ), [])
            if all(column.kind != champ.kind for column in known):
                added.append(self._name(champ, known))
                self._keep(added[-1])
        rows = [{**column._asdict(), ERASED: False} for column in added]
        return pa.Table.from_pylist(rows, schema=CHAMP_COLUMNS.schema)

    def column(self, champ: Champ) -> Column:
        """Return the column of a registered champ."""
        return next(column for column in self._columns[_identity(champ)] if column.kind == champ.kind)

    def blocks(self, demarche_number: int, part: str) -> dict[str, str]:
        """Return the names of the wide tables of a part's repetition blocks, by the block's descriptor."""
        return {str(key[2]): name for key, name in self._blocks.items() if key[:2] == (demarche_number, part)}

    def _keep(self, column: Column) -> None:
        self.relations.setdefault(column.relation, []).append(column)
        self.demarches.add(column.demarche_number)
        self._columns.setdefault(_identity(column), []).append(column)
        if column.repetition_descriptor_id is not None:
            self._blocks[_block(column)] = column.relation

    def _name(self, champ: Champ, known: list[Column]) -> Column:
        relation = self._relation(champ)
        wanted = slug(champ.label, "champ", MAX_COLUMN)
        if known:
            # the columns of later kinds carry the name of the first, and are longer
            first = min((column.column_name for column in known), key=lambda name: (len(name), name))
            wanted = suffixed(first, champ.kind, MAX_COLUMN)
        name = free_name(wanted, {column.column_name for column in self.relations.get(relation, ())}, MAX_COLUMN)
        # the rest is the champ's, but for the label of its block
        return Column(relation, name, *champ[:-1])

    def _relation(self, champ: Champ) -> str:
        main = main_relation(champ.demarche_number, champ.part)
        if champ.repetition_descriptor_id is None:
            return main
        if _block(champ) in self._blocks:
            return self._blocks[_block(champ)]
        wanted = f"{main}_{slug(champ.repetition_label, 'bloc', MAX_RELATION - len(main) - 1)}"
        # a block of the champs may be labelled "Annotations"
        return free_name(wanted, {*self.relations, main_relation(champ.demarche_number, ANNOTATIONS)}, MAX_RELATION)


def main_relation(demarche_number: int, part: str) -> str:
    """Return the name of the wide table that has a row for each dossier."""
    name = f"demarche_{demarche_number}"
    return f"{name}_annotations" if part == ANNOTATIONS else name


def _identity(champ: Champ | Column) -> tuple[object, ...]:
    return *_block(champ), champ.champ_descriptor_id


def _block(champ: Champ | Column) -> tuple[object, ...]:
    return champ.demarche_number, champ.part, champ.repetition_descriptor_id
