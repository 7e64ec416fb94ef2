"""The DAGs in ``dags/``, loaded for a test, and the dossiers that the sandbox shows in a window."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ds_provider.sandbox import Sandbox

DAGS = Path(__file__).parents[2] / "dags"
PARIS = ZoneInfo("Europe/Paris")


def load(name: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS / f"{name}.py"), bundle_name="dags-folder")
    assert not bag.import_errors
    dag = bag.dags[name]
    for task in dag.tasks:
        # a retry would wait for minutes
        task.retries = 0
    return dag


def midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=PARIS)


def micros(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


def shown(sandbox: Sandbox, groupe: int, column: str, start: datetime, end: datetime) -> set[int]:
    """Return the dossiers that the service shows in a group and window."""
    every = sandbox.world.dossiers.values()
    visible = (dossier for dossier in every if dossier.visible and dossier.groupe.number == groupe)
    return {d.number for d in visible if micros(start) <= getattr(d, column) < micros(end)}


def states_of(dag_run: Any) -> dict[str, str]:
    """Return the states of a run's tasks; of a mapped one, that of the last of its instances."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id)
        return {task.task_id: str(task.state) for task in session.scalars(query)}
