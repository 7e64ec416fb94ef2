"""Pruning: which landed extracts go, and which dossiers go out of the others, by what the warehouse knows."""

from __future__ import annotations

import posixpath
from collections.abc import Set
from datetime import datetime
from typing import TYPE_CHECKING

from ds_provider.api.query import selection
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.prune import (
    landed_manifests,
    remove_abandoned,
    remove_extract,
    remove_from_quarantine,
    rewrite_without,
)
from ds_provider.tables.schemas import DELETED_DOSSIERS, DOSSIERS, LOADS

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.types import Logger

    from ds_provider.landing.manifest import Manifest
    from ds_provider.warehouse.database.store import Warehouse


class Pruning:
    """Pruning of one landing zone, by what a warehouse knew at the beginning.

    An extract that is loaded meanwhile counts as not loaded, and its dossiers as not erased.

    :ivar counts: of extracts and dossiers, by what became of them.
    :ivar not_loaded: the manifests of the old extracts that were not loaded.
    :ivar failures: what went wrong with single extracts.
    :param horizon: extracts read before then are old.
    :raises DSWarehouseError: if the warehouse cannot be read.
    """

    def __init__(self, warehouse: Warehouse, horizon: datetime, log: Logger) -> None:
        loads = warehouse.read(LOADS, ["manifest", "generation"]).to_pylist()
        tombstones = warehouse.read(DELETED_DOSSIERS, ["number", "stage", "read_at"]).to_pylist()
        held = set(warehouse.read(DOSSIERS, ["number"])["number"].to_pylist())
        erased = [tombstone for tombstone in tombstones if tombstone["number"] not in held]
        self._loaded = {(location_of(load["manifest"]), load["generation"]) for load in loads}
        self._deleted = {tombstone["number"] for tombstone in erased if tombstone["stage"] == "deleted"}
        # since when no list has shown each of them
        self._vanished: dict[int, datetime | None] = {
            tombstone["number"]: tombstone["read_at"] for tombstone in erased if tombstone["stage"] == "vanished"
        }
        self._horizon = horizon
        self._log = log
        self.counts = dict.fromkeys(("removed", "rewritten", "kept", "not_loaded", "dossiers_removed"), 0)
        self.not_loaded: list[str] = []
        self.failures: list[DSDestinationError] = []

    def run(self, zone: ObjectStoragePath) -> None:
        """Prune each extract. One that fails does not stop the others.

        :raises DSDestinationError: if the zone cannot be listed, or its quarantine not be pruned.
        """
        for url, manifest in landed_manifests(zone):
            try:
                self._prune(url, manifest)
            except DSDestinationError as error:
                self._log.error("%s could not be pruned, going on with the others: %s", url, error)
                self.failures.append(error)
        # one that vanished and came back is to be tried again
        remove_from_quarantine(zone, self._deleted)
        remove_abandoned(zone)

    def _prune(self, url: str, manifest: Manifest) -> None:
        is_old = manifest.read_finished_at < self._horizon
        is_loaded = (location_of(url), manifest.generation) in self._loaded
        if is_old and is_loaded and remove_extract(url, manifest.generation):
            self.counts["removed"] += 1
            return
        if is_old and not is_loaded:
            self.not_loaded.append(url)
            self.counts["not_loaded"] += 1
        is_of_dossiers = manifest.stream == selection.DOSSIERS.name
        removed = rewrite_without(url, self._erased_from(manifest, is_loaded)) if is_of_dossiers else 0
        self.counts["rewritten" if removed else "kept"] += 1
        self.counts["dossiers_removed"] += removed

    def _erased_from(self, manifest: Manifest, is_loaded: bool) -> Set[int]:
        """Return the dossiers that an extract must not hold.

        One that vanished may be in an extract that was made since and is yet to be loaded: it has come back.
        """
        return self._deleted | {
            number
            for number, found in self._vanished.items()
            if is_loaded or (found and manifest.read_finished_at <= found)
        }


def location_of(url: str) -> str:
    """Return where a URL leads: equal however it is written and whichever connection it names."""
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(url)
    if path.protocol in ("", "file"):
        return posixpath.normpath(path.path)
    return f"{path.protocol}://{path.path}"
