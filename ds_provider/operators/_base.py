"""What the operators that land have in common: groups read one after another, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperator, BaseOperatorLink, Context

from ds_provider import openlineage as lineage
from ds_provider.api.query.parameters import (
    parse_groupes,
    parts_of,
    select_deleted_dossiers,
    select_pending_deleted_dossiers,
    unbatched,
)
from ds_provider.api.query.selection import DOSSIERS
from ds_provider.asset_events import changes_of, emit
from ds_provider.exceptions import DSConfigurationError, DSGroupesFailedError, DSQuarantinedError
from ds_provider.hooks.ds import DSHook
from ds_provider.landing.layout import open_destination
from ds_provider.links import DSDemarcheLink, DSGroupesLink
from ds_provider.state.checkpoints import TaskCheckpoints
from ds_provider.sync.extract import GroupExtractor, each_groupe, summary_of
from ds_provider.sync.idle import IdleGroupes

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

Summary = dict[str, Any]
ExtractTask = Callable[[GroupExtractor], Summary]


class LandingOperator(BaseOperator):
    """Lands one group, or several one after another over the same connection.

    :ivar landed: the summaries of what was landed, also where the task fails.
    """

    ui_color = "#cacafb"
    ui_fgcolor = "#000091"
    operator_extra_links: Sequence[BaseOperatorLink] = (DSDemarcheLink(), DSGroupesLink())

    streams: ClassVar[tuple[str, ...]] = (DOSSIERS.name,)
    landed: Sequence[Summary] = ()

    groupe_instructeur_number: Any
    destination: str
    on_dossier_error: str
    ds_conn_id: str

    def _extract(
        self, context: Context, prepare: Callable[[int], ExtractTask], idle: IdleGroupes | None = None
    ) -> Summary | list[Summary]:
        """Check all that can be checked, then read.

        :param prepare: checks what is asked of a group and gives what then reads it.
        :param idle: asks about all groups of a list before they are read.
        """
        numbers, several = parse_groupes(self.groupe_instructeur_number)
        self._accepts_quarantine()
        extractions = {number: prepare(number) for number in numbers}
        summaries = self._land(context, extractions, several=several, idle=idle)
        service = self._service
        emit(self, context, changes_of(summaries, lambda number: self._asset(number, service)))
        return summaries if several else summaries[0]

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """What will be landed."""
        groupes, _ = parse_groupes(unbatched(self.groupe_instructeur_number))
        return lineage.facets(lineage.planned(self.destination, groupes, self.streams))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What was landed."""
        return lineage.facets(self._flow())

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """What was landed all the same, and else what would have been."""
        return lineage.facets(self._flow()) if self.landed else self.get_openlineage_facets_on_start()

    def _flow(self) -> lineage.Flow:
        return lineage.landed(self._service, self.landed) if self.landed else lineage.Flow()

    def _asset(self, number: int, service: str) -> Asset:
        """What a reading brings news of."""
        raise NotImplementedError

    def _land(
        self,
        context: Context,
        extractions: dict[int, ExtractTask],
        *,
        several: bool = True,
        idle: IdleGroupes | None = None,
    ) -> list[Summary]:
        """Read each group. Where some fail, the others' summaries are in XCom ``landed``.

        :param several: whether one that fails does not stop the others.
        """
        checkpoints = TaskCheckpoints(context, self.log)
        self._service = self._hook.endpoint
        with self._hook.client() as client:
            zone = open_destination(self.destination)
            extractor = GroupExtractor(
                client, zone, self.log, checkpoints, self._requests_at_once(), self._accepts_quarantine()
            )
            if several and idle:
                idle.find(client)
            try:
                if several:
                    summaries = each_groupe(list(extractions), lambda number: extractions[number](extractor), self.log)
                else:
                    summaries = [extract(extractor) for extract in extractions.values()]
            except (DSGroupesFailedError, DSQuarantinedError) as error:
                self.landed = [*self.landed, *error.landed]
                context["ti"].xcom_push(key="landed", value=error.landed)
                raise
        self.landed = [*self.landed, *summaries]
        checkpoints.clear()
        return summaries

    @cached_property
    def _hook(self) -> DSHook:
        # not before the task runs: the connection's name may be a template
        return DSHook(self.ds_conn_id)

    def _accepts_quarantine(self) -> bool:
        if self.on_dossier_error not in ("fail", "quarantine"):
            raise DSConfigurationError(
                f"on_dossier_error must be 'fail' or 'quarantine': got {self.on_dossier_error!r}"
            )
        return self.on_dossier_error == "quarantine"

    def _includes(self) -> dict[str, object]:
        return parts_of({name: getattr(self, name) for name in self.template_fields if name.startswith("include_")})

    def _requests_at_once(self) -> int:
        return 1


def deletions_of(number: int, *, deleted_since: Any = None, **walk: Any) -> ExtractTask:
    """What reads a group's deletions. Those that may be taken back come first: what is purged meanwhile is in both."""
    pending = select_pending_deleted_dossiers(number, **walk)
    deleted = select_deleted_dossiers(number, deleted_since=deleted_since, **walk)

    def extract(extractor: GroupExtractor) -> Summary:
        pending_landing = extractor.land(pending)
        landing = extractor.land(deleted)
        more = {"manifest_pending": pending_landing.manifest_url, "rows_pending": pending_landing.rows}
        return extractor.told(summary_of(landing, **more), landing, pending_landing)

    return extract
