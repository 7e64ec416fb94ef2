"""Fields of a connection, checked: secrets backends, JSON and URIs hold values of any type.

No error shows a text, which may be the token or a password in the wrong field.
"""

from __future__ import annotations

import re
from typing import Any

from airflow.sdk import Connection

from ds_provider.exceptions import DSConfigurationError

MAX_PORT = 65535

_DIGITS = re.compile(r"[0-9]{1,9}")


def text_of(connection: Connection, field: str) -> str:
    """Return a field that is a text, empty if it is not given.

    :raises DSConfigurationError: naming the connection and the field.
    """
    value: Any = getattr(connection, field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refused(connection, f"the {field} must be a text, and is of type {type(value).__name__}")
    if not is_readable(value):
        raise refused(connection, f"the {field} holds a NUL or an escape that is no character")
    return value


def port_of(connection: Connection) -> int | None:
    """Return the port, which may be given as a number or as a text; None if it is not given.

    Zero is none: Airflow's page tests a connection without a port as one with that.

    :raises DSConfigurationError: naming the connection.
    """
    given: Any = connection.port
    if given is None or str(given).strip() in ("", "0"):
        return None
    port = parse_port(given)
    if port is None:
        shown = f": got {given}" if isinstance(given, int | float) else ""
        raise refused(connection, f"the port must be a whole number between 1 and {MAX_PORT}{shown}")
    return port


def parse_port(given: object) -> int | None:
    """Return a port from a number or a text, or None if it is no port."""
    if isinstance(given, str) and _DIGITS.fullmatch(given.strip()):
        given = int(given.strip())
    if isinstance(given, bool) or not isinstance(given, int | float) or not 1 <= given <= MAX_PORT:
        return None
    return int(given) if given == int(given) else None


def refused(connection: Connection, why: str) -> DSConfigurationError:
    """Return the error of a connection that cannot work."""
    return DSConfigurationError(f"connection {connection.conn_id!r}: {why}")


def is_readable(text: str) -> bool:
    """Return true if a text has no NUL and no escape that is no character."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
