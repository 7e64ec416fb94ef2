"""DAG that is one pipeline: a démarche's dossiers in the tables of a warehouse, every night."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum
from airflow.sdk import DAG

from ds_provider.api.query.parameters import parse_groupes
from ds_provider.parameter_checks import is_constant, naming_the_line
from ds_provider.task_groups.defaults import CAREFUL_ARGS
from ds_provider.task_groups.warehouse import WarehouseOptions, add_warehouse_tasks

# schedules are of this time zone
START = pendulum.datetime(2026, 1, 1, tz="Europe/Paris")
FIRST_HOUR, HOURS = 3, 3

DOC = """
Every night reads what the warehouse lacks of each group, and loads it into the tables: the first night is the first
load, and a night makes up for those that failed or never were.

| task | what it does |
|---|---|
| `groupes` | lists the groups of the démarche |
| `read` | reads dossiers, deletions, and again the dossiers that were read longest ago, into the landing zone |
| `load` | merges what has landed into the tables, also if a group failed |
| `look_after` | reconciles with the service, prunes old files, checks that each group is loaded from its start |
| `complete` | fails if any task failed: begin with its log, which names them |
"""


class DSWarehouseDag(DAG):
    """Keep the dossiers of a démarche, or of some groups, in the tables of a warehouse, every night.

    The tasks are those of :class:`~ds_provider.task_groups.DSWarehouseTaskGroup`, and so are the options; all others
    are those of :class:`airflow.sdk.DAG`. A file of six lines is a complete pipeline. Airflow reads only files that
    hold the words "airflow" and "dag": a comment is enough. ::

        # an Airflow DAG
        from ds_provider.task_groups import DSWarehouseDag

        DSWarehouseDag("my_warehouse", demarche_number=12345, destination="file:///data/ds")

    :param dag_id: the id of the DAG.
    :param schedule: when it runs. By default once a night between three and six o'clock in Paris, at a minute that
        follows from the démarche's number: not all warehouses ask the service at once.
    :param start_date: its time zone is the schedule's; by default the start of 2026 in Paris.
    :param catchup: false by default, since a run makes up for those that never were.
    :param max_active_runs: 1 by default, since two runs would read the same.
    :param default_args: of the tasks, as for the task group.
    :param doc_md: by default a page on the tasks.
    :param kwargs: options of :class:`~ds_provider.task_groups.DSWarehouseTaskGroup` (``demarche_number``,
        ``destination``, …) and of :class:`airflow.sdk.DAG` (``params``, ``tags``, ``on_failure_callback``, …).
    :raises DSConfigurationError: when the DAG is parsed, naming the parameter that cannot work.
    """

    def __init__(
        self,
        dag_id: str,
        *,
        schedule: Any = ...,
        start_date: datetime = START,
        catchup: bool = False,
        max_active_runs: int = 1,
        default_args: dict[str, Any] | None = None,
        doc_md: str | None = DOC,
        **kwargs: Any,
    ) -> None:
        options = {name: kwargs.pop(name) for name in WarehouseOptions.__annotations__ if name in kwargs}
        super().__init__(
            dag_id,
            schedule=nightly(options) if schedule is ... else schedule,
            start_date=start_date,
            catchup=catchup,
            max_active_runs=max_active_runs,
            default_args={**CAREFUL_ARGS, **(default_args or {})},
            doc_md=doc_md,
            **kwargs,
        )
        with self:
            add_warehouse_tasks(**options)


def nightly(options: dict[str, Any]) -> str:
    """Return a cron expression: a minute of the night that follows from the démarche, or from its first group.

    What is known only when a run begins leaves it at the first minute.
    """
    minute_of_night = 0
    for name in ("demarche_number", "groupe_instructeur_number"):
        if (given := options.get(name)) is not None and is_constant(given):
            with naming_the_line():
                minute_of_night = parse_groupes(given, name)[0][0] % (HOURS * 60)
            break
    hour, minute = divmod(minute_of_night, 60)
    return f"{minute} {FIRST_HOUR + hour} * * *"
