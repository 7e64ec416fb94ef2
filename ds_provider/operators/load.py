"""Operator that loads landed extracts into the tables of a warehouse."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk import Asset, BaseOperatorLink, Context

from ds_provider import metrics
from ds_provider import openlineage as lineage
from ds_provider.api.query.parameters import parse_choice, parse_conn_id, parse_number
from ds_provider.asset_events import (
    AssetChange,
    add_outlets,
    advance_loaded_watermarks,
    emit_changes,
    span,
)
from ds_provider.assets import TABLES, table_asset
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.ds import DSHook
from ds_provider.links import DSDemarcheLink, DSGroupesLink
from ds_provider.map_labels import demarches_label, groups_label
from ds_provider.operators._parameters import WarehouseMixin
from ds_provider.parameter_checks import Check, is_constant, optional
from ds_provider.retry_policy import fail_fast
from ds_provider.sync.manifests import count_nulls, manifests_in
from ds_provider.wording import counted, lasted

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ds_provider.landing.manifest import Manifest
    from ds_provider.warehouse.coverage import Coverage
    from ds_provider.warehouse.extracts import LandedExtracts
    from ds_provider.warehouse.load.report import DeletionAction, LoadReport, Policy

# tables whose rows do not go with a dossier
FORMS = "champ_descriptors"
_NOT_OF_DOSSIERS = ("groupes_instructeurs", "revisions", FORMS, "deleted_dossiers")


parse_action = partial(parse_choice, choices=("flag", "erase"))


def parse_manifests(value: object, parameter: str) -> list[str]:
    """Return the URLs of the manifests that a list, a summary or a text holds.

    :raises DSConfigurationError: if there is something else in it, or it is None.
    """
    if value is None:
        raise DSConfigurationError(
            f"{parameter} is None: give the output of the extract tasks, such as dossiers.output"
        )
    return list(manifests_in(value))


def parse_demarches(value: object, parameter: str) -> list[int]:
    """Return the numbers of a démarche, or of a list of them, each once.

    :raises DSConfigurationError: if one is no number.
    """
    return list(dict.fromkeys(parse_number(one, parameter) for one in (value if isinstance(value, list) else [value])))


class DSLoadOperator(WarehouseMixin):
    """Load landed extracts into typed tables.

    Each dossier is in the tables once, in its last version, with all that belongs to it, however often and in whatever
    order its files are loaded. The service's deletions are applied.

    Its outlets are the assets of the tables that it may change, as far as they are known when the DAG is parsed: with
    ``demarche_number`` as a constant also the wide table of its form. Those of annotations and of repetitions are known
    only from the form: add the ones that a DAG waits for, ``outlets=[table_asset("demarche_12345_annotations")]``.

    :param manifests: the summaries that the extract operators return, in any nesting, or URLs of manifests. None is an
        error, and an empty list is a warning. (templated)
    :param warehouse_conn_id: the connection of the database; without it, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds the tables. (templated)
    :param demarche_number: the démarche, or a list of them. The revisions of its form are read from the service and
        loaded: the wide tables then have a column for each champ from the first day on. (templated)
    :param on_pending: what to do with a dossier that its usager or an instructeur hid, and may restore: ``"flag"``
        keeps it and says so in ``dossiers.deletion_stage``; ``"erase"`` removes it from all tables. (templated)
    :param on_deleted: what to do with a dossier that is deleted for good: ``"erase"`` removes it from all tables and
        leaves the tombstone in ``deleted_dossiers``; ``"flag"`` keeps it. (templated)
    :param ds_conn_id: the connection of the service, used for ``demarche_number`` only. (templated)
    :returns: counts: ``rows`` written, by table; dossiers that were ``new`` or ``updated``, ``older`` than what the
        warehouse holds, ``gone`` (hidden or deleted by now), ``erased`` and ``restored``; ``tombstones`` that are new
        or changed, by stage; and ``drift``, the changes of the form in revisions that were not known before.
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSDestinationError: if an extract cannot be read.
    :raises DSWarehouseError: if the database refuses.
    """

    template_fields: Sequence[str] = (
        "manifests",
        *WarehouseMixin.template_fields,
        "demarche_number",
        "on_pending",
        "on_deleted",
        "ds_conn_id",
    )
    checks: ClassVar[Mapping[str, Check]] = {
        **WarehouseMixin.checks,
        "manifests": parse_manifests,
        "demarche_number": optional(parse_demarches),
        **dict.fromkeys(("on_pending", "on_deleted"), parse_action),
        "ds_conn_id": parse_conn_id,
    }
    operator_extra_links: Sequence[BaseOperatorLink] = (DSDemarcheLink(), DSGroupesLink())

    loaded: tuple[LandedExtracts, LoadReport] | None = None

    def __init__(
        self,
        *,
        manifests: Any,
        demarche_number: int | str | Sequence[int] | None = None,
        on_pending: str = "flag",
        on_deleted: str = "erase",
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.demarche_number = demarche_number
        self.on_pending = on_pending
        self.on_deleted = on_deleted
        self.ds_conn_id = ds_conn_id
        self._check_given()
        if is_constant(self.warehouse_conn_id) and is_constant(self.dataset):
            add_outlets(self, map(self._asset, self._tables()))

    @property
    def map_label(self) -> str:
        """The démarche if it is given, else the groups of the extracts, by their labels."""
        if self.demarche_number is not None:
            return demarches_label(self.demarche_number)
        labels = {one.groupe_instructeur_number: one.groupe_instructeur_label for one in self._loaded_manifests()}
        return groups_label(list(labels), labels) if labels else str(self.dataset)

    @property
    def demarches_read(self) -> set[int | None]:
        """Numbers of the démarches of the extracts; None of one without dossiers."""
        return {manifest.demarche_number for manifest in self._loaded_manifests()}

    @fail_fast
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the extracts, and return counts."""
        self._check_rendered()
        warehouse = self.warehouse
        from ds_provider.warehouse.coverage import read_coverage
        from ds_provider.warehouse.extracts import open_extracts
        from ds_provider.warehouse.load.loader import load
        from ds_provider.warehouse.service_time import service_now

        policy = policy_of(self.on_pending, self.on_deleted)
        extracts = open_extracts(self._manifests())
        began = time.monotonic()
        report = load(warehouse, extracts, policy, demarches=self._demarches())
        self.loaded = extracts, report
        seconds = time.monotonic() - began
        self.log.info("%s; %s; %s", report.summary_line(), lasted(seconds), warehouse)
        with warehouse.connected():
            coverage, now = read_coverage(warehouse, extracts.groups), service_now(warehouse)
        metrics.LOAD_DURATION.send(seconds, self.dataset)
        metrics.send_loaded(report, self.dataset)
        metrics.send_coverage(coverage, now, self.dataset)
        emit_changes(self, context, self._changes(extracts, report, coverage))
        # last, since all that it says is loaded
        loaded_upto = {number: group.covered_until for number, group in coverage.items() if group.covered_until}
        advance_loaded_watermarks(context, self._asset("dossiers"), loaded_upto)
        return report.as_dict()

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return what will be loaded."""
        return lineage.facets(lineage.to_be_loaded(manifests_in(self.manifests)))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return what was loaded, and into which tables."""
        if not self.loaded:
            return self.get_openlineage_facets_on_start()
        return lineage.facets(lineage.loaded(self.warehouse, *self.loaded))

    def _tables(self) -> Iterator[str]:
        """Yield the tables that a load may change, as far as they are known when the DAG is parsed."""
        yield from (name for name in TABLES if name != FORMS or self.demarche_number is not None)
        if self.demarche_number is not None and is_constant(self.demarche_number):
            for number in parse_demarches(self.demarche_number, "demarche_number"):
                yield f"demarche_{number}"

    def _loaded_manifests(self) -> Iterator[Manifest]:
        if self.loaded:
            yield from (extract.manifest for extract in self.loaded[0])

    def _changes(
        self, extracts: LandedExtracts, report: LoadReport, coverage: Mapping[int, Coverage]
    ) -> Iterator[tuple[Asset, AssetChange]]:
        """Yield what the load did to each table that has an asset."""
        window = span(extract.manifest.window for extract in extracts.dossiers)
        bounds = {number: group.iso_bounds for number, group in coverage.items()}
        for name, rows in report.rows.items():
            if name in TABLES or name.startswith("demarche_"):
                erased = 0 if name in _NOT_OF_DOSSIERS else report.erased
                change = AssetChange(rows, erased, len(extracts.groups), window)
                yield self._asset(name), replace(change, coverage=bounds) if name == "dossiers" else change

    def _asset(self, name: str) -> Asset:
        return table_asset(name, warehouse_conn_id=self.warehouse_conn_id, dataset=self.dataset)

    def _manifests(self) -> list[str]:
        urls = parse_manifests(self.manifests, "manifests")
        if not urls:
            self.log.warning("manifests is an empty list: nothing is loaded")
        if nulls := count_nulls(self.manifests):
            self.log.warning(
                "%s among manifests: of tasks that were skipped, or that a template does not find",
                counted(nulls, "null"),
            )
        return urls

    def _demarches(self) -> list[tuple[dict[str, Any], datetime]]:
        if self.demarche_number is None:
            return []
        hook = DSHook(self.ds_conn_id)
        numbers = parse_demarches(self.demarche_number, "demarche_number")
        return [(hook.get_revisions(number), hook.clock.now()) for number in numbers]


def policy_of(on_pending: Any, on_deleted: Any, *, vanished_before: datetime | None = None) -> Policy:
    """Return what becomes of the rows of dossiers that are hidden or gone, as an operator's parameters say.

    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    from ds_provider.warehouse.load.report import Policy

    actions = parse_action(on_pending, "on_pending"), parse_action(on_deleted, "on_deleted")
    return Policy(*cast("tuple[DeletionAction, DeletionAction]", actions), vanished_before)
