"""Compare where the tables list each dossier with where the sandbox does."""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb

from ds_provider.constants import DEFAULT_DATASET

MICROS = 1_000_000

SHOWN = f"""
    select number, groupe_instructeur_number, state, epoch_us(date_derniere_modification) // {MICROS}
    from {DEFAULT_DATASET}.dossiers where deletion_stage is null
"""
DELETED = f"select number, groupe_instructeur_number, stage, reason from {DEFAULT_DATASET}.deleted_dossiers"
CHILD_TABLES = f"""
    select table_name, column_name from information_schema.columns
    where table_schema = '{DEFAULT_DATASET}' and (
        column_name = 'dossier_number' or (column_name = 'number' and starts_with(table_name, 'demarche_'))
    )
"""


class Shown(NamedTuple):
    """A visible dossier. Its last change is in seconds since 1970, since the API shows no more of it."""

    groupe: int
    state: str
    changed: int


class Deleted(NamedTuple):
    """A dossier that is deleted, or soon will be."""

    groupe: int
    stage: str
    reason: str


Listing = Shown | Deleted | None
"""The list that holds a dossier. None if no list does, or if it is only known to have vanished."""


def true_listings(truth: dict[str, Any]) -> dict[int, Listing]:
    """Return the list of each dossier by number, from the sandbox's ``GET /sandbox/truth``."""
    listings: dict[int, Listing] = {row["number"]: None for row in truth["deleted_without_groupe"]}
    for groupe in truth["groupes"]:
        number = groupe["number"]
        listings |= dict.fromkeys(groupe["limbo"])
        listings |= {row["number"]: Deleted(number, "pending", row["reason"]) for row in groupe["pending"]}
        listings |= {row["number"]: Deleted(number, "deleted", row["reason"]) for row in groupe["deleted"]}
        for row in groupe["dossiers"]:
            listings[row["number"]] = Shown(number, row["state"], row["updated_at"] // MICROS)
    return listings


def expired(truth: dict[str, Any]) -> set[int]:
    """Return the numbers of the dossiers that no list of the service holds, since they have expired."""
    return {number for groupe in truth["groupes"] for number in groupe["limbo"]}


def table_listings(warehouse: duckdb.DuckDBPyConnection) -> dict[int, Listing]:
    """Return the list of each dossier by number, as the tables have it."""
    deleted = {number: Deleted(*row) for number, *row in warehouse.execute(DELETED).fetchall()}
    listings: dict[int, Listing] = {
        number: None if listing.stage == "vanished" else listing for number, listing in deleted.items()
    }
    return listings | {number: Shown(*row) for number, *row in warehouse.execute(SHOWN).fetchall()}


def orphan_rows(warehouse: duckdb.DuckDBPyConnection) -> dict[int, set[str]]:
    """Return, by dossier number, the tables with rows of a dossier that is no longer in ``dossiers``."""
    found: dict[int, set[str]] = {}
    for table, key in warehouse.execute(CHILD_TABLES).fetchall():
        known = f"select number from {DEFAULT_DATASET}.dossiers"
        orphans = f"select distinct {key} from {DEFAULT_DATASET}.{table} where {key} not in ({known})"
        for (number,) in warehouse.execute(orphans).fetchall():
            found.setdefault(number, set()).add(table)
    return found


def drift(truth: dict[str, Any], warehouse: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Describe, by number, each dossier that the tables list differently from the sandbox."""
    true, held = true_listings(truth), table_listings(warehouse)
    wrong = {
        number: f"{held.get(number)} in the tables, {true.get(number)} in truth"
        for number in sorted(true.keys() | held.keys())
        if true.get(number) != held.get(number)
    }
    return wrong | {
        number: f"erased, but not from {sorted(tables)}" for number, tables in orphan_rows(warehouse).items()
    }
