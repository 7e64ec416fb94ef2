"""Check of a DuckDB file: can this machine open it, or make it."""

from __future__ import annotations

import os
from pathlib import Path

from ds_provider.exceptions import DSWarehouseError
from ds_provider.warehouse.database.errors import is_lock_failure, redacted_reason


def check_duckdb(path: Path) -> str:
    """Return in a sentence that the file can be used. It is neither made nor changed.

    :raises DSWarehouseError: if it cannot be opened, or not be made.
    """
    if not path.exists():
        return _check_folder(path)
    import duckdb

    try:
        duckdb.connect(path, read_only=True).close()
    except duckdb.Error as error:
        if is_lock_failure(error):
            return f"{path} is there, and a task has it open."
        raise DSWarehouseError(f"{path} cannot be opened: {redacted_reason(error)}") from None
    return f"{path} can be opened."


def _check_folder(path: Path) -> str:
    # DuckDB makes the file, and no folder
    if not os.access(path.parent, os.W_OK | os.X_OK):
        problem = "cannot be written" if path.parent.exists() else "does not exist"
        raise DSWarehouseError(f"{path} is not there, and cannot be made: its folder {problem} on this machine")
    return f"{path} is not there yet: the first load makes it."
