"""What a sensor has told before, kept in its asset for the runs to come and in its task for its own tries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.sdk import Asset, Context

from ds_provider.api.polling.seen import RowVersion, SeenRows
from ds_provider.api.polling.watch import remember
from ds_provider.api.query.selection import Selection
from ds_provider.exceptions import DSConfigurationError, DSError
from ds_provider.landing.layout import digest
from ds_provider.triggers._poll import FAILURES_IN_A_ROW

_FAILURES = "ds-failures-in-a-row"


class Told:
    """The memories of one task.

    A task that runs again, after a failure or cleared, starts from the same memory, wherever its asset's is by then:
    it finds again what it found.
    """

    def __init__(self, context: Context, outlets: Sequence[Any]) -> None:
        asset = _only_asset(outlets)
        self.is_kept = asset is not None
        self._task: Any = context["task_state_store"]
        self._asset: Any = context["asset_state_store"][asset] if asset else None

    def start(self, selection: Selection) -> SeenRows | None:
        """What was known of a list when this task first looked; none where nobody has looked yet."""
        key = _key(selection)
        if kept := self._task.get(key):
            return SeenRows.from_json(kept)
        if self._asset is None:
            return None
        kept = self._asset.get(key)
        return self.begin(selection, SeenRows.from_json(kept) if kept else SeenRows())

    def begin(self, selection: Selection, memory: SeenRows) -> SeenRows:
        """Let this task start from there, and give it back."""
        self._task.set(_key(selection), memory.to_json())
        return memory

    def tell(self, selection: Selection, marks: Iterable[RowVersion], looked_at: int) -> None:
        """These are known from here on. What a later run has told meanwhile stays known."""
        if self._asset is not None:
            key = _key(selection)
            kept = self._asset.get(key)
            known = SeenRows.from_json(kept) if kept else SeenRows()
            self._asset.set(key, remember(known, selection, marks, looked_at).to_json())


class FailuresInARow:
    """How often the looks of a task failed, one after another: each may be of another process."""

    def __init__(self, context: Context) -> None:
        self._store: Any = context["task_state_store"]

    def is_enough(self, error: DSError, log: Any) -> bool:
        """Count one more; whether another look is of no use."""
        failures = int(self._store.get(_FAILURES) or 0) + 1
        log.warning("look %d of %d in a row that failed: %s", failures, FAILURES_IN_A_ROW, error)
        enough = failures >= FAILURES_IN_A_ROW
        # the task's next try may take as many
        self._store.set(_FAILURES, 0 if enough else failures)
        return enough

    def went_well(self) -> None:
        """They are counted from here on."""
        if self._store.get(_FAILURES):
            self._store.set(_FAILURES, 0)


def _only_asset(outlets: Sequence[Any]) -> Asset | None:
    assets = [outlet for outlet in outlets if isinstance(outlet, Asset)]
    if len(assets) > 1:
        names = ", ".join(asset.name for asset in assets)
        raise DSConfigurationError(
            f"what was told is kept in the task's asset, and this task has several ({names}): give one outlet"
        )
    return assets[0] if assets else None


def _key(selection: Selection) -> str:
    key = f"ds-told-{selection.stream.name}-{selection.sort_column}-{selection.groupe_instructeur_number}"
    filters = selection.row_filters()
    return f"{key}-{digest(filters)[:8]}" if filters else key
