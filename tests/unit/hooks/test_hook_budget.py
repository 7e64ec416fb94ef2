"""Requests of the hook are counted in the budget, except that of a connection test."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from airflow.sdk.log import redact

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.query import lookups
from ds_provider.exceptions import DSBudgetError
from ds_provider.hooks.ds import DSHook
from tests.support.hook_service import TOKEN

WHOLE = {"data": {"__typename": "Query"}}


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "budget.sqlite"


@pytest.fixture(autouse=True)
def _connection(monkeypatch, service, store) -> None:
    """Give the other tests' connection a budget of one request."""
    from os import environ

    connection = json.loads(environ["AIRFLOW_CONN_DS_DEFAULT"])
    connection["extra"] = {"requests_per_minute": 1, "budget_url": f"sqlite://{store}"}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(connection))
    service.will_respond(WHOLE)


def spent(store: Path) -> int:
    with sqlite3.connect(store) as database:
        ((table,),) = database.execute("select name from sqlite_master where name like '%_spent'")
        return int(database.execute(f'select count(*) from "{table}"').fetchone()[0])


def test_request_of_a_task_is_counted(store):
    DSHook().run("{ a }")
    assert spent(store) == 1


def test_request_of_a_trigger_is_counted(store):
    async def ask() -> None:
        async with DSHook().async_client() as client:
            await client.result(lookups.check_token())

    asyncio.run(ask())
    assert spent(store) == 1


def test_connection_test_does_not_wait_for_a_spent_budget(service, monkeypatch):
    DSHook().run("{ a }")

    def wait(budget: Budget) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(Budget, "spend", wait)
    works, _ = DSHook().test_connection()
    assert works
    assert len(service.requests) == 2


def test_connection_test_reports_a_budget_store_out_of_reach(service, store):
    store.mkdir()
    works, message = DSHook().test_connection()
    assert not works
    assert "budget_url" in message
    assert str(store) in message
    assert service.requests == []


def test_task_sends_nothing_without_its_budget(service, store, monkeypatch):
    monkeypatch.setattr("ds_provider.api.budget.limiter.STORE_PATIENCE_SECONDS", 0.0)
    store.mkdir()
    with pytest.raises(DSBudgetError):
        DSHook().run("{ a }")
    assert service.requests == []


@pytest.mark.parametrize("loop", [False, True], ids=["thread", "event loop"])
def test_password_of_the_budget_s_store_is_masked(monkeypatch, loop):
    secret = f"gR3at-s3cret-{loop:d}"
    connection = {"conn_type": "ds", "password": TOKEN, "extra": {"budget_url": f"redis://u:{secret}@h"}}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(connection))

    async def use() -> None:
        async with DSHook().async_client():
            pass

    if loop:
        asyncio.run(use())
    else:
        with DSHook().client():
            pass
    assert secret not in str(redact(f"redis://u:{secret}@h"))
