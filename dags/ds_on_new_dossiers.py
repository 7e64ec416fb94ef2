"""
### Dossiers in a warehouse, within a minute of their deposit

A watcher in the triggerer looks at the groups every half minute, in one light request for all of them. When a dossier
was deposited, changed or moved into one of them, a run reads what is new there and loads it into the tables of
`ds_warehouse_daily`, which goes on to look after deletions and after what moves no date. Where nothing happens, nothing
runs.

What the event says is not what is read: the task goes on from where it ended last, which its asset `ds_read_on_event`
remembers for each group. An event that is lost or comes twice is made up for by the next one. The first run reads the
groups whole.

**To make it yours**: put your group numbers in `GROUPES`, your landing zone in `destination`; in `WAREHOUSE` the
connection of your database, or nothing for a DuckDB file in Airflow's home. The watcher needs a running triggerer.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, AssetWatcher, Param, dag

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.retry_policy import DS_RETRY_POLICY
from ds_provider.triggers.dossiers import DSDossierEventTrigger

# not a parameter of the run: the watcher is there before any run is
GROUPES = [1, 2, 3]
WAREHOUSE = {"warehouse_conn_id": None}
PARTS = {"include_messages": True, "include_avis": True, "include_labels": True, "include_corrections": True}

WATCHER = AssetWatcher(
    name="ds_dossiers",
    trigger=DSDossierEventTrigger(groupe_instructeur_number=GROUPES, on="updated", poll_interval=30),
)
# not what the run itself changes: it would start another one
NOTICED = Asset("ds_noticed", watchers=[WATCHER])
READ = Asset("ds_read_on_event")


@dag(
    schedule=[NOTICED],
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    # what comes meanwhile is for the next run
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_policy": DS_RETRY_POLICY,
        "execution_timeout": timedelta(minutes=50),
    },
    params={"destination": Param("file:///opt/airflow/landing", type="string", title="Landing zone")},
    doc_md=__doc__,
    tags=["ds", "example", "warehouse"],
)
def ds_on_new_dossiers():
    dossiers = DSExtractDossiersOperator(
        task_id="dossiers",
        # all groups in one task: those in which nothing changed share one request
        groupe_instructeur_number=GROUPES,
        destination="{{ params.destination }}",
        window="updated",
        outlets=[READ],
        **PARTS,
    )
    DSLoadOperator(task_id="load", manifests=dossiers.output, **WAREHOUSE)


ds_on_new_dossiers()
