"""Locks that admit one writer at a time, on all processes and machines."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ds_provider.exceptions import DSWarehouseLockedError
from ds_provider.wording import lasted

log = logging.getLogger(__name__)

# longer than any load that is not stuck
TIMEOUT_SECONDS = 3600.0
# the first pause is for those who only read
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.05, 0.5


@contextmanager
def file_lock(path: Path, resource: str) -> Iterator[None]:
    """Hold the lock of a file. The kernel releases it if the process dies.

    :param resource: the locked resource, for the log and the error of a process that waits.
    :raises DSWarehouseLockedError: if another holds it for too long.
    """
    with path.open("ab") as file:
        _wait(lambda: _try_file(file.fileno()), resource)
        yield


def _try_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def advisory_lock(url: str, name: str, resource: str) -> Iterator[None]:
    """Hold an advisory lock of a Postgres database, on a connection of its own that ends with the process.

    It belongs to a session: a pooler in transaction mode makes it useless.

    :param name: the lock is the same for all that pass the same name to the same database.
    :param resource: the locked resource, for the log and the error of a process that waits.
    :raises DSWarehouseLockedError: if another holds it for too long.
    """
    import psycopg2

    # a firewall forgets a connection without traffic
    connection = psycopg2.connect(url, keepalives_idle=30, keepalives_interval=10)
    try:
        # no transaction stays open while the lock is held: it would keep the database from tidying up
        connection.autocommit = True
        with connection.cursor() as cursor:
            _wait(lambda: _try_advisory(cursor, _key(name)), resource)
            yield
    finally:
        connection.close()


def _try_advisory(cursor: Any, key: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (key,))
    return bool(cursor.fetchone()[0])


def _key(name: str) -> int:
    digest = hashlib.sha256(f"ds_provider warehouse {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _wait(try_once: Callable[[], bool], resource: str) -> None:
    if try_once():
        return
    log.info("%s is in use by another task: waiting for up to %s", resource, lasted(TIMEOUT_SECONDS))
    deadline, pause = time.monotonic() + TIMEOUT_SECONDS, MIN_POLL_SECONDS
    while time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, MAX_POLL_SECONDS)
        if try_once():
            return
    raise DSWarehouseLockedError(f"{resource} is still in use by another task after {lasted(TIMEOUT_SECONDS)}")
