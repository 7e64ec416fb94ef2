"""Queries on the warehouse: its counts, and the questions of a team."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.warehouse.database.destinations import duckdb_file
from ds_provider.warehouse.database.store import Warehouse

NAMES = """
    select table_name from information_schema.tables
    where table_schema = ? and not starts_with(table_name, '_dlt') order by table_name
"""
NUMBERS = f"select number from {DEFAULT_DATASET}.dossiers"
STAGES = f"""
    select count(*) filter (deletion_stage = 'pending'), count(*) filter (deletion_stage = 'vanished')
    from {DEFAULT_DATASET}.dossiers
"""
READ = f"select coalesce(sum(rows), 0) from {DEFAULT_DATASET}.loads where stream = 'dossiers' and loaded_at >= ?"

ANSWERS = {
    "Dossiers by group and state": """
        pivot (from {dataset}.dossiers where deletion_stage is null)
        on state using count(*) group by groupe_instructeur_number order by groupe_instructeur_number
    """,
    "Days from deposit to decision, by month of decision": """
        select strftime(date_traitement at time zone 'Europe/Paris', '%Y-%m') as "month", count(*) as decisions,
            round(median(epoch(date_traitement - date_depot)) / 86400, 1) as median_days
        from {dataset}.dossiers where date_traitement is not null group by all order by "month"
    """,
    "Drop-out: deleted for good, by month of the request, and how many of these before their instruction": """
        select strftime(date_supression at time zone 'Europe/Paris', '%Y-%m') as "month", count(*) as deleted,
            count(*) filter (state = 'en_construction') as before_instruction
        from {dataset}.deleted_dossiers where stage = 'deleted' group by all order by "month"
    """,
    "A champ, in the wide table: how the chosen sectors fare": """
        select coalesce(filiere, '(none)') as filiere, count(*) as dossiers,
            count(*) filter (state = 'accepte') as accepted
        from {dataset}.demarche_{demarche}
        group by all order by dossiers desc, filiere
    """,
}


@contextmanager
def opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the DuckDB file while no task has it open."""
    lock = Warehouse(duckdb_file(database), DEFAULT_DATASET, database.parent / "queries").locked()
    with lock, closing(duckdb.connect(str(database), read_only=True)) as warehouse:
        yield warehouse


def numbers(warehouse: duckdb.DuckDBPyConnection) -> frozenset[int]:
    """Return the numbers of all dossiers in the table."""
    return frozenset(number for (number,) in warehouse.execute(NUMBERS).fetchall())


def read_since(warehouse: duckdb.DuckDBPyConnection, instant: datetime) -> int:
    """Count the dossiers that were read and loaded since an instant."""
    return int(_one(warehouse, READ, instant)[0])


def stages(warehouse: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Count the dossiers in the table that are pending, and those that have vanished."""
    pending, vanished = _one(warehouse, STAGES)
    return pending, vanished


def counts(warehouse: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Count the rows of each table."""
    names = warehouse.execute(NAMES, [DEFAULT_DATASET]).fetchall()
    return [(name, _one(warehouse, f"select count(*) from {DEFAULT_DATASET}.{name}")[0]) for (name,) in names]


def _one(warehouse: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> tuple[Any, ...]:
    (row,) = warehouse.execute(sql, list(values)).fetchall()
    return tuple(row)


def answer(warehouse: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[Any]]:
    """Return the columns and rows of an answer."""
    result = warehouse.execute(sql)
    return [column[0] for column in result.description], result.fetchall()
