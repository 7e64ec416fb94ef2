"""Operator that reads loaded dossiers again, a share of them each day, since not all changes move a dossier's date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from airflow.sdk import Context

from ds_provider.api.query.parameters import flatten_batches, parse_includes, select_numbers
from ds_provider.operators._base import ExtractOperator
from ds_provider.operators._parameters import IncludesMixin, WarehouseMixin, check_duration, parse_batches
from ds_provider.parameter_checks import Check
from ds_provider.retry_policy import fail_fast
from ds_provider.sync.extract import Summary
from ds_provider.wording import counted

MAX_AGE = timedelta(days=28)

check_max_age = partial(check_duration, at_least=timedelta(days=1), requirement="of a day or more")


class DSRefreshDossiersOperator(IncludesMixin, WarehouseMixin, ExtractOperator):
    """Extract dossiers that the warehouse holds again, by their numbers.

    The service does not date every change: a new revision of the form, another usager, an attestation made after the
    decision, a file that is removed (and labels, before 2026) leave a dossier's date as it was, and no window shows
    them. So each run reads the dossiers that were read longest ago: a share of each group with which daily runs read
    all within ``max_age``, and all that are older than that. Fifty are asked for in a request.

    The extracts are loaded as any other; only then does the next run go on to other dossiers. Dossiers that are flagged
    as deleted or vanished are left alone. Those that the service does not give any more are counted in the log and in
    the summaries: ``not_found`` (hidden or deleted) and ``unauthorized`` (the token has no right on them). The
    deletions and a reconciliation say more of them.

    :param groupe_instructeur_number: the group, or a list of groups, which are then extracted one after another. One
        that fails does not stop the others: the task fails at the end and names those that did. (templated)
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param max_age: how long a dossier may stay without being read again, a day or more.
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :param include_champs: the form's answers. (templated, like all that follow)
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
    :returns: a list of summaries, one for each group of which dossiers were read. Besides those of an extraction they
        have ``not_found`` and ``unauthorized``, how many dossiers the service did not give.
    :xcom landed: a list of the summaries of what was landed, whether the task succeeds or not.
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSWarehouseError: if the warehouse cannot be read.
    :raises DSUnauthorizedError: if the token has lost its rights on the dossiers.
    :raises DSQuarantinedError: if dossiers of the one group could not be read; the summary is in the XCom ``landed``.
    :raises DSGroupesFailedError: if some groups of a list failed.
    """

    template_fields: Sequence[str] = (
        *ExtractOperator.template_fields,
        *WarehouseMixin.template_fields,
        *IncludesMixin.template_fields,
    )
    checks: ClassVar[Mapping[str, Check]] = {
        **ExtractOperator.checks,
        **WarehouseMixin.checks,
        **IncludesMixin.checks,
        "groupe_instructeur_number": parse_batches,
        "max_age": check_max_age,
    }

    def __init__(self, *, max_age: timedelta = MAX_AGE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_age = max_age
        self._check_given()

    @fail_fast
    def execute(self, context: Context) -> list[Summary]:
        """Read the dossiers that are due, and return the summary of each group."""
        numbers, several = self._parse_groups(flatten_batches(self.groupe_instructeur_number))
        max_age = check_max_age(self.max_age, "max_age")
        includes = parse_includes(self._includes)
        warehouse = self.warehouse
        from ds_provider.sync.refresh import due_dossiers
        from ds_provider.warehouse.service_time import service_now

        due = due_dossiers(warehouse, numbers, max_age, service_now(warehouse))
        if not due:
            self.log.info("nothing to read again: the tables hold no dossier of %s", counted(len(numbers), "group"))
            self._push_landed(context)
            return []
        dossiers, groups = counted(sum(map(len, due.values())), "dossier"), counted(len(due), "group")
        self.log.info("reading %s of %s again, those that were read longest ago", dossiers, groups)
        selections = [select_numbers(*each, includes) for each in due.items()]
        return self._extract(context, selections, several=several)
