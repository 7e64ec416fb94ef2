"""Task group that keeps a warehouse: groups → read → load → look after, and a last task that says if all is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseOperator, Context, TaskGroup, TriggerRule, XComArg, task
from airflow.sdk.exceptions import AirflowSkipException

from ds_provider.api.query.parameters import flatten_batches, parse_groupes, parse_number
from ds_provider.exceptions import DSConfigurationError
from ds_provider.operators.complete import DSCompleteOperator
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.parameter_checks import is_constant, naming_the_line
from ds_provider.retry_policy import fail_fast
from ds_provider.sync.manifests import manifests_in
from ds_provider.task_groups.defaults import CAREFUL_ARGS, IncludeOptions

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator
    from typing_extensions import Unpack


class WarehouseOptions(IncludeOptions, total=False):
    """Options of a pipeline, each documented by :class:`DSWarehouseTaskGroup`."""

    destination: str
    demarche_number: int | str | None
    groupe_instructeur_number: int | Sequence[int] | XComArg | None
    warehouse_conn_id: str | None
    dataset: str
    ds_conn_id: str
    groupes_per_task: int
    refresh_max_age: timedelta
    reconcile_every: timedelta
    retention: timedelta
    max_age: timedelta


SHARED = {*IncludeOptions.__annotations__, "warehouse_conn_id", "dataset", "ds_conn_id"}
"""Options that several of the operators take, each as it is."""


class DSWarehouseTaskGroup(TaskGroup):
    """Keep the dossiers of a démarche, or of some groups, in the tables of a warehouse.

    ::

        groupes → read (dossiers, deletions, refresh) → load → look_after (reconcile, prune, freshness) → complete

    Each run reads what the warehouse lacks (``window="incremental"``): the first run is the first load, and a run makes
    up for those that failed or never were. All deletions are read too, and the dossiers that were read longest ago are
    read again, since some changes move no date. A group that fails stops no other: the others are loaded, and
    ``complete`` makes the run red and names the tasks that failed.

    It composes as any task group does: ``group >> my_dbt`` runs after a whole success, ``group.load >> my_dbt`` also
    if some group failed. Give several groups of one landing zone and warehouse different ``group_id``. ::

        with DAG(...):
            DSWarehouseTaskGroup(demarche_number=12345, destination="s3://bucket/ds", warehouse_conn_id="dwh")

    :param group_id: the id of the task group.
    :param destination: the landing zone, any URL of Airflow's object storage. (templated)
    :param demarche_number: the démarche, all of whose groups are read, and whose form gives the wide tables all their
        columns from the first day on. (templated)
    :param groupe_instructeur_number: only these groups: a list, or the output of a task that returns one; an empty one
        is an error. Give this, ``demarche_number``, or both.
    :param warehouse_conn_id: the connection of the database; without it, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema of the database that holds the tables. (templated)
    :param ds_conn_id: the connection of the service. (templated)
    :param groupes_per_task: how many groups a mapped task reads, one after another; 10 by default.
    :param refresh_max_age: how long ago each dossier was read at most: each run reads a share of the oldest again;
        28 days by default.
    :param reconcile_every: how often all numbers and dates are compared with the service's, in whole days; 7 days by
        default, counted from the first load.
    :param retention: how long landed files are kept once they are loaded; 30 days by default.
    :param max_age: ``freshness`` fails if a group is not loaded up to that long ago; 3 days by default.
    :param include_champs: the form's answers; true by default, like the next three. (templated, like all that follow)
    :param include_annotations: the instructeurs' private fields.
    :param include_traitements: the history of states.
    :param include_instructeurs: the instructeurs who follow the dossier.
    :param include_avis: the experts' opinions; false by default, like those that follow.
    :param include_messages: the messages.
    :param include_geometry: the shapes of maps and addresses.
    :param include_labels: the labels.
    :param include_corrections: the corrections asked for.
    :param default_args: of the tasks, such as ``pool``, ``queue`` or ``retries``; by default three retries with growing
        pauses, a timeout of four hours a try, and four mapped tasks at a time.
    :raises DSConfigurationError: when the DAG is parsed, naming the parameter that cannot work.
    """

    def __init__(
        self,
        group_id: str = "warehouse",
        *,
        default_args: Mapping[str, Any] | None = None,
        prefix_group_id: bool = True,
        tooltip: str = "",
        group_display_name: str = "",
        **options: Unpack[WarehouseOptions],
    ) -> None:
        super().__init__(
            group_id=group_id,
            default_args=cast("Any", dict(default_args or {})),
            prefix_group_id=prefix_group_id,
            tooltip=tooltip or "A démarche's dossiers in the tables of a warehouse",
            group_display_name=group_display_name,
        )
        # those of the DAG and of groups around this one come before the provider's own
        self.default_args = {**CAREFUL_ARGS, **self.dag.default_args, **self.default_args}
        with self:
            add_warehouse_tasks(**options)

    @property
    def load(self) -> BaseOperator:
        """Task that loads: what comes after it runs also if some group failed."""
        return cast("BaseOperator", self.get_child_by_label("load"))


def add_warehouse_tasks(
    *,
    destination: str,
    demarche_number: int | str | None = None,
    groupe_instructeur_number: int | Sequence[int] | XComArg | None = None,
    groupes_per_task: int = 10,
    refresh_max_age: timedelta = timedelta(days=28),
    reconcile_every: timedelta = timedelta(days=7),
    retention: timedelta = timedelta(days=30),
    max_age: timedelta = timedelta(days=3),
    **shared: Any,
) -> None:
    """Add the tasks of a pipeline to the DAG or task group of the ``with`` around the call.

    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    # what is not given is the operators' own, or the default_args' of the DAG or of a group around this one
    if unknown := shared.keys() - SHARED:
        raise TypeError(f"got unexpected keyword arguments {sorted(unknown)}")
    common = {"destination": destination, **shared}
    groupes = _groupes(demarche_number, groupe_instructeur_number, groupes_per_task, common)
    load = DSLoadOperator(
        task_id="load",
        # also from tasks that failed: the summaries of the groups that landed
        manifests=[XComArg(task, key="landed") for task in _read(groupes, refresh_max_age, common)],
        demarche_number=demarche_number,
        trigger_rule=TriggerRule.ALL_DONE,
        pre_execute=skip_if_nothing_landed,
        doc_md="Merges what has landed into the tables, also if a group failed.",
        **_of(DSLoadOperator, common),
    )
    with TaskGroup("look_after", tooltip="Repair, prune and check what is loaded") as look_after:
        reconcile = DSReconcileOperator(
            task_id="reconcile",
            groupe_instructeur_number=groupes,
            every=reconcile_every,
            doc_md="Compares all numbers and dates with the service's every few days, and repairs the differences.",
            **_of(DSReconcileOperator, common),
        )
        prune = DSPruneLandingOperator(
            task_id="prune",
            retention=retention,
            # a reconciliation that failed keeps no file of an erased dossier
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
            doc_md="Removes old files that are loaded, and erased dossiers from all others.",
            **_of(DSPruneLandingOperator, common),
        )
        freshness = DSFreshnessOperator(
            task_id="freshness",
            groupe_instructeur_number=groupes,
            max_age=max_age,
            retries=0,
            doc_md="Fails if a group is not loaded from its first dossier on, or has not been for days.",
            **_of(DSFreshnessOperator, common),
        )
    load >> [reconcile, freshness]
    [load, reconcile] >> prune
    look_after >> DSCompleteOperator(
        task_id="complete",
        trigger_rule=TriggerRule.ALL_DONE,
        retries=0,
        doc_md="Fails if any task failed: its rows are not in the tables.",
    )


def _groupes(demarche: Any, groupes: Any, size: int, common: Mapping[str, Any]) -> Any:
    """Return the batches of groups that mapped tasks read: a list, or the output of a task."""
    with naming_the_line():
        batch_size = parse_number(size, "groupes_per_task")
        if groupes is None and demarche is None:
            raise DSConfigurationError("give demarche_number, groupe_instructeur_number, or both")
        if groupes is not None and not isinstance(groupes, XComArg):
            return _constant_batches(groupes, batch_size)
    if groupes is not None:
        return task(task_id="groupes")(batches_of)(groupes, batch_size)
    return DSListGroupesOperator(
        task_id="groupes",
        demarche_number=demarche,
        batch_size=batch_size,
        doc_md="Lists the groups of the démarche: a new one is read from its first night on.",
        **_of(DSListGroupesOperator, common),
    ).output


@fail_fast
def batches_of(groupes: Any, size: int) -> list[list[int]]:
    """Return group numbers in batches.

    :param groupes: a list, or batches of any size.
    :raises DSConfigurationError: if one is no number, or there is none: a fan-out over nothing would be green.
    """
    numbers, _ = parse_groupes(flatten_batches(groupes))
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]


def skip_if_nothing_landed(context: Context) -> None:
    """Skip a load that has nothing to load: the tasks that read have failed, or were skipped."""
    if not any(manifests_in(cast("Any", context["task"]).manifests)):
        raise AirflowSkipException("nothing has landed: see the tasks that read")


def _constant_batches(groupes: object, size: int) -> list[list[int]]:
    if not is_constant(groupes):
        raise DSConfigurationError(
            "groupe_instructeur_number must be a list of numbers, or the output of a task: mapped tasks are made "
            f"before a template is rendered: got {groupes!r:.100}"
        )
    return batches_of(groupes, size)


def _read(groupes: Any, refresh_max_age: timedelta, common: Mapping[str, Any]) -> list[MappedOperator]:
    """Return the tasks that read, each mapped over the batches of groups."""
    with TaskGroup("read", tooltip="Read from the service into the landing zone"):
        tasks = [
            DSExtractDossiersOperator.partial(
                task_id="dossiers",
                window="incremental",
                doc_md="Reads of each group what the warehouse lacks: all of it the first time.",
                **_of(DSExtractDossiersOperator, common),
            ),
            DSExtractDeletedDossiersOperator.partial(
                task_id="deletions",
                doc_md="Reads the deletions of each group, definitive and pending.",
                **_of(DSExtractDeletedDossiersOperator, common),
            ),
            DSRefreshDossiersOperator.partial(
                task_id="refresh",
                max_age=refresh_max_age,
                doc_md="Reads again the dossiers that were read longest ago: some changes move no date.",
                **_of(DSRefreshDossiersOperator, common),
            ),
        ]
        return [task.expand(groupe_instructeur_number=groupes) for task in tasks]


def _of(operator: type[BaseOperator], common: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the common arguments that an operator has as parameters: all of them are templated."""
    return {name: common[name] for name in operator.template_fields if name in common}
