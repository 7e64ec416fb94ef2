"""Landed files that are no longer needed, or may no longer be kept."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context, ObjectStoragePath

from ds_provider.api.query.parameters import is_absent
from ds_provider.api.query.selection import DOSSIERS
from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.hooks.warehouse import DATASET, DSWarehouseHook
from ds_provider.landing.layout import open_destination
from ds_provider.landing.prune import (
    landed_manifests,
    remove_abandoned,
    remove_extract,
    remove_from_quarantine,
    rewrite_without,
)

if TYPE_CHECKING:
    from ds_provider.landing.manifest import Manifest
    from ds_provider.warehouse.database.store import Warehouse


class DSPruneLandingOperator(BaseOperator):
    """Removes landed readings that are loaded and old, and takes erased dossiers out of all others.

    A dossier is erased once the warehouse knows that it is deleted or vanished, and holds no row of it any more: run
    this after the load. What was not loaded is never removed, however old; it is counted, and a warning names it. A
    dossier that vanished stays in readings that were made since and are yet to be loaded: it may have come back.

    Files of interrupted tries go too, at the latest two days after they were begun. Dossiers in readings of deletions
    are numbers only, and stay.

    Returns counts: readings ``removed``, ``rewritten`` and ``kept`` as they were; of the last two those that are old
    and ``not_loaded``; and ``dossiers_removed``, each counted once for every reading that held it.

    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param retention: how long a reading is kept after it was read.
    :param warehouse_conn_id: the connection of the database; without it, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds the tables. (templated)
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSDestinationError: if files cannot be read, written or removed. All others are pruned first.
    :raises DSWarehouseError: if the database cannot be read; no file is touched then.
    """

    template_fields: Sequence[str] = ("destination", "warehouse_conn_id", "dataset")
    ui_color = "#cacafb"
    ui_fgcolor = "#000091"

    def __init__(
        self,
        *,
        destination: str,
        retention: timedelta,
        warehouse_conn_id: str | None = None,
        dataset: str = DATASET,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.retention = retention
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset

    def execute(self, context: Context) -> dict[str, int]:
        retention = self._checked_retention()
        conn_id = None if is_absent(self.warehouse_conn_id) else self.warehouse_conn_id
        known = read_known(DSWarehouseHook(conn_id, self.dataset).warehouse())
        zone = open_destination(self.destination)
        pruning = _Pruning(known, datetime.now(timezone.utc) - retention)
        for url, manifest in landed_manifests(zone):
            try:
                pruning.prune(url, manifest)
            except DSDestinationError as error:
                self.log.error("%s could not be pruned, going on with the others: %s", url, error)
                pruning.failures.append(error)
        # one that vanished and came back is to be tried again
        remove_from_quarantine(zone, known.deleted)
        remove_abandoned(zone)
        return self._told(pruning)

    def _told(self, pruning: _Pruning) -> dict[str, int]:
        counts = pruning.counts
        self.log.info("pruned %s: %s", self.destination, ", ".join(f"{counts[name]} {name}" for name in counts))
        if not any(counts.values()) and not pruning.failures:
            self.log.warning("there is no reading below %s", self.destination)
        if pruning.not_loaded:
            self.log.warning(
                "readings older than %s that were not loaded, and stay: %d, the first of them %s",
                self.retention,
                len(pruning.not_loaded),
                pruning.not_loaded[0],
            )
        if failures := pruning.failures:
            raise DSDestinationError(
                f"landed readings that could not be pruned: {len(failures)}; all others were. The first: {failures[0]}"
            )
        return counts

    def _checked_retention(self) -> timedelta:
        retention: object = self.retention
        if not isinstance(retention, timedelta) or retention <= timedelta():
            raise DSConfigurationError(f"retention must be a timedelta above zero: got {retention!r}")
        return retention


@dataclass(frozen=True)
class Known:
    """What a warehouse knows of landed files.

    :param loaded: the readings that were loaded, by where they are and their generation.
    :param deleted: the dossiers that are gone for good and of which it holds no row.
    :param vanished: those that it does not hold since no list shows them, and when that was found.
    """

    loaded: Set[tuple[str, str]]
    deleted: Set[int]
    vanished: dict[int, datetime | None]

    @cached_property
    def erased(self) -> Set[int]:
        return self.deleted | self.vanished.keys()

    def is_loaded(self, url: str, manifest: Manifest) -> bool:
        return (place_of(url), manifest.generation) in self.loaded

    def erased_from(self, url: str, manifest: Manifest) -> Set[int]:
        """The dossiers that a reading is not to hold."""
        if self.is_loaded(url, manifest):
            return self.erased
        return self.deleted | {
            number for number, found in self.vanished.items() if found and manifest.read_finished_at <= found
        }


def read_known(warehouse: Warehouse) -> Known:
    """Ask a warehouse. A reading that is loaded meanwhile counts as not loaded, and what it brings as not erased.

    :raises DSWarehouseError: if it cannot be read.
    """
    # what is in an optional extra is imported once the hook has told whether it is there
    from ds_provider.tables.schemas import DELETED_DOSSIERS, LOADS
    from ds_provider.tables.schemas import DOSSIERS as DOSSIER_ROWS

    loads = warehouse.read(LOADS, ["manifest", "generation"]).to_pylist()
    tombstones = warehouse.read(DELETED_DOSSIERS, ["number", "stage", "read_at"]).to_pylist()
    held = set(warehouse.read(DOSSIER_ROWS, ["number"])["number"].to_pylist())
    gone = [stone for stone in tombstones if stone["number"] not in held]
    return Known(
        loaded={(place_of(load["manifest"]), load["generation"]) for load in loads},
        deleted={stone["number"] for stone in gone if stone["stage"] == "deleted"},
        vanished={stone["number"]: stone["read_at"] for stone in gone if stone["stage"] == "vanished"},
    )


def place_of(url: str) -> str:
    """Where a URL leads, the same however it is written and by whichever connection."""
    path = ObjectStoragePath(url)
    if path.protocol in ("", "file"):
        return posixpath.normpath(path.path)
    return f"{path.protocol}://{path.path}"


class _Pruning:
    """Sees to one reading after another, and counts."""

    def __init__(self, known: Known, horizon: datetime) -> None:
        self._known = known
        self._horizon = horizon
        self.counts = dict.fromkeys(("removed", "rewritten", "kept", "not_loaded", "dossiers_removed"), 0)
        self.not_loaded: list[str] = []
        self.failures: list[DSDestinationError] = []

    def prune(self, url: str, manifest: Manifest) -> None:
        is_old = manifest.read_finished_at < self._horizon
        is_loaded = self._known.is_loaded(url, manifest)
        if is_old and is_loaded and remove_extract(url, manifest.generation):
            self.counts["removed"] += 1
            return
        if is_old and not is_loaded:
            self.not_loaded.append(url)
            self.counts["not_loaded"] += 1
        dossiers = self._rewrite(url, manifest) if manifest.stream == DOSSIERS.name else 0
        self.counts["rewritten" if dossiers else "kept"] += 1
        self.counts["dossiers_removed"] += dossiers

    def _rewrite(self, url: str, manifest: Manifest) -> int:
        return rewrite_without(url, self._known.erased_from(url, manifest))
