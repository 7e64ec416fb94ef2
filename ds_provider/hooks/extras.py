"""Extra of a connection."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import Connection

from ds_provider.exceptions import DSConfigurationError


def extra_of(connection: Connection) -> dict[str, Any]:
    """Return the extra, without the round trip to Airflow's supervisor that its own accessor makes.

    :raises DSConfigurationError: naming the connection, if the extra is no JSON object.
    """
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise DSConfigurationError(
            f'connection {connection.conn_id!r}: the extra must be a JSON object such as {{"key": "value"}}'
        )
    return extra
