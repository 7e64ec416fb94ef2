"""The warehouse among other users of its Postgres: their open transactions, and roles that may do little."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ds_provider.exceptions import DSWarehouseLockedError, DSWarehouseRightsError
from ds_provider.retry_policy import PERMANENT_ERRORS
from ds_provider.tables.schemas import DOSSIERS
from ds_provider.warehouse.database.destinations import ConnectionFields, Destination, destination_of
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.extracts import LandedExtracts
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.load.report import Policy
from tests.support import pauses
from tests.support.forms import demarche, descriptor, revision
from tests.support.postgres import create_database
from tests.support.warehouse_life import DEMARCHE, World
from tests.support.warehouse_rows import rows_of

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
WAITING = "ds_provider.warehouse.database.waiting"
OWN = "CREATE SCHEMA ds AUTHORIZATION ds_loader"
SECRET = "jean.valjean@example.org"


@pytest.fixture
def destination(postgres: str) -> Destination:
    name = create_database(postgres)
    # the connection's own options hold, and no test needs to wait for seconds
    extra = {"options": "-c lock_timeout=300ms"}
    return destination_of(ConnectionFields("postgres", host=postgres, login="postgres", schema=name, extra=extra))


@pytest.fixture
def warehouse(destination: Destination, tmp_path: Path) -> Warehouse:
    return Warehouse(destination, "ds", tmp_path / "work")


@pytest.fixture
def analyst(destination: Destination) -> Iterator[Any]:
    """Return a connection as BI tools have it: it begins a transaction with its first query."""
    with closing(psycopg2.connect(destination.credentials, application_name="Metabase")) as connection:
        yield connection


def ask(connection: Any, sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def deposited(*numbers: int) -> LandedExtracts:
    world = World()
    for number in numbers:
        world.play("deposit", number, 10)
    return world.read(10)


def grown() -> list[tuple[dict[str, Any], datetime]]:
    """Return a form with a champ that the tables do not know: its column must be added."""
    form = demarche(revision("r2", [descriptor("c1", "Nom"), descriptor("c2", "Montant")]), number=DEMARCHE)
    return [(form, datetime(2026, 11, 2, tzinfo=timezone.utc))]


def assert_no_lock_is_held(connection: Any) -> None:
    """Check that no load holds its lock; a server lets go of a lock a moment after its session was closed."""
    until = time.monotonic() + 10
    while ask(connection, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"):
        assert time.monotonic() < until, "the warehouse's lock is held"
        time.sleep(0.05)


def test_load_waits_for_an_open_transaction_without_holding_its_lock(
    warehouse: Warehouse, analyst: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load(warehouse, deposited(1), Policy())
    ask(analyst, f"SELECT '{SECRET}', * FROM ds.demarche_12")
    waits = []

    def end_after_a_while(seconds: float) -> None:
        waits.append(seconds)
        assert_no_lock_is_held(analyst)
        if len(waits) == 2:
            analyst.commit()

    pauses.cut_short(monkeypatch, WAITING, "time", end_after_a_while)
    load(warehouse, deposited(1, 2), Policy(), demarches=grown())
    assert len(waits) == 2
    assert [row[0] for row in rows_of(warehouse, DOSSIERS, "number")] == [1, 2]
    assert "montant" in warehouse.columns_of("demarche_12")
    assert f"pid {analyst.info.backend_pid}, user postgres, application 'Metabase', idle in transaction" in caplog.text
    assert SECRET not in caplog.text


def test_load_that_waited_in_vain_says_who_held_the_tables(
    warehouse: Warehouse, analyst: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(warehouse, deposited(1), Policy())
    ask(analyst, f"SELECT '{SECRET}', * FROM ds.demarche_12")
    monkeypatch.setattr(f"{WAITING}.PATIENCE_SECONDS", 0.0)
    with pytest.raises(DSWarehouseLockedError, match="demarche_12") as failure:
        load(warehouse, deposited(1, 2), Policy(), demarches=grown())
    (holder,) = failure.value.holders
    assert (holder.pid, holder.user, holder.application_name) == (analyst.info.backend_pid, "postgres", "Metabase")
    assert holder.state == "idle in transaction"
    assert holder.since is not None
    assert SECRET not in str(failure.value)
    assert not isinstance(failure.value, PERMANENT_ERRORS)
    analyst.commit()
    load(warehouse, deposited(1, 2), Policy(), demarches=grown())
    assert [row[0] for row in rows_of(warehouse, DOSSIERS, "number")] == [1, 2]


def test_load_waits_for_rows_that_somebody_changed(
    warehouse: Warehouse, analyst: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(warehouse, deposited(1), Policy())
    ask(analyst, "UPDATE ds.dossiers SET motivation = 'x'")
    pauses.cut_short(monkeypatch, WAITING, "time", lambda seconds: analyst.rollback())
    load(warehouse, deposited(1), Policy())
    assert rows_of(warehouse, DOSSIERS, "number", "motivation") == [(1, None)]


@pytest.mark.parametrize("do", ["read", "execute"])
def test_reader_waits_too(
    warehouse: Warehouse, analyst: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, do: str
) -> None:
    load(warehouse, deposited(1), Policy())
    ask(analyst, "LOCK TABLE ds.dossiers IN ACCESS EXCLUSIVE MODE")
    pauses.cut_short(monkeypatch, WAITING, "time", lambda seconds: analyst.rollback())
    calls = {
        "read": lambda: warehouse.read(DOSSIERS, ["number"]),
        "execute": lambda: warehouse.execute("UPDATE ds.dossiers SET archived = false"),
    }
    calls[do]()
    assert "Metabase" in caplog.text


def granted(destination: Destination, block: int) -> None:
    """Run one of the texts of the documentation, as it stands but for the names that it says to replace."""
    text = (CHECKOUT / "docs" / "how_to" / "postgres_warehouse.md").read_text()
    sql = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)[block]
    with closing(psycopg2.connect(destination.credentials)) as connection:
        connection.autocommit = True
        ((database,),) = ask(connection, "SELECT current_database()")
        ask(connection, sql.replace("my_database", database))


@pytest.fixture
def roles(destination: Destination) -> Iterator[None]:
    yield
    with closing(psycopg2.connect(destination.credentials)) as connection:
        connection.autocommit = True
        for role in ("ds_loader", "ds_reader"):
            if ask(connection, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                ask(connection, f"DROP OWNED BY {role} CASCADE")
                ask(connection, f"DROP ROLE {role}")


def as_role(destination: Destination, role: str) -> Destination:
    return replace(destination, credentials=destination.credentials.replace("//postgres:", f"//{role}:"))


@pytest.mark.usefixtures("roles")
def test_documented_grants_are_enough_to_load_and_to_read(destination: Destination, tmp_path: Path) -> None:
    granted(destination, 0)
    granted(destination, 1)
    loader = Warehouse(as_role(destination, "ds_loader"), "demarches_simplifiees", tmp_path / "work")
    load(loader, deposited(1), Policy())
    load(loader, deposited(1, 2), Policy(), demarches=grown())
    with closing(psycopg2.connect(as_role(destination, "ds_reader").credentials)) as reader:
        found = ask(reader, "SELECT number, montant FROM demarches_simplifiees.demarche_12 ORDER BY 1")
        assert found == [(1, None), (2, None)]
        for refused in (
            "DELETE FROM demarches_simplifiees.dossiers",
            "CREATE TABLE demarches_simplifiees.mine (x int)",
            "SELECT * FROM demarches_simplifiees_staging.dossiers",
        ):
            reader.rollback()
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(reader, refused)


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize(
    "given",
    [
        OWN,
        "CREATE SCHEMA ds; GRANT USAGE, CREATE ON SCHEMA ds TO ds_loader",
        f"{OWN}; CREATE SCHEMA ds_staging; GRANT USAGE ON SCHEMA ds_staging TO ds_loader",
        f"CREATE SCHEMA ds; GRANT USAGE ON SCHEMA ds TO ds_loader; {OWN.replace('ds A', 'ds_staging A')}",
        "SELECT 1",
    ],
)
def test_role_without_a_right_is_told_which_schemas_it_needs(
    destination: Destination, tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(psycopg2.connect(destination.credentials)) as connection:
        connection.autocommit = True
        ask(connection, f"CREATE ROLE ds_loader LOGIN; {given}")
    pauses.cut_short(monkeypatch, WAITING, "time", lambda seconds: pytest.fail("it waits"))
    warehouse = Warehouse(as_role(destination, "ds_loader"), "ds", tmp_path / "work")
    with pytest.raises(DSWarehouseRightsError, match=r"schemas ds and ds_staging, .* docs/how_to/.*\.md") as failure:
        load(warehouse, deposited(1), Policy())
    assert isinstance(failure.value, PERMANENT_ERRORS)
