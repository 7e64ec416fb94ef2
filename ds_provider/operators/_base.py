"""Base of the operators that extract groups into the landing zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperatorLink, Context

from ds_provider import metrics
from ds_provider import openlineage as lineage
from ds_provider.api.query.parameters import flatten_batches, parse_choice, parse_conn_id, parse_groupes
from ds_provider.api.query.selection import DOSSIERS
from ds_provider.asset_events import change_of, emit_changes
from ds_provider.hooks.ds import DSHook
from ds_provider.landing.storage import open_destination, parse_destination
from ds_provider.links import DSDemarcheLink, DSGroupesLink
from ds_provider.map_labels import groups_label
from ds_provider.parameter_checks import Check, CheckedOperator
from ds_provider.state.checkpoints import TaskCheckpoints
from ds_provider.sync.extract import GroupExtractor, Summary

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ds_provider.api.query.selection import Selection
    from ds_provider.state.watermark import Watermark


class ExtractOperator(CheckedOperator):
    """Extracts one group, or several one after another over the same connection.

    The summaries of what was landed are a list in the XCom ``landed``, whether the task succeeds or not.

    :ivar landed: these summaries.
    """

    template_fields: Sequence[str] = ("groupe_instructeur_number", "destination", "on_dossier_error", "ds_conn_id")
    ui_color = "#cacafb"
    ui_fgcolor = "#000091"
    operator_extra_links: Sequence[BaseOperatorLink] = (DSDemarcheLink(), DSGroupesLink())

    checks: ClassVar[Mapping[str, Check]] = {
        "groupe_instructeur_number": parse_groupes,
        "destination": parse_destination,
        "on_dossier_error": lambda value, name: parse_choice(value, name, ("fail", "quarantine")),
        "ds_conn_id": parse_conn_id,
    }
    streams: ClassVar[tuple[str, ...]] = (DOSSIERS.name,)
    landed: Sequence[Summary] = ()
    _endpoint = ""

    def __init__(
        self,
        *,
        groupe_instructeur_number: Any,
        destination: str,
        on_dossier_error: str = "fail",
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.destination = destination
        self.on_dossier_error = on_dossier_error
        self.ds_conn_id = ds_conn_id
        self._check_given()

    @property
    def map_label(self) -> str:
        """The groups, each by its label once it has landed."""
        labels = {one["groupe_instructeur_number"]: one["groupe_instructeur_label"] for one in self.landed}
        return groups_label(self.groupe_instructeur_number, labels)

    @property
    def demarches_read(self) -> set[int | None]:
        """Numbers of the démarches of what was landed; None of a group that brought no dossier."""
        return {summary["demarche_number"] for summary in self.landed}

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return what will be landed."""
        numbers, _ = parse_groupes(flatten_batches(self.groupe_instructeur_number))
        return lineage.facets(lineage.planned(self.destination, numbers, self.streams))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return what was landed."""
        return lineage.facets(lineage.landed(self._endpoint, self.landed))

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return what was landed before the failure, or else what would have been."""
        if self.landed:
            return self.get_openlineage_facets_on_complete(task_instance)
        return self.get_openlineage_facets_on_start()

    def _parse_groups(self, given: object) -> tuple[list[int], bool]:
        """Return group numbers, and true if a list was given, checked with what all extractions have."""
        self._check_rendered()
        return parse_groupes(given)

    @contextmanager
    def _open_extractor(self, context: Context, concurrency: int = 1) -> Iterator[GroupExtractor]:
        """Connect to the service and open the landing zone. All other parameters are checked by now."""
        checkpoints = TaskCheckpoints(context, self.log)
        # not before the task runs: the connection's name may be a template
        hook = DSHook(self.ds_conn_id)
        self._endpoint = hook.endpoint
        accepts_quarantine = self.on_dossier_error == "quarantine"
        with hook.client() as client:
            zone = open_destination(self.destination)
            extractor = GroupExtractor(client, zone, self.log, checkpoints, concurrency, accepts_quarantine)
            self.landed = extractor.landed
            try:
                yield extractor
            except BaseException:
                # the error is what a person needs, and says if the task is worth another try: nothing may replace it
                try:
                    self._push_landed(context)
                except Exception as error:  # noqa: BLE001 - Airflow's API has errors of its own
                    self.log.warning("the summaries of what was landed are in no XCom: %s", error)
                raise
            finally:
                metrics.send_landed(extractor.totals)
            self._push_landed(context)
            # last: a later try resumes from them
            checkpoints.clear()

    def _extract(
        self,
        context: Context,
        selections: Sequence[Selection],
        *,
        several: bool,
        concurrency: int = 1,
        watermarks: Mapping[int, Watermark] | None = None,
    ) -> list[Summary]:
        """Extract groups as :meth:`~ds_provider.sync.extract.GroupExtractor.extract` does, and log what was landed."""
        with self._open_extractor(context, concurrency) as extractor:
            summaries = extractor.extract(selections, several=several, watermarks=watermarks)
            # of one group its own line has said it
            if several:
                self.log.info("%s", extractor.totals.line(extractor.client.usage.requests))
        return summaries

    def _push_landed(self, context: Context) -> None:
        # without a task instance it is executed outside of Airflow
        if ti := context.get("ti"):
            ti.xcom_push(key="landed", value=list(self.landed))

    def _emit_changes(self, context: Context, asset_of: Callable[[int, str], Asset]) -> None:
        """Emit an event for the asset of each group in which something landed.

        :param asset_of: the asset, by the group's number and the service's URL.
        """
        changes = (
            (asset_of(summary["groupe_instructeur_number"], self._endpoint), change_of(summary))
            for summary in self.landed
        )
        emit_changes(self, context, changes)
