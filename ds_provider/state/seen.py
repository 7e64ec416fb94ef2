"""Rows that a sensor has reported, kept in its asset for later runs, and in its task for its own retries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from airflow.sdk import Context

from ds_provider.api.polling.failures import FailedPolls
from ds_provider.api.polling.seen import RowVersion, SeenRows
from ds_provider.api.polling.watch import add_seen
from ds_provider.api.query.selection import Selection
from ds_provider.exceptions import DSError
from ds_provider.state.keys import state_key
from ds_provider.state.outlets import only_asset

_FAILED_POLLS = state_key("ds-failed-polls")
_PROGRESS = state_key("ds-wait-progress")


class SensorState:
    """Seen rows of one task.

    A task that runs again, after a failure or cleared, starts from the same seen rows, wherever its asset's are by
    then: it finds again what it found.

    :ivar has_asset: true if the task has an asset to keep them in.
    :raises DSConfigurationError: if the task has several assets.
    """

    def __init__(self, context: Context, outlets: Sequence[Any]) -> None:
        asset = only_asset(outlets, "the rows that were reported are kept in the task's asset", "give one outlet")
        self.has_asset = asset is not None
        self._task: Any = context["task_state_store"]
        self._asset: Any = context["asset_state_store"][asset] if asset else None

    def load(self, selection: Selection) -> SeenRows | None:
        """Return what this task started from, or None if it has no start yet and no asset to take it from."""
        if value := self._task.get(_key(selection)):
            return SeenRows.from_json(value)
        return self.start(selection, self._in_asset(selection)) if self.has_asset else None

    def start(self, selection: Selection, seen: SeenRows) -> SeenRows:
        """Let this task start from these rows. Return them."""
        self._task.set(_key(selection), seen.to_json())
        return seen

    def add(self, selection: Selection, versions: Iterable[RowVersion], polled_at: int) -> None:
        """Add rows to the asset. Those that a later run has added meanwhile stay.

        :param polled_at: when the service was asked, in seconds since the epoch.
        """
        if self.has_asset:
            seen = add_seen(self._in_asset(selection), selection, versions, polled_at)
            self._asset.set(_key(selection), seen.to_json())

    def _in_asset(self, selection: Selection) -> SeenRows:
        value = self._asset.get(_key(selection))
        return SeenRows.from_json(value) if value else SeenRows()


class TaskFailedPolls(FailedPolls):
    """Failed polls of a task, kept in its store: each poll may be of another process."""

    def __init__(self, context: Context) -> None:
        self._store = cast("Any", context["task_state_store"])
        super().__init__(int(self._store.get(_FAILED_POLLS) or 0))

    def record(self, error: DSError, log: Any) -> bool:
        """Count one more. Return true to give up: another poll is of no use."""
        give_up = super().record(error, log)
        # the task's next try may take as many
        self._store.set(_FAILED_POLLS, 0 if give_up else self.count)
        return give_up

    def reset(self) -> None:
        """Count from zero again, after a poll that did not fail."""
        if self.count:
            self._store.set(_FAILED_POLLS, 0)
        super().reset()


class TaskProgress:
    """Progress of a wait by the last line of the log, kept in the task's store: each poll may be of another process.

    :ivar is_new: true if the log of this try says nothing of the wait yet.
    """

    def __init__(self, context: Context) -> None:
        self._store = cast("Any", context["task_state_store"])
        self._try = context["ti"].try_number
        logged = self._store.get(_PROGRESS) or {}
        self._logged = logged.get("so_far") if logged.get("try") == self._try else None
        self.is_new = self._logged is None

    def changes_to(self, so_far: str) -> bool:
        """Keep how far the wait is. Return true if the log did not say that last."""
        if so_far == self._logged:
            return False
        self._logged = so_far
        self._store.set(_PROGRESS, {"try": self._try, "so_far": so_far})
        return True


def _key(selection: Selection) -> str:
    parts = (selection.stream.name, selection.date_column, selection.groupe_instructeur_number)
    return state_key("ds-seen", *parts, filters=selection.row_filters())
