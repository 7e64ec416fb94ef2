"""Recovery in a dataset with tables of others, views, and the orphans of a killed load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

from ds_provider.exceptions import DSWarehouseError
from ds_provider.warehouse.database.destinations import duckdb_file
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.extracts import LandedExtracts
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.load.report import Policy
from tests.support.quick_warehouse import Killed
from tests.support.warehouse_life import World

DATASET = "ds"


class Database:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "w.duckdb"
        self.warehouse = Warehouse(duckdb_file(self.path), DATASET, folder / "work")

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DATASET}")
            connection.execute(f"USE {DATASET}")
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchall()

    @contextmanager
    def killed_after(self, writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        write, left = self.warehouse.write, [writes]

        def counted(rows: object) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            write(rows)  # type: ignore[arg-type]

        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(self.warehouse, "write", counted)
            yield
            pytest.fail("the load was not killed")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path)


def deposited(*numbers: int) -> tuple[World, LandedExtracts]:
    world = World()
    for number in numbers:
        world.play("deposit", number, 10)
    return world, world.read(10)


def test_dataset_with_tables_of_others_is_refused_and_unchanged(database: Database) -> None:
    database.run("CREATE TABLE messages (body TEXT)", "INSERT INTO messages VALUES ('theirs')")
    with pytest.raises(DSWarehouseError, match="tables of its own under the names messages: give dataset the name"):
        load(database.warehouse, deposited(1)[1], Policy())
    assert database.run("SELECT * FROM messages") == [("theirs",)]


def test_tables_of_others_with_similar_names_stay(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run("CREATE TABLE demarche_suivi (dossier_number BIGINT)", "INSERT INTO demarche_suivi VALUES (1)")
    _, extracts = deposited(1)
    with database.killed_after(1, monkeypatch):
        load(database.warehouse, extracts, Policy())
    load(database.warehouse, extracts, Policy())
    database.run(
        "CREATE TABLE demarche_13 (note TEXT)",
        "INSERT INTO demarche_13 VALUES ('theirs')",
        "CREATE VIEW demarche_14 AS SELECT * FROM demarche_12",
    )
    with database.killed_after(1, monkeypatch):
        load(database.warehouse, extracts, Policy())
    load(database.warehouse, extracts, Policy())
    assert database.run("SELECT * FROM demarche_suivi") == [(1,)]
    assert database.run("SELECT * FROM demarche_13") == [("theirs",)]
    assert len(database.run("SELECT * FROM demarche_14")) == 1


@pytest.mark.parametrize("is_first", [True, False])
def test_database_is_cleaned_by_the_load_after_a_killed_one(
    database: Database, is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, extracts = deposited(1)
    if not is_first:
        load(database.warehouse, extracts, Policy())
    world.play("deposit", 2, 10)
    with database.killed_after(1, monkeypatch):
        load(database.warehouse, world.read(10), Policy())
    assert (2,) in database.run("SELECT dossier_number FROM champs")
    del world.dossiers[2]
    load(database.warehouse, world.read(10), Policy())
    for table, key in (("champs", "dossier_number"), ("demarche_12", "number")):
        assert database.run(f"SELECT {key} FROM {table}") == [(1,)]
    assert database.run("SELECT count(*) FROM loads WHERE generation = 'unfinished'") == [(0,)]
