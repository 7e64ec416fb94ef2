"""One load: extracts into the tables, each dossier in its last version, whatever is loaded in whatever order.

A load consists of three writes, since it may be killed between any two rows. Child rows are first. The dossiers and the
tombstones are second, so that a dossier that is removed leaves no child rows. The list of loaded extracts is last.
"""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.api.query import selection
from ds_provider.tables import schemas
from ds_provider.tables.descriptors import describe
from ds_provider.tables.drift import detect_drift
from ds_provider.tables.rows.building import hard_delete_dossiers, hard_delete_rows
from ds_provider.tables.rows.flatten import flatten
from ds_provider.tables.schemas import Table
from ds_provider.tables.wide.pivot import wide_tables, widen
from ds_provider.warehouse.coverage import loads_of
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.database.waiting import wait_out
from ds_provider.warehouse.extracts import LandedExtract, LandedExtracts
from ds_provider.warehouse.load.recovery import mark_removal, recover_and_mark
from ds_provider.warehouse.load.report import LoadReport, Policy
from ds_provider.warehouse.load.spool import Spool
from ds_provider.warehouse.load.state import WarehouseState, rows_of
from ds_provider.warehouse.load.winners import Winner, find_winners, lines_by_extract
from ds_provider.warehouse.tombstones import Tombstone, TombstoneSet
from ds_provider.wording import counted

log = logging.getLogger(__name__)

Rows = tuple[Table, pa.Table]

_WIDE_PARTS = (schemas.CHAMPS, schemas.ANNOTATIONS)


def load(
    warehouse: Warehouse,
    extracts: LandedExtracts,
    policy: Policy,
    *,
    demarches: Sequence[tuple[dict[str, Any], datetime]] = (),
    vanished: Sequence[Tombstone] = (),
) -> LoadReport:
    """Load what has landed.

    :param demarches: the forms, as :meth:`~ds_provider.hooks.ds.DSHook.get_revisions` returns them, each with the
        service's time at which it was read.
    :param vanished: dossiers that no list of the service shows.
    :raises DSDestinationError: if an extract cannot be read.
    :raises DSWarehouseLockedError: if others hold the tables for more than ten minutes.
    :raises DSWarehouseError: if the database refuses; the same load can be run again.
    """
    described = [describe(demarche, read_at) for demarche, read_at in demarches]
    attempts: list[LoadReport] = []

    def attempt() -> LoadReport:
        with warehouse.locked():
            with warehouse.connected():
                state = WarehouseState.of(warehouse)
                was_killed = recover_and_mark(warehouse, state.table_names)
            load = _Load(warehouse, state, extracts, policy, described, vanished, has_unread_parts=was_killed)
            attempts.append(load.report)
            return load.run()

    # from the beginning, since another load may come in between
    return wait_out(attempt).including(attempts[:-1])


@dataclass
class _Load:
    """State of one load."""

    warehouse: Warehouse
    state: WarehouseState
    extracts: LandedExtracts
    policy: Policy
    described: Sequence[dict[str, pa.Table]]
    vanished: Sequence[Tombstone]
    report: LoadReport = field(default_factory=LoadReport)
    erased: list[int] = field(default_factory=list)
    groups: dict[int, dict[str, Any]] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_unread_parts: bool = False

    def __post_init__(self) -> None:
        self.tombstones = TombstoneSet(self.state.tombstones)

    def run(self) -> LoadReport:
        self._report_drift()
        lines = self._choose_lines()
        with self.warehouse.scratch() as folder, Spool(schemas.DOSSIERS, folder) as spool:
            self.warehouse.write(self._counted(self._child_rows(lines, spool)))
            self.warehouse.write(self._counted(self._dossiers(spool)))
        with self.warehouse.connected():
            self._flag_dossiers()
            if self.has_unread_parts:
                self._update_wide_rows()
            self.warehouse.create_indexes((*schemas.TABLES, *wide_tables(self.state.registry)))
        loads = _table(schemas.LOADS, self._load_rows())
        self.warehouse.write(self._counted([loads, mark_removal()]))
        return self.report

    def _report_drift(self) -> None:
        """Report the changes of the forms in revisions that are new here, and log a line for each form."""
        for described in self.described:
            drift = detect_drift(described[schemas.CHAMP_DESCRIPTORS.name], described[schemas.REVISIONS.name])
            if new := [each for each in drift if each.revision_after not in self.state.revisions]:
                self.report.drift += new
                counts = Counter(change.change for each in new for change in each.changes)
                changes = ", ".join(f"{count} {change}" for change, count in counts.items())
                revisions = counted(len(new), "revision")
                log.info("démarche %d: %s of the form new here, champs: %s", new[0].demarche_number, revisions, changes)

    def _choose_lines(self) -> list[array[int]]:
        """Return the indexes of the lines to load, for each extract of dossiers; apply all deletions on the way."""
        winners = find_winners(self.extracts.dossiers)
        held = self.state.versions
        older = [number for number, winner in winners.items() if (known := held.get(number)) and winner.version < known]
        for number in older:
            del winners[number]
        self._apply_deletions(winners)
        erases = self.policy.erases
        gone = [number for number in winners if (each := self.tombstones.get(number)) and erases(each)]
        for number in gone:
            del winners[number]
        self._count_changes(winners)
        active = self.tombstones.active()
        self.erased = sorted(each.number for each in active if each.number in held and erases(each))
        self.report.older, self.report.gone, self.report.erased = len(older), len(gone), len(self.erased)
        return lines_by_extract(winners.values(), len(self.extracts.dossiers))

    def _count_changes(self, winners: Mapping[int, Winner]) -> None:
        """Count the dossiers to load that are new, and those whose date of last change moved."""
        held = self.state.versions
        for number, winner in winners.items():
            known = held.get(number)
            self.report.new += known is None
            self.report.updated += known is not None and winner.modified > known.modified

    def _apply_deletions(self, winners: Mapping[int, Winner]) -> None:
        tombstones, held = self.tombstones, self.state.versions
        tombstones.add_deleted(self.extracts.tombstones())
        tombstones.apply_snapshots(self.extracts.snapshots(self.state.snapshots), held)
        tombstones.mark_vanished(each for each in self.vanished if not each.is_outlived_by(held.get(each.number)))
        tombstones.restore({number: winner.version for number, winner in winners.items()})
        self.report.restored = len(tombstones.removed)
        self.report.tombstones.update(each.stage for each in tombstones.changed.values())

    def _child_rows(self, lines: Sequence[array[int]], spool: Spool) -> Iterator[Rows]:
        """Yield the child rows of the dossiers, and the names of their wide columns; spool the dossiers."""
        for described in self.described:
            yield schemas.CHAMP_COLUMNS, self.state.registry.register_form(described)
        for extract, indexes in zip(self.extracts.dossiers, lines, strict=True):
            for batch in extract.lines_at(indexes):
                yield from self._rows_of(flatten(batch, extract.manifest.read_started_at), spool)
        for table in (*schemas.CHILD_TABLES, *wide_tables(self.state.registry)):
            yield table, hard_delete_dossiers(table, self.erased)
        yield from self._missing_tables()

    def _missing_tables(self) -> Iterator[Rows]:
        """Yield a row that removes nothing for each table that is missing, so that queries find an empty table."""
        for table in schemas.TABLES:
            # the table of loads says by its presence that a load was finished
            if table.name not in self.state.table_names and table is not schemas.LOADS:
                key = tuple(0 if table.columns[name] == schemas.INTEGER else "" for name in table.key)
                yield table, hard_delete_rows(table, [key])

    def _rows_of(self, tables: dict[str, pa.Table], spool: Spool) -> Iterator[Rows]:
        dossiers = tables.pop(schemas.DOSSIERS.name)
        spool.add(self._with_deletions(dossiers))
        self._collect(tables)
        self.has_unread_parts |= any(_is_unread(tables[part], dossiers) for part in _WIDE_PARTS)
        for table in schemas.CHILD_TABLES:
            yield table, tables[table.name]
        yield from widen(dossiers, tables, self.state.registry)

    def _with_deletions(self, dossiers: pa.Table) -> pa.Table:
        """Return dossiers with their deletions, so that a hidden one is never in the table without."""
        tombstones = [self.tombstones.get(number) for number in dossiers["number"].to_pylist()]
        if not any(tombstones):
            return dossiers
        for attribute in ("stage", "reason", "date"):
            name, values = f"deletion_{attribute}", [each and getattr(each, attribute) for each in tombstones]
            column = pa.array(values, schemas.DOSSIERS.columns[name])
            dossiers = dossiers.set_column(dossiers.schema.get_field_index(name), name, column)
        return dossiers

    def _collect(self, tables: dict[str, pa.Table]) -> None:
        """Keep the groups and revisions that dossiers name. The latest extraction has the last word on a group."""
        for row in tables[schemas.GROUPES_INSTRUCTEURS.name].to_pylist():
            number, read_at = row["number"], row["read_at"]
            if read_at >= (self.state.groups.get(number) or read_at):
                self.state.groups[number] = read_at
                self.groups[number] = row
        for row in tables[schemas.REVISIONS.name].to_pylist():
            if row["id"] not in self.state.revisions:
                self.revisions[row["id"]] = row

    def _dossiers(self, spool: Spool) -> Iterator[Rows]:
        """Yield the dossiers, the tombstones, and the groups, revisions and forms that dossiers belong to."""
        for rows in spool.read():
            yield schemas.DOSSIERS, rows
        yield schemas.DOSSIERS, hard_delete_dossiers(schemas.DOSSIERS, self.erased)
        yield schemas.DELETED_DOSSIERS, rows_of(self.tombstones.changed.values())
        yield schemas.DELETED_DOSSIERS, hard_delete_dossiers(schemas.DELETED_DOSSIERS, sorted(self.tombstones.removed))
        for described in self.described:
            self.groups |= {row["number"]: row for row in described[schemas.GROUPES_INSTRUCTEURS.name].to_pylist()}
            self.revisions |= {row["id"]: row for row in described[schemas.REVISIONS.name].to_pylist()}
            yield schemas.CHAMP_DESCRIPTORS, described[schemas.CHAMP_DESCRIPTORS.name]
        yield _table(schemas.GROUPES_INSTRUCTEURS, self.groups.values())
        yield _table(schemas.REVISIONS, self.revisions.values())

    def _flag_dossiers(self) -> None:
        """Copy the tombstones into the dossiers that they are of."""
        dossiers = self.warehouse.qualified(schemas.DOSSIERS.name)
        tombstones = self.warehouse.qualified(schemas.DELETED_DOSSIERS.name)
        columns = {"deletion_stage": "stage", "deletion_reason": "reason", "deletion_date": "date_supression"}
        values = ", ".join(
            f"{name} = (SELECT {source} FROM {tombstones} AS tombstone WHERE tombstone.number = dossiers.number)"
            for name, source in columns.items()
        )
        concerned = f"deletion_stage IS NOT NULL OR number IN (SELECT number FROM {tombstones})"
        self.warehouse.execute(f"UPDATE {dossiers} SET {values} WHERE {concerned}")

    def _update_wide_rows(self) -> None:
        """Copy states and dates of dossiers into the wide rows of parts that were not read this time."""
        dossiers, existing = self.warehouse.qualified(schemas.DOSSIERS.name), self.warehouse.table_names()
        changing = ("date_derniere_modification", "state", "groupe_instructeur_number")
        for table in wide_tables(self.state.registry):
            if (name := table.name) not in existing:
                continue
            same = f"FROM {dossiers} AS dossier WHERE dossier.number = {name}.number"
            differs = " OR ".join(f"dossier.{column} <> {name}.{column}" for column in changing)
            columns = schemas.DOSSIER_COLUMNS.keys() - {"number"}
            values = ", ".join(f"{column} = (SELECT dossier.{column} {same})" for column in sorted(columns))
            target = self.warehouse.qualified(name)
            changed = f"EXISTS (SELECT 1 {same} AND ({differs}))"
            self.report.rows[name] += self.warehouse.read(table, ["number"], changed).num_rows
            self.warehouse.execute(f"UPDATE {target} SET {values} WHERE {changed}")

    def _load_rows(self) -> Iterator[dict[str, Any]]:
        columns = ["groupe_instructeur_number", "read_started_at", "parts"]
        loaded = self.warehouse.read(schemas.LOADS, columns, loads_of(selection.DOSSIERS, self.extracts.groups))
        reads = [
            (group, at, set((parts or "").split(",")))
            for group, at, parts in zip(*loaded.to_pydict().values(), strict=True)
        ]
        reads += [(each.group, each.manifest.read_started_at, set(each.parts)) for each in self.extracts.dossiers]
        for extract in self.extracts:
            yield _load_row(extract) | {"parts": ",".join(_loaded_parts(extract, reads)) or None}

    def _counted(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        for table, part in rows:
            if part.num_rows:
                erased = pc.sum(part[schemas.ERASED]).as_py() or 0
                self.report.rows[table.name] += part.num_rows - erased
                yield table, part


def _is_unread(rows: pa.Table, dossiers: pa.Table) -> bool:
    """Return whether some dossiers have no row of a part, not even a hard delete: it was not asked for."""
    return bool(len(rows["dossier_number"].unique()) < dossiers.num_rows)


def _table(table: Table, rows: Iterable[dict[str, Any]]) -> Rows:
    return table, pa.Table.from_pylist(list(rows), schema=table.schema)


def _loaded_parts(extract: LandedExtract, reads: Iterable[tuple[int, datetime, set[str]]]) -> list[str]:
    """Return the parts of an extract's dossiers that the tables hold for sure.

    :param reads: group, start and parts of what is loaded: one that began later and lacks a part may have brought a
        newer version of a dossier, and then the extract's is left out with all its parts.
    """
    began = extract.manifest.read_started_at
    later = [parts for group, started, parts in reads if group == extract.group and started > began]
    return [part for part in extract.parts if all(part in parts for parts in later)]


def _load_row(extract: LandedExtract) -> dict[str, Any]:
    """Return the row of an extract in ``loads``. Its other columns are named as the manifest's fields."""
    manifest = extract.manifest
    start, end = manifest.window or (None, None)
    return {
        **msgspec.structs.asdict(manifest),
        "manifest": extract.url,
        "window_start": start and datetime.fromisoformat(start),
        "window_end": end and datetime.fromisoformat(end),
        "quarantined_numbers": ",".join(map(str, sorted(extract.quarantined_numbers()))) or None,
        "complete": extract.is_complete,
        "loaded_at": datetime.now(timezone.utc),
    }
