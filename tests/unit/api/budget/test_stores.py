"""A URL opens a store or is refused in one line, and its password is never shown."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrate_limiter import Rate, RateItem
from pyrate_limiter.buckets.redis_bucket import LuaScript

from ds_provider.api.budget import stores as budget_stores
from ds_provider.api.budget.limiter import Budget, budget_key
from ds_provider.api.budget.stores import PostgresStore, RedisStore, SQLiteStore, Store, open_store
from ds_provider.exceptions import DSBudgetError, DSConfigurationError
from tests.support.budgets import Clock, on_clock

TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="
PASSWORD = "s3c/ret"


def refusal(url: str) -> str:
    with pytest.raises(DSConfigurationError) as caught:
        open_store(url)
    text = str(caught.value)
    assert "\n" not in text
    assert "budget_url" in text
    assert "s3c" not in "".join(traceback.format_exception(caught.value))
    return text


URLS = {
    "sqlite:///var/lib/budget.sqlite": (SQLiteStore, "/var/lib/budget.sqlite"),
    "sqlite:////var/lib/budget.sqlite": (SQLiteStore, "/var/lib/budget.sqlite"),
    "sqlite:///with%20blank/budget": (SQLiteStore, "/with blank/budget"),
    "redis://redis": (RedisStore, "redis://redis"),
    "redis://redis:6379/1": (RedisStore, "redis://redis:6379"),
    "redis://:s3c%2Fret@redis:6379/1": (RedisStore, "redis://redis:6379"),
    "rediss://u:s3c%2Fret@redis.test": (RedisStore, "rediss://redis.test"),
    "postgresql://u:s3c%2Fret@db/airflow": (PostgresStore, "postgresql://db"),
    "postgres://u:s3c%2Fret@db:5432/airflow?sslmode=require": (PostgresStore, "postgres://db:5432"),
    "postgresql:///airflow?host=/run/postgresql": (PostgresStore, "postgresql://"),
}


@pytest.mark.parametrize(("url", "meant"), URLS.items(), ids=URLS)
def test_url_opens_its_store(url, meant):
    store = open_store(url)
    assert (type(store), store.location) == meant


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3c%2Fret@redis",
        "postgresql://u:s3c%2Fret@db/a",
        "redis://redis?password=s3c%2Fret",
        "postgres://db/a?password=s3c%2Fret",
    ],
)
def test_password_is_a_secret_quoted_and_unquoted(url):
    assert set(open_store(url).secrets) == {"s3c%2Fret", "s3c/ret"}


BAD_URLS = [
    "budget.sqlite",
    "/var/lib/budget.sqlite",
    "file:///var/lib/budget.sqlite",
    "sqlite://",
    "sqlite:///",
    "sqlite://budget.sqlite",
    "sqlite:///budget.sqlite?mode=ro",
    "sqlite:///a%00b",
    "redis://",
    "redis:///0",
    "redis://u:s3cret@redis:port/0",
    "redis://u:s3cret@redis:6379/first",
    "redis://u:s3cret@redis:6379/0?socket_timeout=soon",
    "redis://u:s3cret@redis:6379/0?no_such_option=1",
    "postgresql://u:s3cret@db:port/airflow",
    "postgresql://u:s3cret@db/airflow?no_such_option=1",
    "postgresql+psycopg2://u:s3cret@db/airflow",
    "mysql://u:s3cret@db/airflow",
    "http://[s3cret",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_invalid_url_is_refused_with_examples(url):
    text = refusal(url)
    assert "postgresql://" in text
    assert "redis://" in text
    assert "sqlite:///" in text


@given(st.text(max_size=30), st.sampled_from(["", "sqlite:///", "redis://", "redis://h:1/", "postgresql://", "x://"]))
def test_any_text_is_a_store_or_refused(text, start):
    with suppress(DSConfigurationError):
        assert isinstance(open_store(start + text), Store)


@pytest.mark.parametrize(
    ("url", "extra", "module"),
    [("redis://redis", "redis", "redis"), ("postgresql://db/a", "postgres", "psycopg_pool")],
)
def test_missing_driver_is_named_with_its_pip_command(monkeypatch, url, extra, module):
    monkeypatch.setattr(budget_stores, "find_spec", lambda name: None if name == module else object())
    text = refusal(url)
    assert module in text
    assert f"pip install 'airflow-provider-demarches-simplifiees[{extra}]'" in text


def file_budget(path: Path, requests: int = 10) -> Budget:
    return Budget(open_store(path.as_uri().replace("file", "sqlite", 1)), budget_key(TOKEN, "demarche.test"), requests)


def test_store_is_not_opened_before_the_first_request(tmp_path):
    file_budget(tmp_path / "budget.sqlite")
    assert not list(tmp_path.iterdir())


def test_sqlite_files_are_for_their_owner_alone(tmp_path):
    umask = os.umask(0)
    try:
        budget = file_budget(tmp_path / "new" / "budget.sqlite")
        budget.spend()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
        budget.close()
    finally:
        os.umask(umask)
    assert set(modes.values()) == {0o600}


def test_sqlite_file_does_not_hold_the_token(tmp_path):
    budget = file_budget(tmp_path / "budget.sqlite")
    budget.spend()
    budget.record_refusal(10)
    budget.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ds_" in held
    assert TOKEN.encode() not in held


def test_sqlite_file_keeps_requests_for_later_budgets(tmp_path):
    for _ in range(3):
        budget = file_budget(tmp_path / "budget.sqlite")
        budget.spend()
        budget.close()
    with sqlite3.connect(tmp_path / "budget.sqlite") as database:
        table = f"ds_{budget_key(TOKEN, 'demarche.test')}_spent"
        assert database.execute(f'select count(*) from "{table}"').fetchone() == (3,)


def test_sqlite_bucket_waits_while_another_process_counts_and_adds(tmp_path):
    one, other = (SQLiteStore(tmp_path / "budget.sqlite").bucket("a", Rate(1, 60_000)) for _ in range(2))
    results: list[object] = []
    adding = threading.Thread(target=lambda: results.append(other.put(RateItem("a", other.now()))))
    with one.limiter_lock():
        adding.start()
        adding.join(0.2)
        assert results == []
    adding.join()
    assert results == [True]


def test_clock_that_is_set_back_hides_no_refusal(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("pyrate_limiter.buckets.sqlite_bucket.time_ns", lambda: int(clock.seconds * 1e9))
    budget = on_clock(file_budget(tmp_path / "budget.sqlite"), clock)
    budget.record_refusal(30)
    clock.seconds -= 86_400
    budget.record_refusal(30)
    budget.spend()
    assert 30 <= sum(clock.waits) <= 31.5


def test_file_that_cannot_be_made_is_named_in_the_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DSBudgetError, match="budget_url") as caught:
        file_budget(tmp_path / "file" / "budget.sqlite").check()
    assert str(tmp_path / "file" / "budget.sqlite") in str(caught.value)


def test_file_that_is_no_database_is_named_in_the_error(tmp_path):
    (tmp_path / "budget.sqlite").write_text("no database" * 100)
    with pytest.raises(DSBudgetError) as caught:
        file_budget(tmp_path / "budget.sqlite").check()
    assert str(tmp_path / "budget.sqlite") in str(caught.value)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("url", ["redis://u:s3c%2Fret@127.0.0.1:{}/0", "postgresql://u:s3c%2Fret@127.0.0.1:{}/a"])
def test_server_that_is_away_is_named_without_the_password(monkeypatch, caplog, closed_port, url):
    monkeypatch.setattr(budget_stores, "TIMEOUT_SECONDS", 0.5)
    budget = Budget(open_store(url.format(closed_port)), "a", 10)
    with pytest.raises(DSBudgetError) as caught:
        budget.check()
    budget.close()
    assert f"127.0.0.1:{closed_port}" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "s3c" not in shown


def test_redis_script_counts_requests_that_others_added_in_the_same_instant():
    """The library's script is amended by its text: a new version of it may have another."""
    assert budget_stores._COUNT_ALL != LuaScript.PUT_ITEM
    assert "'ZCOUNT', bucket, window_start, '+inf')" in budget_stores._COUNT_ALL
