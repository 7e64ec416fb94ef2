"""Warehouses that commands read: a wait for a task is shown, and none is made."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ds_provider.cli.command import logs_on_stderr
from ds_provider.exceptions import DSStaleError
from ds_provider.hooks.warehouse import DSWarehouseHook

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse


@contextmanager
def connected(hook: DSWarehouseHook) -> Iterator[Warehouse]:
    """Connect to a warehouse for the length of a ``with``, and say on the standard error if a task is waited for.

    :raises DSStaleError: if it is a file that does not exist: reading it would make it.
    :raises DSWarehouseError: if the database cannot be reached.
    """
    warehouse = hook.warehouse()
    destination = warehouse.destination
    if destination.kind == "duckdb" and not Path(str(destination.credentials)).exists():
        raise DSStaleError(f"there is no warehouse yet at {destination.credentials}: the first load makes it", [])
    # a load holds a DuckDB file for up to an hour, and the line about it is for information
    with logs_on_stderr(logging.INFO), warehouse.connected():
        yield warehouse
