"""Operator that compares the warehouse with the service, and repairs what differs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Context

from ds_provider import metrics
from ds_provider import openlineage as lineage
from ds_provider.api.query.parameters import flatten_batches, parse_includes
from ds_provider.api.query.windows import shown
from ds_provider.exceptions import DSConfigurationError
from ds_provider.operators._base import ExtractOperator
from ds_provider.operators._parameters import IncludesMixin, WarehouseMixin, check_duration, parse_batches
from ds_provider.operators.load import parse_action, policy_of
from ds_provider.parameter_checks import Check, optional
from ds_provider.retry_policy import fail_fast
from ds_provider.wording import lasted

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ds_provider.sync.reconcile import Reconciled

# an expired dossier is in no list for two weeks, and longer if the service's purge is late
ERASE_VANISHED_AFTER = timedelta(days=45)


def check_days(value: object, parameter: str) -> timedelta:
    """Return a parameter that is a duration of whole days.

    :raises DSConfigurationError: if it is none.
    """
    duration = check_duration(value, parameter)
    if duration % timedelta(days=1):
        raise DSConfigurationError(f"{parameter} must be a timedelta of whole days: got {value!r}")
    return duration


class DSReconcileOperator(IncludesMixin, WarehouseMixin, ExtractOperator):
    """Find where the warehouse differs from the service, and repair it.

    Scans the number, state and date of every dossier of the groups, a hundred in a request. Those that are missing,
    moved or stale in the warehouse are read again, fifty in a request, landed and loaded. Those that no group shows are
    looked for among the deletions, and then by number. A dossier that is found nowhere is flagged as vanished: it has
    expired and is not deleted yet, or it was of a test. If it comes back, so does its row.

    :param groupe_instructeur_number: the groups: all those that are loaded, since a dossier that has left one of them
        may be in another; a list, or the batches of a fan-out. (templated)
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :param on_pending: as for :class:`~ds_provider.operators.load.DSLoadOperator`. (templated)
    :param on_deleted: as for :class:`~ds_provider.operators.load.DSLoadOperator`. (templated)
    :param erase_vanished_after: how long the rows of a vanished dossier are kept.
    :param every: how often, in whole days by the calendar of Paris: a run that is not due sends no request, and ends
        green. The days count from the last reconciliation of the groups, or from the first load. Without it, each run
        reconciles.
    :param include_champs: the form's answers. Give all parts as for the other extractions of these groups. (templated,
        like all that follow)
    :param include_annotations: the instructeurs' private fields.
    :param include_traitements: the history of states.
    :param include_instructeurs: the instructeurs who follow the dossier.
    :param include_avis: the experts' opinions.
    :param include_messages: the messages.
    :param include_geometry: the shapes of maps and addresses.
    :param include_labels: the labels.
    :param include_corrections: the corrections asked for.
    :param on_dossier_error: what to do if a dossier cannot be read: ``"fail"`` or ``"quarantine"``, as
        for :class:`~ds_provider.operators.extract.DSExtractDossiersOperator`. (templated)
    :param ds_conn_id: the connection. (templated)
    :returns: counts, and none if it is not due: ``groupes``, ``shown``, ``requests`` of the scan, and dossiers by what
        was wrong: ``missing``, ``moved``, ``stale``, ``restored`` (held as hidden, and shown), ``hidden`` (pending or
        deleted since), ``vanished``; and ``read``, how many were read again.
    :xcom landed: a list of the summaries of what was landed, whether the task succeeds or not.
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSError: if a group cannot be scanned: nothing is repaired or flagged then.
    :raises DSWarehouseError: if the database refuses.
    """

    template_fields: Sequence[str] = (
        *ExtractOperator.template_fields,
        *WarehouseMixin.template_fields,
        "on_pending",
        "on_deleted",
        *IncludesMixin.template_fields,
    )
    checks: ClassVar[Mapping[str, Check]] = {
        **ExtractOperator.checks,
        **WarehouseMixin.checks,
        **IncludesMixin.checks,
        "groupe_instructeur_number": parse_batches,
        **dict.fromkeys(("on_pending", "on_deleted"), parse_action),
        "erase_vanished_after": check_duration,
        "every": optional(check_days),
    }
    done: Reconciled | None = None

    def __init__(
        self,
        *,
        on_pending: str = "flag",
        on_deleted: str = "erase",
        erase_vanished_after: timedelta = ERASE_VANISHED_AFTER,
        every: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.on_pending = on_pending
        self.on_deleted = on_deleted
        self.erase_vanished_after = erase_vanished_after
        self.every = every
        self._check_given()

    @fail_fast
    def execute(self, context: Context) -> dict[str, int]:
        """Reconcile the groups, and return counts."""
        groups, _ = self._parse_groups(flatten_batches(self.groupe_instructeur_number))
        includes = parse_includes(self._includes)
        warehouse = self.warehouse
        from ds_provider.sync.reconcile import reconcile
        from ds_provider.warehouse.service_time import service_now

        kept = check_duration(self.erase_vanished_after, "erase_vanished_after")
        now = service_now(warehouse)
        if self.every and (due := self._next_due(groups, now)) and now < due:
            self.log.info("not due before %s: nothing to do", shown(due))
            return {}
        policy = policy_of(self.on_pending, self.on_deleted, vanished_before=now - kept)
        began = time.monotonic()
        with self._open_extractor(context) as extractor:
            self.done = done = reconcile(extractor, warehouse, groups, includes, policy)
            self.log.info("%s; %s; %s", done.summary_line(), lasted(time.monotonic() - began), warehouse)
            metrics.send_loaded(done.report, self.dataset)
            # not before: what can be repaired is
            if done.failure:
                raise done.failure
        return done.counts

    def _next_due(self, groups: Sequence[int], now: datetime) -> datetime | None:
        from ds_provider.warehouse.reconciliations import last_reconciliations, next_due

        every = check_days(self.every, "every")
        return next_due(last_reconciliations(self.warehouse, groups).values(), every, now)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return what was landed, and the tables into which it was loaded."""
        done = lineage.landed(self._endpoint, self.landed)
        if self.done:
            done += lineage.loaded(self.warehouse, self.done.extracts, self.done.report)
        return lineage.facets(done)
