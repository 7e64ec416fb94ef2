"""Landed readings, into the tables: each dossier in its last version, once, whatever is loaded how often.

Three writes follow one another, so that a load may be killed between any two rows. What belongs to dossiers comes
first; then the dossiers and the tombstones, so that a dossier that is gone has left nothing behind; and last which
readings are loaded.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.descriptors import describe
from ds_provider.tables.drift import drift
from ds_provider.tables.rows import building
from ds_provider.tables.rows.flatten import flatten, hard_delete_rows, read_heads
from ds_provider.tables.schemas import (
    CHAMP_COLUMNS,
    CHAMP_DESCRIPTORS,
    CHILD_TABLES,
    DELETED_DOSSIERS,
    DOSSIERS,
    ERASED,
    GROUPES_INSTRUCTEURS,
    INTEGER,
    LOADS,
    REVISIONS,
    TABLES,
    Table,
)
from ds_provider.tables.wide.pivot import relations, widen
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.extracts import LandedExtract, LandedExtracts, instant
from ds_provider.warehouse.load.recovery import mark_removed, recover_and_mark
from ds_provider.warehouse.load.report import Policy, Report
from ds_provider.warehouse.load.spool import Spool
from ds_provider.warehouse.load.state import WarehouseState, rows_of
from ds_provider.warehouse.tombstones import Tombstone, TombstoneSet
from ds_provider.warehouse.versions import Version

log = logging.getLogger(__name__)

Rows = tuple[Table, pa.Table]

_BY_NAME = {table.name: table for table in TABLES}


def load(
    warehouse: Warehouse,
    readings: LandedExtracts,
    policy: Policy,
    *,
    demarches: Sequence[dict[str, Any]] = (),
    vanished: Sequence[Tombstone] = (),
) -> Report:
    """Load what has landed.

    :param demarches: the forms, as :meth:`~ds_provider.hooks.ds.DSHook.get_revisions` gives them.
    :param vanished: dossiers that no list of the service shows.
    :raises DSWarehouseError: if the database refuses; the same load can be run again.
    """
    with warehouse.locked():
        return _Load(warehouse, readings, policy, demarches, vanished).run()


class _Load:
    """The state of one load."""

    def __init__(
        self,
        warehouse: Warehouse,
        readings: LandedExtracts,
        policy: Policy,
        demarches: Sequence[dict[str, Any]],
        vanished: Sequence[Tombstone],
    ) -> None:
        self._warehouse = warehouse
        self._readings = readings
        self._policy = policy
        self._standing = WarehouseState.of(warehouse)
        self._graveyard = TombstoneSet(self._standing.tombstones)
        self._vanished = vanished
        self._registry = self._standing.registry
        self._report = Report()
        # by number: the version to be loaded, and in which of the readings it is
        self._awaited: dict[int, tuple[Version, int]] = {}
        self._groupes: dict[int, dict[str, Any]] = {}
        self._revisions: dict[str, dict[str, Any]] = {}
        self._described = [describe(demarche, datetime.now(timezone.utc)) for demarche in demarches]

    def run(self) -> Report:
        recover_and_mark(self._warehouse)
        self._compare_forms()
        self._find_versions()
        self._decide()
        with self._warehouse.scratch() as folder, Spool(DOSSIERS, folder) as spool:
            self._write(self._child_rows(spool))
            self._write(self._dossiers(spool))
        self._flag()
        self._warehouse.create_indexes((*TABLES, *relations(self._registry)))
        self._write(self._loads())
        return self._report

    def _compare_forms(self) -> None:
        """How they changed, in revisions that are new here."""
        for described in self._described:
            for each in drift(described[CHAMP_DESCRIPTORS.name], described[REVISIONS.name]):
                if each.revision_after not in self._standing.revisions:
                    self._report.drift.append(each)
                    changes = Counter(change.change for change in each.changes)
                    told = ", ".join(f"{count} {change}" for change, count in changes.items())
                    log.info("démarche %d, revision %s: champs %s", each.demarche_number, each.revision_after, told)

    def _find_versions(self) -> None:
        """The latest version of each dossier among the readings, where none later is held."""
        found: dict[int, tuple[Version, int]] = {}
        for i, reading in enumerate(self._readings.dossiers):
            for number, modified in chain.from_iterable(read_heads(lines) for lines in reading.lines()):
                version = Version(modified, reading.read)
                if number not in found or version > found[number][0]:
                    found[number] = version, i
        for number, (version, i) in found.items():
            held = self._standing.versions.get(number)
            if held is None or version >= held:
                self._awaited[number] = version, i
        self._report.older = len(found) - len(self._awaited)

    def _decide(self) -> None:
        """What is hidden, deleted, restored or erased by now, and hence which dossiers are loaded."""
        graveyard, held = self._graveyard, self._standing.versions
        graveyard.bury(self._readings.tombstones())
        graveyard.hide(self._readings.snapshots(self._standing.snapshots), held)
        graveyard.mark_vanished(stone for stone in self._vanished if not stone.outlived_by(held.get(stone.number)))
        graveyard.show({number: version for number, (version, _) in self._awaited.items()})
        for number in [number for number in self._awaited if self._is_erased(number)]:
            del self._awaited[number]
            self._report.gone += 1
        self._erased = sorted(held.among(stone.number for stone in graveyard.stand() if self._policy.erases(stone)))
        self._report.erased = len(self._erased)
        self._report.restored = len(graveyard.lifted)
        self._report.tombstones.update(stone.stage for stone in graveyard.changed.values())

    def _is_erased(self, number: int) -> bool:
        stone = self._graveyard.get(number)
        return stone is not None and self._policy.erases(stone)

    def _child_rows(self, spool: Spool) -> Iterator[Rows]:
        """All that belongs to dossiers, and the names of the columns that it is in; the dossiers are put aside."""
        for described in self._described:
            yield CHAMP_COLUMNS, self._registry.learn_form(described)
        for i, reading in enumerate(self._readings.dossiers):
            for lines in reading.lines():
                if wanted := self._take(i, lines):
                    yield from self._rows_of(flatten(wanted, reading.manifest.read_started_at), spool)
        for table in (*CHILD_TABLES, *relations(self._registry)):
            yield table, hard_delete_rows(table, self._erased)
        yield from self._missing_tables()

    def _missing_tables(self) -> Iterator[Rows]:
        """What makes each table that is not there yet, so that whoever asks it finds no row rather than no table."""
        there = self._warehouse.table_names()
        for table in TABLES:
            # that one says that a load came to its end
            if table.name not in there and table is not LOADS:
                nobody = tuple(0 if table.columns[name] == INTEGER else "" for name in table.key)
                yield table, building.hard_delete_rows(table, [nobody])

    def _take(self, i: int, lines: Sequence[bytes]) -> list[bytes]:
        """The lines that are to be loaded, each dossier once."""
        wanted = []
        for line, (number, modified) in zip(lines, read_heads(lines), strict=True):
            version, place = self._awaited.get(number, (None, -1))
            if version is not None and place == i and version.modified == modified:
                del self._awaited[number]
                wanted.append(line)
        return wanted

    def _rows_of(self, tables: dict[str, pa.Table], spool: Spool) -> Iterator[Rows]:
        dossiers = tables.pop(DOSSIERS.name)
        spool.add(self._flagged(dossiers))
        self._note(tables)
        for name in (table.name for table in CHILD_TABLES):
            yield _BY_NAME[name], tables[name]
        yield CHAMP_COLUMNS, self._registry.learn(dossiers, tables)
        yield from widen(dossiers, tables, self._registry)

    def _flagged(self, dossiers: pa.Table) -> pa.Table:
        """Dossiers that are kept though they are hidden say so from the first."""
        stones = [self._graveyard.get(number) for number in dossiers["number"].to_pylist()]
        if not any(stones):
            return dossiers
        for name, values in {
            "deletion_stage": [stone and stone.stage for stone in stones],
            "deletion_reason": [stone and stone.reason for stone in stones],
            "deletion_date": [instant(stone.date) if stone else None for stone in stones],
        }.items():
            column = pa.array(values, DOSSIERS.columns[name])
            dossiers = dossiers.set_column(dossiers.schema.get_field_index(name), name, column)
        return dossiers

    def _note(self, tables: dict[str, pa.Table]) -> None:
        """What dossiers tell of their groups and revisions: the latest reading knows best."""
        for row in tables[GROUPES_INSTRUCTEURS.name].to_pylist():
            known = self._standing.groupes.get(row["number"])
            noted = self._groupes.get(row["number"])
            if (known is None or row["read_at"] >= known) and (noted is None or row["read_at"] >= noted["read_at"]):
                self._groupes[row["number"]] = row
        for row in tables[REVISIONS.name].to_pylist():
            if row["id"] not in self._standing.revisions:
                self._revisions[row["id"]] = row

    def _dossiers(self, spool: Spool) -> Iterator[Rows]:
        """The dossiers, what is known of those that are gone, and what all of them belong to."""
        for rows in spool.read():
            yield DOSSIERS, rows
        yield DOSSIERS, hard_delete_rows(DOSSIERS, self._erased)
        yield DELETED_DOSSIERS, rows_of(self._graveyard.changed.values())
        yield DELETED_DOSSIERS, hard_delete_rows(DELETED_DOSSIERS, sorted(self._graveyard.lifted))
        for described in self._described:
            self._groupes |= {row["number"]: row for row in described[GROUPES_INSTRUCTEURS.name].to_pylist()}
            self._revisions |= {row["id"]: row for row in described[REVISIONS.name].to_pylist()}
            yield CHAMP_DESCRIPTORS, described[CHAMP_DESCRIPTORS.name]
        yield _table(GROUPES_INSTRUCTEURS, self._groupes.values())
        yield _table(REVISIONS, self._revisions.values())

    def _flag(self) -> None:
        """Have each dossier say what its tombstone says."""
        dossiers, stones = (self._warehouse.qualified(table.name) for table in (DOSSIERS, DELETED_DOSSIERS))
        columns = {"deletion_stage": "stage", "deletion_reason": "reason", "deletion_date": "date_supression"}
        said = ", ".join(
            f"{name} = (SELECT {of_stone} FROM {stones} AS stone WHERE stone.number = dossiers.number)"
            for name, of_stone in columns.items()
        )
        flagged = f"deletion_stage IS NOT NULL OR number IN (SELECT number FROM {stones})"
        self._warehouse.execute(f"UPDATE {dossiers} SET {said} WHERE {flagged}")

    def _loads(self) -> Iterator[Rows]:
        yield _table(LOADS, [_load_of(reading) for reading in self._readings])
        yield mark_removed()

    def _write(self, rows: Iterable[Rows]) -> None:
        self._warehouse.write(self._counted(rows))

    def _counted(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        for table, part in rows:
            if part.num_rows:
                erased = pc.sum(part[ERASED]).as_py() or 0
                self._report.rows[table.name] += part.num_rows - erased
                yield table, part


def _table(table: Table, rows: Iterable[dict[str, Any]]) -> Rows:
    return table, pa.Table.from_pylist(list(rows), schema=table.schema)


def _load_of(reading: LandedExtract) -> dict[str, Any]:
    manifest = reading.manifest
    start, end = manifest.window or (None, None)
    return {
        "manifest": reading.url,
        "generation": manifest.generation,
        "groupe_instructeur_number": manifest.groupe_instructeur_number,
        "stream": manifest.stream,
        "window_column": manifest.window_column,
        "window_start": start and datetime.fromisoformat(start),
        "window_end": end and datetime.fromisoformat(end),
        "complete": reading.is_complete,
        "rows": manifest.rows,
        "quarantined": manifest.quarantined,
        "read_started_at": manifest.read_started_at,
        "read_finished_at": manifest.read_finished_at,
        "loaded_at": datetime.now(timezone.utc),
    }
