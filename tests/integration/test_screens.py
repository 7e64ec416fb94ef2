"""What Airflow shows of mapped tasks in a real run: each instance's label, and the links to the service's pages."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from ds_provider.links import DSDemarcheLink, DSGroupesLink
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from tests.support.dag_files import midnight

pytestmark = pytest.mark.integration

# on it nothing was deposited
EMPTY_DAY = {"created_since": "2020-01-01T00:00:00Z", "created_until": "2020-01-02T00:00:00Z"}


@pytest.fixture
def dag(tmp_path) -> DAG:
    """Each group in a task of its own, and all of them in one, of which none is read."""
    with DAG("screens", schedule=None, params={"demarche": 0}) as dag:
        numbers = DSListGroupesOperator(task_id="groupes", demarche_number="{{ params.demarche }}")
        batches = DSListGroupesOperator(task_id="batches", demarche_number="{{ params.demarche }}", batch_size=3)
        zone = {"destination": tmp_path.as_uri()}
        for name, parameters in {"dossiers": {}, "mine": {"map_index_template": "{{ task.task_id }} of mine"}}.items():
            task = DSExtractDossiersOperator.partial(task_id=name, **parameters, **zone)
            task.expand(groupe_instructeur_number=numbers.output)
        deletions = DSExtractDeletedDossiersOperator.partial(task_id="deletions", **zone)
        deletions.expand(groupe_instructeur_number=numbers.output)
        idle = DSExtractDossiersOperator.partial(task_id="idle", **EMPTY_DAY, **zone)
        idle.expand(groupe_instructeur_number=batches.output)
    return dag


def shown(run: Any, task_id: str, value: Any) -> list[Any]:
    """Return something of each mapped task, in the order of their indexes."""
    tasks = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    return [value(ti) for ti in sorted(tasks, key=lambda ti: ti.map_index)]


def link(kind: type) -> Any:
    key = kind().xcom_key
    return lambda ti: ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, key=key)


def test_mapped_tasks_show_their_groups_and_link_to_their_pages(sandbox, connection, run_dag, dag):
    run = run_dag(dag, logical_date=midnight("2026-11-19"), run_conf={"demarche": sandbox.demarche})
    assert run.state == "success"

    groupes = sorted(sandbox.world.demarche.groupes, key=lambda groupe: groupe.number)
    labels = [f"{groupe.label} ({groupe.number})" for groupe in groupes]
    for task_id in ("dossiers", "deletions"):
        assert shown(run, task_id, lambda ti: ti.rendered_map_index) == labels
    assert shown(run, "mine", lambda ti: ti.rendered_map_index) == ["mine of mine"] * 3
    (idle,) = shown(run, "idle", lambda ti: ti.rendered_map_index)
    assert idle == f"3 groups: {', '.join(groupe.label for groupe in groupes)}"

    site = sandbox.url.removesuffix("/api/v2/graphql")
    for task_id in ("dossiers", "deletions"):
        assert shown(run, task_id, link(DSDemarcheLink)) == [f"{site}/procedures/{sandbox.demarche}"] * 3
        pages = [f"{site}/admin/procedures/{sandbox.demarche}/groupe_instructeurs/{one.number}" for one in groupes]
        assert shown(run, task_id, link(DSGroupesLink)) == pages
    assert shown(run, "idle", link(DSDemarcheLink)) == [f"{site}/procedures/{sandbox.demarche}"]
