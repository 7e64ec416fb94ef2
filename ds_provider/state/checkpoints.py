"""Checkpoints of a task's readings, kept in its state store from try to try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ds_provider.landing.layout import extract_name

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import Logger

    from ds_provider.api.query.selection import Selection
    from ds_provider.landing.checkpoint import CheckpointStore


class TaskCheckpoints:
    """Gives each reading of a task its checkpoint.

    They are cleared once the whole task succeeded, and not before: a task that reads many groups and fails at the last
    does not read the others again. Clearing the task by hand keeps its store in Airflow 3.3, so what is left there of a
    task that succeeded would be taken for an earlier try.

    :param context: the task's; its ``task_state_store`` outlives a try. Nothing is kept where it has none.
    :param log: told once if nothing can be kept.
    """

    def __init__(self, context: Context, log: Logger) -> None:
        self._log = log
        self._store: Any = context.get("task_state_store")
        self._works = self._store is not None
        self._keys: set[str] = set()
        if not self._works:
            log.info("this task has no state store: a reading that is interrupted starts afresh")

    def of(self, selection: Selection) -> CheckpointStore | None:
        """The checkpoint for a selection; none where nothing can be kept."""
        return _TaskCheckpoint(self, _key(selection)) if self._works else None

    def load(self, key: str) -> object | None:
        """What is kept under a key; none where nothing is, or the store fails."""
        try:
            value: object | None = self._store.get(key) if self._works else None
        except Exception as error:  # noqa: BLE001 - the store is another service, with errors of its own
            self._give_up(error)
            return None
        if value is not None:
            self._keys.add(key)
        return value

    def save(self, key: str, value: dict[str, Any]) -> bool:
        """Keep a value; false if the store fails now or did before: it is not asked at every page."""
        if not self._works:
            return False
        self._keys.add(key)
        try:
            self._store.set(key, value)
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)
        return self._works

    def clear(self) -> None:
        """Forget all, once the task has succeeded."""
        try:
            for key in sorted(self._keys):
                self._store.delete(key)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.warning(
                "checkpoints stay in the task's state store, which failed (%s: %s): clear this task only after a day, "
                "or it takes what is landed for its own earlier try and does not read it again",
                type(error).__name__,
                error,
            )

    def _give_up(self, error: Exception) -> None:
        self._works = False
        self._log.warning(
            "the task's state store fails (%s: %s): a reading that is interrupted from here on starts afresh",
            type(error).__name__,
            error,
        )


class _TaskCheckpoint:
    """One key of the task's store."""

    def __init__(self, checkpoints: TaskCheckpoints, key: str) -> None:
        self._checkpoints = checkpoints
        self._key = key

    def load(self) -> object | None:
        return self._checkpoints.load(self._key)

    def save(self, value: dict[str, Any]) -> bool:
        return self._checkpoints.save(self._key, value)


def _key(selection: Selection) -> str:
    """One for each group, stream and window: a task may read many."""
    return f"ds-reading-{selection.groupe_instructeur_number}-{selection.stream.name}-{extract_name(selection)}"
