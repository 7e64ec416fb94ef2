"""Stores of budgets: pyrate-limiter's buckets, in a file of this machine, in Redis or in Postgres."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from pyrate_limiter import AbstractBucket, PgQueries, PostgresBucket, Rate, RedisBucket, SQLiteBucket, SQLiteQueries
from pyrate_limiter.buckets.redis_bucket import LuaScript

from ds_provider.exceptions import DSConfigurationError

if TYPE_CHECKING:
    import psycopg
    import psycopg_pool
    import redis

TIMEOUT_SECONDS = 5.0

_FORMS = "sqlite:///path/to/a/file, redis://host:6379/0, rediss://… or postgresql://user:password@host/database"


class Store(ABC):
    """Store whose buckets all processes share by name. It connects when the first bucket is opened.

    :param location: its address in errors, without user and password.
    :param errors: the exceptions of its driver when it is out of reach.
    :param secrets: the parts of its address that no log may show.
    """

    location: str
    errors: tuple[type[Exception], ...]
    secrets: list[str]

    @abstractmethod
    def bucket(self, name: str, rate: Rate) -> AbstractBucket:
        """Return the bucket of that name, made if it does not exist."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection. The next bucket makes a new one."""


def open_store(url: str) -> Store:
    """Return the store of a URL, without opening it.

    :param url: ``sqlite:///path`` (always from the root), ``redis[s]://…`` or ``postgresql://…``.
    :raises DSConfigurationError: if it is no such URL, or its driver is not installed. The error does not show the
        URL, since it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("it is no URL") from None
    if parts.scheme == "sqlite":
        return SQLiteStore(_file_of(parts))
    kind = _SERVERS.get(parts.scheme)
    if kind is None or not (parts.hostname or kind.extra == "postgres"):
        raise _refused("it is not a URL of a known form")
    if missing := [module for module in kind.modules if find_spec(module) is None]:
        raise _refused(
            f"{' and '.join(missing)} must be installed: "
            f"pip install 'airflow-provider-demarches-simplifiees[{kind.extra}]'"
        )
    return kind(url, parts, f"{parts.scheme}://{parts.hostname or ''}{f':{port}' if port else ''}")


def _file_of(parts: SplitResult) -> Path:
    path = unquote(parts.path).strip("/")
    if parts.netloc or parts.query or parts.fragment or not path or "\0" in path:
        raise _refused("after sqlite:// it must be the path of a file, from the root")
    return Path("/", path)


def _refused(why: str) -> DSConfigurationError:
    return DSConfigurationError(
        f"budget_url cannot work: {why}. Leave it empty for a file of this machine, or give {_FORMS}"
    )


class SQLiteStore(Store):
    """SQLite file that all processes of a machine share."""

    errors = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        self.secrets = []
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def bucket(self, name: str, rate: Rate) -> AbstractBucket:
        """Return the bucket of that name."""
        connection = self._connection = self._connection or self._connect()
        lock = _WriteLock(connection)
        with lock:
            connection.execute(SQLiteQueries.CREATE_BUCKET_TABLE.format(table=name))
            connection.execute(
                SQLiteQueries.CREATE_INDEX_ON_TIMESTAMP.format(index_name=f"{name}_by_time", table_name=name)
            )
            connection.commit()
        return SQLiteBucket([rate], connection, name, lock=lock)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # for its owner alone: SQLite itself would let others read it
        self._path.touch(mode=0o600)
        # threads share it under the budget's own lock
        connection = sqlite3.connect(self._path, timeout=TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
        # no request waits for the disk, and a power failure costs the last counts at most
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection


class _WriteLock:
    """SQLite's own lock between processes, held by a bucket while it counts and adds.

    Without it, two processes would both count the same room as free. The lock file that the library offers instead is
    polled every 50 ms and takes seven times the CPU.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *error: object) -> None:
        if self._connection.in_transaction:
            self._connection.rollback()


class _ServerStore(Store):
    """Store on a server, by a URL that may hold a password."""

    extra: str
    modules: tuple[str, ...]

    def __init__(self, url: str, parts: SplitResult, location: str) -> None:
        self.location = location
        self.secrets = _secrets_of(parts)
        self._url = url


def _secrets_of(parts: SplitResult) -> list[str]:
    """Return the passwords, quoted and unquoted. Both drivers also take one from the query."""
    written = [parts.password or "", *(pair.partition("=")[2] for pair in parts.query.split("&") if "password" in pair)]
    return [secret for text in written for secret in dict.fromkeys((text, unquote(text))) if secret]


class RedisStore(_ServerStore):
    """Store for any number of machines. It counts by the clock of the Redis server."""

    extra = "redis"
    modules = ("redis",)

    def __init__(self, url: str, parts: SplitResult, location: str) -> None:
        super().__init__(url, parts, location)
        import redis

        self.errors = (redis.RedisError, OSError)
        if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
            raise _refused("after the host it must be the number of a Redis database")
        try:
            self._client = redis.Redis.from_url(
                url, decode_responses=True, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
            )
            # the options in the URL are checked only here; it does not connect
            self._client.connection_pool.make_connection()
        except (ValueError, TypeError):
            raise _refused("Redis does not understand it") from None

    def bucket(self, name: str, rate: Rate) -> AbstractBucket:
        """Return the bucket of that name."""
        return _RedisBucket([rate], self._client, name, self._client.script_load(_COUNT_ALL))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


# the library's script does not see what another process has added a moment later than this one asked for the time
_COUNT_ALL = LuaScript.PUT_ITEM.replace("window_start, now)", "window_start, '+inf')")


class _RedisBucket(RedisBucket):
    """Bucket that goes by the server's clock, where the library's goes by each machine's own."""

    redis: redis.Redis

    def now(self) -> int:
        seconds, microseconds = self.redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000


class PostgresStore(_ServerStore):
    """Store for any number of machines, with a role that may create tables. It counts by the server's clock."""

    extra = "postgres"
    modules = ("psycopg", "psycopg_pool")

    def __init__(self, url: str, parts: SplitResult, location: str) -> None:
        super().__init__(url, parts, location)
        import psycopg

        self.errors = (psycopg.Error, OSError)
        self._pool: psycopg_pool.ConnectionPool[Any] | None = None
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise _refused("Postgres does not understand it") from None

    def bucket(self, name: str, rate: Rate) -> AbstractBucket:
        """Return the bucket of that name."""
        self._pool = self._pool or self._connect()
        return _PostgresBucket(self._pool, name, [rate])

    def close(self) -> None:
        """Close the connection."""
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def _connect(self) -> psycopg_pool.ConnectionPool[Any]:
        import psycopg_pool

        return psycopg_pool.ConnectionPool(
            self._url, min_size=1, max_size=1, open=True, configure=_configure, timeout=TIMEOUT_SECONDS
        )


def _configure(connection: psycopg.Connection[Any]) -> None:
    # the library's columns have no time zone: two machines in different ones would not see each other's requests
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute(f"SET lock_timeout = '{TIMEOUT_SECONDS:.0f}s'")
    connection.commit()


class _PostgresBucket(PostgresBucket):
    """Bucket that waits for its turn, where the library's fails whenever another process counts."""

    def __init__(self, pool: psycopg_pool.ConnectionPool[Any], table: str, rates: list[Rate]) -> None:
        from psycopg import sql

        super().__init__(pool, table, rates)
        waiting = PgQueries.LOCK_TABLE.replace("NOWAIT", "")
        self._q_lock = sql.SQL(waiting).format(table=sql.Identifier(self._full_tbl))


_SERVERS: dict[str, type[RedisStore] | type[PostgresStore]] = {
    "redis": RedisStore,
    "rediss": RedisStore,
    "postgresql": PostgresStore,
    "postgres": PostgresStore,
}
