"""Checkpoints of a task's extractions, kept in its state store from one try to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import Logger

    from ds_provider.landing.checkpoint import CheckpointStore


class TaskCheckpoints:
    """Stores of the checkpoints of one task, one for each of its extractions.

    They are cleared once the whole task succeeded, and not before: a task that reads many groups and fails at the last
    does not read the others again. Clearing the task by hand keeps its store in Airflow 3.3, so a checkpoint that is
    left there by a task that succeeded would be taken for an earlier try's.

    :param context: the task's context. Its ``task_state_store`` outlives a try; without one, nothing is kept.
    :param log: warns once if nothing can be kept.
    """

    def __init__(self, context: Context, log: Logger) -> None:
        self._log = log
        self.store: Any = context.get("task_state_store")
        self.works = self.store is not None
        self.keys: set[str] = set()
        if not self.works:
            log.info("this task has no state store: an extraction that is interrupted starts afresh")

    def store_for(self, extract_key: str) -> CheckpointStore | None:
        """Return the store of one extraction's checkpoint; None if nothing can be kept."""
        return _OneCheckpoint(self, f"ds-checkpoint-{extract_key}") if self.works else None

    def clear(self) -> None:
        """Delete all checkpoints, once the task has succeeded."""
        try:
            for key in sorted(self.keys):
                self.store.delete(key)
        except Exception as error:  # noqa: BLE001 - the store is another service, with errors of its own
            self._log.warning(
                "checkpoints stay in the task's state store, which failed (%s: %s): clear this task only after a day, "
                "or it takes the landed files for its own earlier try's and does not read them again",
                type(error).__name__,
                error,
            )

    def give_up(self, error: Exception) -> None:
        """Call the store no more: a store that fails would fail at each page."""
        self.works = False
        self._log.warning(
            "the task's state store fails (%s: %s): an extraction that is interrupted from here on starts afresh",
            type(error).__name__,
            error,
        )


@dataclass(frozen=True)
class _OneCheckpoint:
    """Checkpoint under one key of the task's store."""

    task: TaskCheckpoints
    key: str

    def load(self) -> object | None:
        try:
            value: object | None = self.task.store.get(self.key) if self.task.works else None
        except Exception as error:  # noqa: BLE001 - as above
            self.task.give_up(error)
            return None
        if value is not None:
            self.task.keys.add(self.key)
        return value

    def save(self, value: dict[str, Any]) -> bool:
        if self.task.works:
            self.task.keys.add(self.key)
            try:
                self.task.store.set(self.key, value)
            except Exception as error:  # noqa: BLE001 - as above
                self.task.give_up(error)
        return self.task.works
