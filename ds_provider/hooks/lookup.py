"""Lookup of a connection, and of the reason where one is there that Airflow cannot read.

Airflow passes over what it cannot read of a secrets backend or a variable, and says that the connection is not defined.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.configuration import ensure_secrets_loaded
from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider.exceptions import DSConfigurationError

_VARIABLES = "airflow.secrets.environment_variables.EnvironmentVariablesBackend"
_UNKNOWN_FIELD = re.compile(r"unexpected keyword argument '(\w{1,40})'")


def find_connection(hook: BaseHook, conn_id: str) -> Connection:
    """Return a connection, with fields of any type.

    :raises AirflowNotFoundException: if there is none.
    :raises DSConfigurationError: if what is there cannot be read, naming the connection and the field.
    """
    try:
        return hook.get_connection(conn_id)
    except AirflowNotFoundException:
        if (connection := _read_again(conn_id)) is None:
            raise
        return connection


async def afind_connection(hook: BaseHook, conn_id: str) -> Connection:
    """Return the same on an event loop."""
    try:
        return await hook.aget_connection(conn_id)
    except AirflowNotFoundException:
        if (connection := await asyncio.to_thread(_read_again, conn_id)) is None:
            raise
        return connection


def _read_again(conn_id: str) -> Connection | None:
    """Return what a secrets backend of this process holds. Its fields are checked where they are used."""
    for backend in ensure_secrets_loaded([_VARIABLES]):
        value: Any = None
        # a backend that is out of reach says nothing of the connection, and some hand on whole connections alone
        with suppress(Exception):
            value = backend.get_conn_value(conn_id=conn_id)
        if value:
            return _parse(backend, conn_id, value)
        with suppress(Exception):
            connection: Connection | None = backend.get_connection(conn_id=conn_id)
            if connection:
                return connection
    return None


def _parse(backend: Any, conn_id: str, value: Any) -> Connection:
    try:
        connection: Connection = backend.deserialize_connection(conn_id=conn_id, value=value)
    except Exception as error:  # noqa: BLE001 - what it raises depends on the field
        raise DSConfigurationError(f"connection {conn_id!r}: {_reason(error)}") from None
    return connection


def _reason(error: Exception) -> str:
    """Return what is wrong, without the error's text, which may quote the password."""
    if unknown := _UNKNOWN_FIELD.search(str(error)):
        return (
            f"it has the field {unknown[1]!r}, which a connection has not: host, port, schema, login, password, extra"
        )
    if "port" in str(error).lower():
        return "the port must be a whole number between 1 and 65535; in a URI, quote the password's special characters"
    return "it must be a JSON object or a URI; in a URI, quote the special characters of each field"
