"""Defaults that all operators of a pipeline share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.hooks.ds import DSHook
from ds_provider.retry_policy import DS_DEFAULT_ARGS

if TYPE_CHECKING:
    from typing_extensions import Unpack

CAREFUL_ARGS: dict[str, Any] = {
    **DS_DEFAULT_ARGS,
    "execution_timeout": timedelta(hours=4),
    # over all runs: all jobs that use the token share its 400 requests a minute
    "max_active_tis_per_dag": 4,
}
"""Settings of tasks for a whole pipeline: retries, a timeout of a try, and how many of a mapped task run at a time."""


class IncludeOptions(TypedDict, total=False):
    """Parts of dossiers, all of them optional; the operators have the defaults."""

    include_champs: bool | str
    include_annotations: bool | str
    include_traitements: bool | str
    include_instructeurs: bool | str
    include_avis: bool | str
    include_messages: bool | str
    include_geometry: bool | str
    include_labels: bool | str
    include_corrections: bool | str


def ds_default_args(
    *,
    destination: str,
    warehouse_conn_id: str | None = None,
    dataset: str = DEFAULT_DATASET,
    ds_conn_id: str = DSHook.default_conn_name,
    **includes: Unpack[IncludeOptions],
) -> dict[str, Any]:
    """Return the ``default_args`` of a DAG whose operators read into one landing zone and load into one warehouse.

    Airflow gives each operator those that it has as parameters, so each is written once. Retries are those of
    :data:`~ds_provider.retry_policy.DS_DEFAULT_ARGS`; a try ends after four hours, and the next one resumes from what
    has landed; of a mapped task four run at a time. ::

        @dag(default_args=ds_default_args(destination="file:///data/ds", include_messages=True), ...)

    Operators of other providers take a default of the same name too: give them ``destination`` of their own.

    :param destination: the landing zone, any URL of Airflow's object storage.
    :param warehouse_conn_id: the connection of the database; without it, a DuckDB file in Airflow's home.
    :param dataset: the schema of the database that holds the tables.
    :param ds_conn_id: the connection of the service.
    :param include_champs: the form's answers; true by default, like the next three.
    :param include_annotations: the instructeurs' private fields.
    :param include_traitements: the history of states.
    :param include_instructeurs: the instructeurs who follow the dossier.
    :param include_avis: the experts' opinions; false by default, like those that follow.
    :param include_messages: the messages.
    :param include_geometry: the shapes of maps and addresses.
    :param include_labels: the labels.
    :param include_corrections: the corrections asked for.
    """
    if unknown := includes.keys() - IncludeOptions.__annotations__.keys():
        raise TypeError(f"ds_default_args() got unexpected keyword arguments {sorted(unknown)}")
    where = {"warehouse_conn_id": warehouse_conn_id, "dataset": dataset, "ds_conn_id": ds_conn_id}
    return {"destination": destination, **where, **includes, **CAREFUL_ARGS}
