"""Dossiers that the warehouse holds, a slice of them each day, since not all changes move a dossier's date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from ds_provider.api.query.parameters import is_absent, parse_groupes, parse_includes, select_numbers, unbatched
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DATASET, DSWarehouseHook
from ds_provider.operators._base import ExtractTask, LandingOperator, Summary
from ds_provider.sync.extract import GroupExtractor, summary_of

if TYPE_CHECKING:
    import pyarrow as pa

WITHIN = timedelta(days=28)
_DAY = timedelta(days=1)
_COLUMNS = ("number", "groupe_instructeur_number", "read_at", "deletion_stage")


class DSRefreshDossiersOperator(LandingOperator):
    """Reads dossiers that the warehouse holds once more, by their numbers, into the landing zone.

    The service does not date every change: a new revision of the form, another user, an attestation made after the
    decision, a file that is removed (and labels, before 2026) leave a dossier's date as it was, and no window shows
    them. So each run reads again the dossiers that were read longest ago, as many of each group as it takes for daily
    runs to come round within ``within``, and all that were read before that. Fifty are asked for in a request.

    What is landed is loaded as any other reading; only then does the next run go on to others. Dossiers that are
    flagged as deleted or vanished are left alone. Those that are not to be had any more are counted in the log, and in
    the summaries as ``gone`` (hidden or deleted) and ``foreign`` (out of the token's rights): what became of them is
    told by the deletions and by a reconciliation.

    :param groupe_instructeur_number: the group, or a list of groups: one of a list that fails does not stop the others,
        and the task fails at the end naming those that did, with the summaries of the others in the XCom ``landed``.
        (templated)
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param within: how long a dossier may stay without being read again, a day or more.
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :param include_champs: the form's answers. (templated, like all that follow)
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
    :returns: a list of summaries, one for each group of which dossiers were read.
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSWarehouseError: if the warehouse cannot be read.
    :raises DSUnauthorizedError: if the token has lost its rights on the dossiers.
    :raises DSQuarantinedError: if dossiers of the one group could not be read; the summary is in the XCom ``landed``.
    :raises DSGroupesFailedError: if some groups of a list failed.
    """

    template_fields: Sequence[str] = (
        "groupe_instructeur_number",
        "destination",
        "warehouse_conn_id",
        "dataset",
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

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        destination: str,
        within: timedelta = WITHIN,
        warehouse_conn_id: str | None = None,
        dataset: str = DATASET,
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
        self.within = within
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset
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

    def execute(self, context: Context) -> list[Summary]:
        groupes, several = parse_groupes(unbatched(self.groupe_instructeur_number))
        within = self._checked_within()
        self._accepts_quarantine()
        parse_includes(self._includes())
        due = slices(self._held(), groupes, within, datetime.now(timezone.utc))
        count = sum(map(len, due.values()))
        self.log.info("%d dossiers of %d groupes instructeurs are to be read again", count, len(due))
        if not due:
            return []
        extractions = {groupe: self._extraction(groupe, numbers) for groupe, numbers in due.items()}
        return self._land(context, extractions, several=several)

    def _extraction(self, groupe: int, numbers: list[int]) -> ExtractTask:
        selection = select_numbers(groupe, numbers, self._includes())

        def extract(extractor: GroupExtractor) -> Summary:
            landing = extractor.land(selection)
            summary = summary_of(landing, gone=len(landing.gone), foreign=len(landing.foreign))
            return extractor.told(summary, landing)

        return extract

    def _held(self) -> pa.Table:
        """The dossiers that the warehouse holds."""
        conn_id = None if is_absent(self.warehouse_conn_id) else self.warehouse_conn_id
        warehouse = DSWarehouseHook(conn_id, self.dataset).warehouse()
        # what is in an optional extra is imported once the hook has told whether it is there
        from ds_provider.tables.schemas import DOSSIERS

        return warehouse.read(DOSSIERS, _COLUMNS)

    def _checked_within(self) -> timedelta:
        within: object = self.within
        if not isinstance(within, timedelta) or within < _DAY:
            raise DSConfigurationError(f"within must be a timedelta of a day or more: got {within!r}")
        return within


def slices(dossiers: pa.Table, groupes: Iterable[int], within: timedelta, now: datetime) -> dict[int, list[int]]:
    """The numbers to read again, by group: those read longest ago, and all read before the time allowed.

    :param dossiers: ``number``, ``groupe_instructeur_number``, ``read_at`` and ``deletion_stage`` of each.
    :param within: the time allowed; as many whole days as are in it, so many daily runs read each dossier once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    held = dossiers.filter(pc.is_null(dossiers["deletion_stage"]))
    oldest_first = held.sort_by([("read_at", "ascending"), ("number", "ascending")])
    overdue_before = pa.scalar(now - within, dossiers["read_at"].type)
    due: dict[int, list[int]] = {}
    for groupe in groupes:
        rows = oldest_first.filter(pc.equal(oldest_first["groupe_instructeur_number"], groupe))
        overdue = pc.sum(pc.less(rows["read_at"], overdue_before)).as_py() or 0
        share = -(-rows.num_rows // (within // _DAY))
        if rows.num_rows:
            due[groupe] = rows["number"].slice(0, max(overdue, share)).to_pylist()
    return due
