"""
### A démarche's dossiers in a warehouse, night by night

Every night reads from each group what the warehouse lacks, and all deletions, and loads them into typed tables. These
hold each dossier once, in its last version. The first night is the first load. A night that failed, a day without a
run and a new group need nobody: the next night makes up for them.

A share of the dossiers that were read longest ago is read again each night, since some changes move no date. Every
seven days all numbers and dates are compared with the service's. A dossier that is deleted for good is erased from all
tables, and from the files when they are pruned.

A group that fails stops no other group: the others are loaded, and the run ends red. Begin with the log of `complete`,
which names the tasks that failed.

**To make it yours**: put the démarche's number and your landing zone in the defaults of `params`, and the connection of
your database in `warehouse_conn_id`; without it, the tables are in a DuckDB file in Airflow's home.
"""

from airflow.sdk import Param

from ds_provider.task_groups import DSWarehouseDag

DSWarehouseDag(
    "ds_warehouse_daily",
    dag_display_name="Démarche to warehouse, every night",
    demarche_number="{{ params.demarche_number or '<the number of your démarche, in params>' }}",
    destination="{{ params.destination }}",
    warehouse_conn_id=None,
    include_messages=True,
    include_avis=True,
    include_labels=True,
    include_corrections=True,
    params={
        "demarche_number": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Démarche",
            description="Its number, as in the address of its page: …/procedures/12345. All its groups are read.",
        ),
        "destination": Param(
            "file:///opt/airflow/landing",
            type="string",
            title="Landing zone",
            description="Where files are kept that all workers can reach: file:///…, s3://bucket/…, gs://bucket/…",
        ),
    },
    doc_md=__doc__,
    tags=["ds", "example", "warehouse"],
)
