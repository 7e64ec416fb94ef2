"""Names of the keys under which Airflow's state stores keep what this provider remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ds_provider.api.query.selection import digest


def state_key(prefix: str, *parts: object, filters: Mapping[str, Any] | None = None) -> str:
    """Return a key of a state store.

    :param prefix: names the kind of value, ``ds-…``.
    :param parts: distinguish it from others of its kind, a group's number for instance.
    :param filters: choose among the rows: what is known of some rows says nothing of the others.
    """
    named = [prefix, *parts]
    if filters:
        named.append(digest(filters)[:8])
    return "-".join(map(str, named))
