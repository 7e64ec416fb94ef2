"""State that a command keeps on this machine, in place of a task's state store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class LocalStateStore:
    """Small JSON values by key, each a file in a folder. It has the methods of Airflow's task state store.

    :param folder: made for its owner alone when the first value is set.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Any:
        """Return a value, or None if there is none."""
        try:
            return msgspec.json.decode(self._file(key).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def set(self, key: str, value: Any) -> None:
        """Keep a value in place of the last one, in one step."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = self._file(f".{key}")
        written.write_bytes(msgspec.json.encode(value))
        written.replace(self._file(key))

    def delete(self, key: str) -> None:
        """Forget a value, if there is one."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"
