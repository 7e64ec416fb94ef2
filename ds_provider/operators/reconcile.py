"""What the service shows, held against what the warehouse holds, and mended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, Context

from ds_provider import openlineage as lineage
from ds_provider.api.paging.scan import scan
from ds_provider.api.query.parameters import is_absent, parse_groupes, parse_includes, select_numbers, unbatched
from ds_provider.exceptions import DSConfigurationError, DSError, DSGroupesFailedError, DSQuarantinedError
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DATASET, DSWarehouseHook
from ds_provider.operators._base import ExtractTask, LandingOperator, Summary, deletions_of
from ds_provider.operators.load import log_report, policy_of
from ds_provider.sync.extract import GroupExtractor, summary_of
from ds_provider.sync.manifests import manifests_in

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse
    from ds_provider.warehouse.differences import DossierState
    from ds_provider.warehouse.extracts import LandedExtracts
    from ds_provider.warehouse.load.report import Policy, Report
    from ds_provider.warehouse.tombstones import Tombstone

# an expired dossier is in no list for two weeks, and for as long as the purge is behind
ERASE_VANISHED_AFTER = timedelta(days=45)


class DSReconcileOperator(LandingOperator):
    """Finds where the warehouse differs from the service, and mends it.

    Sees the number, state and date of every dossier of the groups, a hundred in a request. Those that are missing,
    moved or stale in the warehouse are read again, fifty in a request, landed and loaded. Those that no group shows are
    looked for among the deletions, and then by number, one in a request; a dossier that is found nowhere is flagged as
    vanished: it has expired and is not deleted yet, or it was of a test. If it comes back, so does its row.

    Returns counts: ``groupes``, ``shown``, ``requests`` of the scan, and dossiers by what was wrong: ``missing``,
    ``moved``, ``stale``, ``restored`` (held as hidden, and shown), ``hidden`` (pending or deleted since), ``vanished``;
    and ``read``, how many were read again.

    :param groupe_instructeur_number: the groups: all those that are loaded, since a dossier that has left one of them
        may be in another; a list, or the batches of a fan-out. (templated)
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :param on_pending: as for :class:`~ds_provider.operators.load.DSLoadOperator`. (templated)
    :param on_deleted: likewise. (templated)
    :param erase_vanished_after: for how long the rows of a dossier that has vanished are kept.
    :param include_champs: the form's answers: the parts of a dossier are to be those that are loaded otherwise.
        (templated, like all that follow)
    :param include_annotations: the officers' private fields.
    :param include_traitements: the history of states.
    :param include_instructeurs: the officers who follow the dossier.
    :param include_avis: the experts' opinions.
    :param include_messages: the messages.
    :param include_geometry: the shapes of maps and addresses.
    :param include_labels: the labels.
    :param include_corrections: the corrections asked for.
    :param on_dossier_error: what becomes of the task where a dossier cannot be read: ``"fail"`` or ``"quarantine"``, as
        for :class:`~ds_provider.operators.extract.DSExtractDossiersOperator`. (templated)
    :param ds_conn_id: the connection. (templated)
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSError: if a group cannot be seen: nothing is mended or flagged then.
    :raises DSWarehouseError: if the database refuses.
    """

    template_fields: Sequence[str] = (
        "groupe_instructeur_number",
        "destination",
        "warehouse_conn_id",
        "dataset",
        "on_pending",
        "on_deleted",
        "include_champs",
        "include_annotations",
        "include_traitements",
        "include_instructeurs",
        "include_avis",
        "include_messages",
        "include_geometry",
        "include_labels",
        "include_corrections",
        "on_dossier_error",
        "ds_conn_id",
    )
    # it is about all groups, those of which it read anything or not
    operator_extra_links: Sequence[BaseOperatorLink] = ()

    loaded: tuple[Warehouse, LandedExtracts, Report] | None = None

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[Any],
        destination: str,
        warehouse_conn_id: str | None = None,
        dataset: str = DATASET,
        on_pending: str = "flag",
        on_deleted: str = "erase",
        erase_vanished_after: timedelta = ERASE_VANISHED_AFTER,
        include_champs: bool | str = True,
        include_annotations: bool | str = True,
        include_traitements: bool | str = True,
        include_instructeurs: bool | str = True,
        include_avis: bool | str = False,
        include_messages: bool | str = False,
        include_geometry: bool | str = False,
        include_labels: bool | str = False,
        include_corrections: bool | str = False,
        on_dossier_error: str = "fail",
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.destination = destination
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset
        self.on_pending = on_pending
        self.on_deleted = on_deleted
        self.erase_vanished_after = erase_vanished_after
        self.include_champs = include_champs
        self.include_annotations = include_annotations
        self.include_traitements = include_traitements
        self.include_instructeurs = include_instructeurs
        self.include_avis = include_avis
        self.include_messages = include_messages
        self.include_geometry = include_geometry
        self.include_labels = include_labels
        self.include_corrections = include_corrections
        self.on_dossier_error = on_dossier_error
        self.ds_conn_id = ds_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        groupes, _ = parse_groupes(unbatched(self.groupe_instructeur_number))
        self._accepts_quarantine()
        parse_includes(self._includes())
        conn_id = None if is_absent(self.warehouse_conn_id) else self.warehouse_conn_id
        warehouse = DSWarehouseHook(conn_id, self.dataset).warehouse()
        # what is in an optional extra is imported once the hook has told whether it is there
        from ds_provider.warehouse.differences import compare, held_dossiers
        from ds_provider.warehouse.extracts import open_extracts
        from ds_provider.warehouse.load.loader import load

        policy = self._policy()
        began = datetime.now(timezone.utc)
        held = held_dossiers(warehouse)
        shown, requests = self._sweep(groupes)
        differences = compare(shown, held, frozenset(groupes))

        # a dossier may have moved before it was hidden: the lists of all groups tell
        deletions, failure = self._try_to_land(
            context, {number: deletions_of(number) for number in groupes} if differences.absent else {}
        )
        deleted = open_extracts(manifests_in(deletions)).deleted_numbers()
        # where a list could not be read, nothing says that a dossier is in none of them
        lost = set[int]() if failure else differences.absent - deleted
        gone, unreadable = set[int](), set[int]()
        groupe_of = {number: shown[number].groupe for number in differences.to_read}
        groupe_of |= {number: held[number].groupe for number in lost}
        dossiers, failure_of_dossiers = self._try_to_land(context, self._rereadings(groupe_of, gone, unreadable))

        # what is loaded meanwhile was read later than that, and is there
        vanished = [_vanished(number, held[number], began) for number in sorted(lost & gone)]
        readings = open_extracts(manifests_in([deletions, dossiers]))
        report = load(warehouse, readings, policy, vanished=vanished)
        self.loaded = warehouse, readings, report
        log_report(self.log, warehouse, report)
        counts = {
            "groupes": len(groupes),
            "shown": len(shown),
            "requests": requests,
            "missing": len(differences.missing),
            "moved": len(differences.moved) + len(lost - gone - unreadable),
            "stale": len(differences.stale),
            "restored": len(differences.restored),
            "hidden": len(differences.absent & deleted),
            "vanished": len(vanished),
            "read": sum(summary["rows"] for summary in dossiers),
        }
        self.log.info("%s", ", ".join(f"{count} {name}" for name, count in counts.items()))
        # not before: what can be mended is
        if failure := failure or failure_of_dossiers:
            raise failure
        return counts

    def _flow(self) -> lineage.Flow:
        return super()._flow() + (lineage.loaded(*self.loaded) if self.loaded else lineage.Flow())

    def _try_to_land(
        self, context: Context, extractions: dict[int, ExtractTask]
    ) -> tuple[list[Summary], DSError | None]:
        """What was landed, and what was wrong with the rest of it."""
        if not extractions:
            return [], None
        try:
            return self._land(context, extractions), None
        except (DSGroupesFailedError, DSQuarantinedError) as error:
            return error.landed, error

    def _policy(self) -> Policy:
        kept: object = self.erase_vanished_after
        if not isinstance(kept, timedelta) or kept <= timedelta(0):
            raise DSConfigurationError(f"erase_vanished_after must be a timedelta above zero: got {kept!r}")
        vanished_before = datetime.now(timezone.utc) - kept
        return replace(policy_of(self.on_pending, self.on_deleted), vanished_before=vanished_before)

    def _sweep(self, groupes: Iterable[int]) -> tuple[dict[int, DossierState], int]:
        """All dossiers that the groups show. One that moves from one to another meanwhile is where it was seen last."""
        from ds_provider.warehouse.differences import DossierState

        shown: dict[int, DossierState] = {}
        requests = 0
        with DSHook(self.ds_conn_id).client() as client:
            for groupe in groupes:
                for page in client.iterate(scan(groupe)):
                    requests += page.requests
                    for seen in page.dossiers:
                        sight = DossierState(groupe, seen.state, seen.date_derniere_modification)
                        known = shown.get(seen.number)
                        if known is None or known.modified <= sight.modified:
                            shown[seen.number] = sight
        return shown, requests

    def _rereadings(self, groupe_of: Mapping[int, int], gone: set[int], unreadable: set[int]) -> dict[int, ExtractTask]:
        """What reads dossiers again, by group.

        :param gone: is given the numbers of those that are not to be had.
        :param unreadable: is given those of which the service fails.
        """
        numbers: dict[int, list[int]] = {}
        for number, groupe in groupe_of.items():
            numbers.setdefault(groupe, []).append(number)
        return {groupe: self._rereading(groupe, of_groupe, gone, unreadable) for groupe, of_groupe in numbers.items()}

    def _rereading(self, groupe: int, numbers: list[int], gone: set[int], unreadable: set[int]) -> ExtractTask:
        selection = select_numbers(groupe, numbers, self._includes())

        def extract(extractor: GroupExtractor) -> Summary:
            landing = extractor.land(selection)
            gone.update(landing.gone)
            unreadable.update(record.number for record in landing.quarantined)
            return extractor.told(summary_of(landing), landing)

        return extract


def _vanished(number: int, held: DossierState, seen: datetime) -> Tombstone:
    from ds_provider.warehouse.extracts import microseconds
    from ds_provider.warehouse.tombstones import VANISHED, Tombstone

    return Tombstone(number, held.groupe, held.state, None, None, VANISHED, microseconds(seen))
