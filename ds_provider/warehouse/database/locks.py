"""One writer at a time, whatever process or machine it runs in."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ds_provider.exceptions import DSWarehouseError

log = logging.getLogger(__name__)

# longer than any load that is not stuck
PATIENCE_SECONDS = 3600.0
PAUSE_SECONDS = 0.5


@contextmanager
def file_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock of a file. It is the kernel's, so a process that dies lets it go.

    :param what: what the lock stands for, to be named where one waits.
    :raises DSWarehouseError: if another holds it for too long.
    """
    with path.open("ab") as file:
        _wait(lambda: _try_file(file.fileno()), what)
        yield


def _try_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def advisory_lock(url: str, name: str, what: str) -> Iterator[None]:
    """Hold an advisory lock of a Postgres database, on a connection of its own that goes with the process.

    It belongs to a session: through a pooler that shares out transactions, it holds nobody off.

    :param name: what is locked; the lock is the same for all who give the same name to the same database.
    :param what: what the lock stands for, to be named where one waits.
    :raises DSWarehouseError: if another holds it for too long.
    """
    import psycopg2

    # a firewall forgets a connection on which nothing is said
    connection = psycopg2.connect(url, keepalives_idle=30, keepalives_interval=10)
    try:
        # no transaction stays open while the lock is held: it would keep the database from tidying up
        connection.autocommit = True
        with connection.cursor() as cursor:
            _wait(lambda: _try_advisory(cursor, _key(name)), what)
            yield
    finally:
        connection.close()


def _try_advisory(cursor: object, key: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (key,))  # type: ignore[attr-defined]
    return bool(cursor.fetchone()[0])  # type: ignore[attr-defined]


def _key(name: str) -> int:
    digest = hashlib.sha256(f"ds_provider warehouse {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _wait(try_once: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    told = False
    while not try_once():
        if time.monotonic() >= deadline:
            raise DSWarehouseError(f"{what} is still in use by another task after {PATIENCE_SECONDS / 60:.0f} minutes")
        if not told:
            log.info("%s is in use by another task: waiting for it", what)
            told = True
        time.sleep(PAUSE_SECONDS)
