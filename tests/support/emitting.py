"""An Airflow with its own home, in which OpenLineage's provider emits events: it reads its settings at import.

``python -m tests.support.emitting <group> <destination>`` runs one DAG: dossiers and deletions of the group, and
dossiers of the group and of an unknown group, into a landing zone and into the warehouse in Airflow's home.
"""

from __future__ import annotations

import os
import sys

import pendulum
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.sdk import DAG, TriggerRule, XComArg
from airflow.utils.db import initdb

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator

DAG_ID = "ds_emits_lineage"
NO_GROUP = 999_999_999


def dag_of(groupe: int, destination: str) -> DAG:
    zone = {"destination": destination}
    with DAG(DAG_ID, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris")) as dag:
        dossiers = DSExtractDossiersOperator(task_id="dossiers", groupe_instructeur_number=groupe, **zone)
        deletions = DSExtractDeletedDossiersOperator(task_id="deletions", groupe_instructeur_number=groupe, **zone)
        half = DSExtractDossiersOperator(
            task_id="half", groupe_instructeur_number=[groupe, NO_GROUP], state="accepte", **zone
        )
        manifests = [XComArg(task, key="landed") for task in (dossiers, deletions, half)]
        DSLoadOperator(task_id="load", manifests=manifests, trigger_rule=TriggerRule.ALL_DONE)
    return dag


def main(groupe: int, destination: str) -> None:
    initdb()
    dag = dag_of(groupe, destination)
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    dag.test()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
