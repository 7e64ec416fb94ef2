"""What the tables say of each dossier, held against what is true in the sandbox."""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb

from ds_provider.hooks.warehouse import DATASET

MICROS = 1_000_000

SHOWN = f"""
    select number, groupe_instructeur_number, state, epoch_us(date_derniere_modification) // {MICROS}
    from {DATASET}.dossiers where deletion_stage is null
"""
GONE = f"select number, groupe_instructeur_number, stage, reason from {DATASET}.deleted_dossiers"
HOLDERS = f"""
    select table_name from information_schema.columns
    where table_schema = '{DATASET}' and column_name = 'dossier_number'
"""


class Shown(NamedTuple):
    """A dossier that is there, and its last change to the second, which is all that the API shows of it."""

    groupe: int
    state: str
    changed: int


class Gone(NamedTuple):
    """A dossier that waits to be deleted, or is."""

    groupe: int
    stage: str
    reason: str


Fate = Shown | Gone | None
"""None for one of which no list tells, or that is only known to have vanished."""


def true_fates(truth: dict[str, Any]) -> dict[int, Fate]:
    """What is true of each dossier, from the sandbox's ``GET /sandbox/truth``."""
    fates: dict[int, Fate] = {row["number"]: None for row in truth["deleted_without_groupe"]}
    for groupe in truth["groupes"]:
        number = groupe["number"]
        fates |= dict.fromkeys(groupe["limbo"])
        fates |= {row["number"]: Gone(number, "pending", row["reason"]) for row in groupe["pending"]}
        fates |= {row["number"]: Gone(number, "deleted", row["reason"]) for row in groupe["deleted"]}
        for row in groupe["dossiers"]:
            fates[row["number"]] = Shown(number, row["state"], row["updated_at"] // MICROS)
    return fates


def held_fates(warehouse: duckdb.DuckDBPyConnection) -> dict[int, Fate]:
    """What the tables say of each dossier."""
    gone = {number: Gone(*told) for number, *told in warehouse.execute(GONE).fetchall()}
    fates: dict[int, Fate] = {number: None if fate.stage == "vanished" else fate for number, fate in gone.items()}
    return fates | {number: Shown(*told) for number, *told in warehouse.execute(SHOWN).fetchall()}


def left_over(warehouse: duckdb.DuckDBPyConnection) -> dict[int, set[str]]:
    """The tables that hold rows of a dossier that has none in ``dossiers``: what an erasure forgot."""
    found: dict[int, set[str]] = {}
    for (table,) in warehouse.execute(HOLDERS).fetchall():
        orphans = f"from {DATASET}.{table} anti join {DATASET}.dossiers on dossier_number = number"
        for (number,) in warehouse.execute(f"select distinct dossier_number {orphans}").fetchall():
            found.setdefault(number, set()).add(table)
    return found


def drift(truth: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """What is wrong with each dossier that is not in the tables as it is in truth."""
    true, held = true_fates(truth), held_fates(warehouse)
    wrong = {
        number: f"{held.get(number)} in the tables, {true.get(number)} in truth"
        for number in sorted(true.keys() | held.keys())
        if true.get(number) != held.get(number)
    }
    return wrong | {number: f"erased, but not from {sorted(tables)}" for number, tables in left_over(warehouse).items()}
