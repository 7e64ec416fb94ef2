"""Operator that removes landed files that are no longer needed, or may no longer be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Context

from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.storage import open_destination, parse_destination
from ds_provider.map_labels import MAX_LABEL, shortened
from ds_provider.operators._parameters import WarehouseMixin, check_duration
from ds_provider.parameter_checks import Check
from ds_provider.retry_policy import fail_fast
from ds_provider.wording import counted, lasted

if TYPE_CHECKING:
    from ds_provider.sync.prune import Pruning


class DSPruneLandingOperator(WarehouseMixin):
    """Remove extracts that are loaded and old, and remove erased dossiers from all others.

    A dossier is erased once the warehouse knows that it is deleted or vanished, and holds no row of it any more: run
    this after the load. An extract that was not loaded is never removed, however old; it is counted, and a warning
    names it. A vanished dossier stays in extracts that were made since and are yet to be loaded: it may have come back.

    Files of interrupted tries go too, at the latest two days after they were begun. Dossiers in extracts of deletions
    are numbers only, and stay.

    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param retention: how long an extract is kept.
    :param warehouse_conn_id: the connection of the database; without it, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds the tables. (templated)
    :returns: counts: extracts ``removed``, ``rewritten`` and ``kept`` as they were; of the last two those that are old
        and ``not_loaded``; and ``dossiers_removed``, each counted once for every extract that held it.
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSDestinationError: if files cannot be read, written or removed. All others are pruned first.
    :raises DSWarehouseError: if the database cannot be read; no file is touched then.
    """

    template_fields: Sequence[str] = ("destination", *WarehouseMixin.template_fields)
    checks: ClassVar[Mapping[str, Check]] = {
        **WarehouseMixin.checks,
        "destination": parse_destination,
        "retention": check_duration,
    }

    def __init__(self, *, destination: str, retention: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.retention = retention
        self._check_given()

    @property
    def map_label(self) -> str:
        """The landing zone."""
        return shortened(str(self.destination), MAX_LABEL)

    @fail_fast
    def execute(self, context: Context) -> dict[str, int]:
        """Prune the landing zone, and return counts."""
        self._check_rendered()
        retention = check_duration(self.retention, "retention")
        warehouse = self.warehouse
        from ds_provider.sync.prune import Pruning
        from ds_provider.warehouse.service_time import service_now

        pruning = Pruning(warehouse, service_now(warehouse) - retention, self.log)
        pruning.run(open_destination(self.destination))
        self._log(pruning)
        if failures := pruning.failures:
            raise DSDestinationError(
                f"{counted(len(failures), 'extract')} could not be pruned, all others were. The first: {failures[0]}"
            )
        return pruning.counts

    def _log(self, pruning: Pruning) -> None:
        counts = pruning.counts
        erased = f" without {counted(counts['dossiers_removed'], 'erased dossier')}" if counts["rewritten"] else ""
        others = f"{counts['rewritten']} rewritten{erased}, {counts['kept']} kept"
        self.log.info("pruned %s: %s removed, %s", self.destination, counted(counts["removed"], "extract"), others)
        if not any(counts.values()) and not pruning.failures:
            self.log.warning("there is no extract below %s", self.destination)
        if pruning.not_loaded:
            self.log.warning(
                "%s older than %s not loaded, and kept until then; the first: %s",
                counted(len(pruning.not_loaded), "extract"),
                lasted(self.retention.total_seconds()),
                pruning.not_loaded[0],
            )
