"""Extra of a connection."""

from __future__ import annotations

import json
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from airflow.sdk import Connection

from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.fields import refused

# as older versions of Airflow's form wrote them
_FORM_PREFIX = "extra__ds__"
# names that other tools write into any connection, such as Airflow's own ``__extra__``
_OTHERS = ("_", "extra__")

MAX_NAME_SHOWN = 40


def extra_of(connection: Connection) -> dict[str, Any]:
    """Return the extra, without the round trip to Airflow's supervisor that its own accessor makes.

    :raises DSConfigurationError: naming the connection, if the extra is no JSON object.
    """
    # some secrets backends hand on the object itself
    extra: Any = connection.extra or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str | bytes) else extra
    except (ValueError, RecursionError):
        extra = None
    if not isinstance(extra, dict):
        raise refused(connection, 'the extra must be a JSON object such as {"key": "value"}')
    return extra


def known_extra_of(connection: Connection, known: Collection[str]) -> dict[str, Any]:
    """Return the extra of a connection whose fields are all known.

    A misspelt field would be ignored, and its default taken in silence.

    :raises DSConfigurationError: naming the connection and the first unknown field, with the nearest known one.
    """
    given = {str(name): value for name, value in extra_of(connection).items()}
    prefixed = [name for name in given if name.startswith(_FORM_PREFIX)]
    extra = {name.removeprefix(_FORM_PREFIX): given.pop(name) for name in prefixed} | given
    for name in extra:
        if name not in known and not name.startswith(_OTHERS):
            raise _unknown(connection, name, known)
    return extra


def _unknown(connection: Connection, name: str, known: Collection[str]) -> DSConfigurationError:
    shown = repr(name) if len(name) <= MAX_NAME_SHOWN else f"of {len(name)} characters"
    nearest = get_close_matches(name.strip().lower().replace("-", "_"), known, n=1, cutoff=0.5)
    meant = f", perhaps meant as {nearest[0]!r}" if nearest else ""
    return refused(connection, f"the extra has an unknown field {shown}{meant}: the known ones are {', '.join(known)}")
