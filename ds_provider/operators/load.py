"""What has landed, into the tables of a warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import pendulum
from airflow.sdk import Asset, BaseOperator, BaseOperatorLink, Context

from ds_provider import openlineage as lineage
from ds_provider.api.query.parameters import is_absent, parse_number
from ds_provider.asset_events import Change, advance_loaded_upto, declare, emit, is_plain, span
from ds_provider.assets import TABLES, table_asset
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DATASET, DSWarehouseHook
from ds_provider.links import DSDemarcheLink
from ds_provider.sync.manifests import manifests_in

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk.types import Logger

    from ds_provider.warehouse.database.store import Warehouse
    from ds_provider.warehouse.extracts import LandedExtracts
    from ds_provider.warehouse.load.report import DeletionAction, Policy, Report

# what these say does not go with a dossier
OF_NO_DOSSIER = ("groupes_instructeurs", "revisions", "champ_descriptors", "deleted_dossiers")


class DSLoadOperator(BaseOperator):
    """Loads what the extract operators have landed into typed tables.

    Each dossier is in the tables once, in its last version, with all that belongs to it, however often and in whatever
    order its files are loaded. What the service says of deletions is carried out. Returns counts.

    :param manifests: the summaries that the extract operators return, in any nesting, or URLs of manifests. (templated)
    :param warehouse_conn_id: the connection of the database; without it, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds the tables. (templated)
    :param demarche_number: the démarche, or a list of them, of which the form's revisions are read from the service and
        loaded: the wide tables then have a column for each champ from the first day on. (templated)
    :param on_pending: what becomes of a dossier that its user or an officer hid, and may restore: ``"flag"`` keeps it
        and says so in ``dossiers.deletion_stage``; ``"erase"`` removes it from all tables. (templated)
    :param on_deleted: what becomes of a dossier that is deleted for good: ``"erase"`` removes it from all tables and
        leaves the tombstone in ``deleted_dossiers``; ``"flag"`` keeps it. (templated)
    :param ds_conn_id: the connection of the service, of which only ``demarche_number`` has use. (templated)
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSDestinationError: if what has landed cannot be read.
    :raises DSWarehouseError: if the database refuses.
    """

    template_fields: Sequence[str] = (
        "manifests",
        "warehouse_conn_id",
        "dataset",
        "demarche_number",
        "on_pending",
        "on_deleted",
        "ds_conn_id",
    )
    ui_color = "#cacafb"
    ui_fgcolor = "#000091"
    operator_extra_links: Sequence[BaseOperatorLink] = (DSDemarcheLink(),)

    loaded: tuple[Warehouse, LandedExtracts, Report] | None = None

    def __init__(
        self,
        *,
        manifests: Any,
        warehouse_conn_id: str | None = None,
        dataset: str = DATASET,
        demarche_number: int | str | Sequence[int] | None = None,
        on_pending: str = "flag",
        on_deleted: str = "erase",
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifests = manifests
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset
        self.demarche_number = demarche_number
        self.on_pending = on_pending
        self.on_deleted = on_deleted
        self.ds_conn_id = ds_conn_id
        plain = is_plain(warehouse_conn_id) and is_plain(dataset)
        declare(self, [self._asset(name) for name in TABLES] if plain else ())

    def execute(self, context: Context) -> dict[str, Any]:
        warehouse = DSWarehouseHook(self._conn_id, self.dataset).warehouse()
        # what is in an optional extra is imported once the hook has told whether it is there
        from ds_provider.warehouse.extracts import open_extracts
        from ds_provider.warehouse.freshness import freshness
        from ds_provider.warehouse.load.loader import load

        policy = policy_of(self.on_pending, self.on_deleted)
        readings = open_extracts(manifests_in(self.manifests))
        report = load(warehouse, readings, policy, demarches=self._demarches())
        self.loaded = warehouse, readings, report
        log_report(self.log, warehouse, report)
        emit(self, context, self._changes(report, readings))
        # last, since all that it says is loaded
        reached = {
            figure.groupe_instructeur_number: pendulum.instance(figure.loaded_upto)
            for figure in freshness(warehouse)
            if figure.loaded_upto and figure.groupe_instructeur_number in readings.groupes
        }
        advance_loaded_upto(context, self._asset("dossiers"), reached)
        return report.as_dict()

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """What will be loaded."""
        return lineage.facets(lineage.awaited(manifests_in(self.manifests)))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What was loaded, and into which tables."""
        return lineage.facets(lineage.loaded(*self.loaded)) if self.loaded else self.get_openlineage_facets_on_start()

    def _changes(self, report: Report, readings: LandedExtracts) -> Iterator[tuple[Asset, Change]]:
        """What the load did to each table that others may wait for."""
        window = span(reading.manifest.window for reading in readings.dossiers)
        for name, rows in report.rows.items():
            if name in TABLES or name.startswith("demarche_"):
                erased = 0 if name in OF_NO_DOSSIER else report.erased
                yield self._asset(name), Change(rows, erased, len(readings.groupes), window)

    def _asset(self, name: str) -> Asset:
        return table_asset(name, warehouse_conn_id=self._conn_id, dataset=self.dataset)

    @property
    def _conn_id(self) -> str | None:
        return None if is_absent(self.warehouse_conn_id) else self.warehouse_conn_id

    def _demarches(self) -> list[dict[str, Any]]:
        if is_absent(self.demarche_number):
            return []
        given: Any = self.demarche_number
        numbers = [parse_number(one, "demarche_number") for one in (given if isinstance(given, list) else [given])]
        hook = DSHook(self.ds_conn_id)
        return [hook.get_revisions(number) for number in numbers]


def policy_of(on_pending: str, on_deleted: str) -> Policy:
    """What becomes of the rows of dossiers that are hidden or gone, as an operator is told.

    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    from ds_provider.warehouse.load.report import Policy

    return Policy(
        on_pending=_deletion_action(on_pending, "on_pending"), on_deleted=_deletion_action(on_deleted, "on_deleted")
    )


def log_report(log: Logger, warehouse: Warehouse, report: Report) -> None:
    """Counts, nothing else."""
    log.info("loaded into %s: %s", warehouse, report.told())


def _deletion_action(given: str, parameter: str) -> DeletionAction:
    if given not in ("flag", "erase"):
        raise DSConfigurationError(f"{parameter} must be 'flag' or 'erase': got {given!r}")
    return cast("DeletionAction", given)
