"""Transactions of others that hold tables of a Postgres dataset: who they are, never what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from ds_provider.exceptions import LockHolder

_MAX_HOLDERS = 5
# the text of a query may hold personal data: it is not asked for
_HOLDERS = """
    SELECT activity.pid, activity.usename, activity.application_name, activity.state, activity.xact_start,
        string_agg(DISTINCT class.relname, ', ')
    FROM pg_locks AS lock
    JOIN pg_class AS class ON class.oid = lock.relation AND class.relkind IN ('r', 'p', 'v', 'm')
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
    WHERE lock.granted AND namespace.nspname = ANY(%s) AND activity.pid <> pg_backend_pid()
        AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY 1, 2, 3, 4, 5 ORDER BY activity.xact_start NULLS LAST, activity.pid LIMIT %s
"""


def lock_holders(url: str, schemas: Sequence[str]) -> list[LockHolder]:
    """Return who holds locks on tables of these schemas, the longest first.

    The state and the start of a transaction are null where the database shows them to other roles only.
    """
    import psycopg2

    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(_HOLDERS, (list(schemas), _MAX_HOLDERS))
        return [LockHolder(*row) for row in cursor.fetchall()]
