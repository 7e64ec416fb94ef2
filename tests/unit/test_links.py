"""Links to the service's own pages: only if the démarche is known, and with the connection's host alone."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG

from ds_provider.links import DSDemarcheLink, DSGroupesLink
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from tests.support.operator_service import unauthorized
from tests.support.operator_warehouse import context

SITE = "https://service.test:8443"
TOKEN = "a-secret-token"
DOSSIERS_PAGE = f"{SITE}/procedures/12"
GROUPES_PAGE = f"{SITE}/admin/procedures/12/groupe_instructeurs"


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    value = {"conn_type": "ds", "host": f"{SITE}/api/v2/graphql", "password": TOKEN}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(value))


def links_of(task, running=None):
    return [link.get_link(task, ti_key=running) for link in task.operator_extra_links]


def extract(groupe, destination, kind=DSExtractDossiersOperator):
    return kind(task_id="e", groupe_instructeur_number=groupe, destination=destination)


@pytest.mark.parametrize("number", [12, "12"])
def test_list_of_groups_links_to_both_pages(number):
    assert links_of(DSListGroupesOperator(task_id="g", demarche_number=number)) == [DOSSIERS_PAGE, GROUPES_PAGE]


def test_extraction_of_one_group_links_to_its_own_page(world, destination):
    task = extract(7, destination)
    task.execute(context())
    asked = len(world.service.requests)
    assert links_of(task) == [DOSSIERS_PAGE, f"{GROUPES_PAGE}/7"]
    assert len(world.service.requests) == asked


def test_extraction_of_a_list_of_one_group_links_to_its_own_page(world, destination):
    task = extract([7], destination)
    task.execute(context())
    assert links_of(task) == [DOSSIERS_PAGE, f"{GROUPES_PAGE}/7"]


def test_extraction_of_several_groups_of_one_demarche_links_to_all_its_groups(world, destination):
    task = extract([7, 8], destination)
    task.execute(context())
    assert links_of(task) == [DOSSIERS_PAGE, GROUPES_PAGE]


def test_extraction_of_a_list_links_by_the_groups_that_did_not_fail(world, destination):
    world.service.fails(8, lambda request: unauthorized())
    task = extract([7, 8], destination)
    with pytest.raises(Exception, match="1 of 2"):
        task.execute(context())
    assert links_of(task) == [DOSSIERS_PAGE, GROUPES_PAGE]


def test_unknown_demarche_gives_no_link(world, destination):
    deletions = extract(7, destination, DSExtractDeletedDossiersOperator)
    deletions.execute(context())
    assert links_of(deletions) == ["", ""], "a deletion does not say of which démarche it was"
    for number in range(700, 710):
        world.expire(number)
    empty = extract(7, destination)
    empty.execute(context())
    assert links_of(empty) == ["", ""]
    assert links_of(extract(7, destination)) == ["", ""], "it has not run"


def test_several_demarches_give_no_link(destination):
    task = extract([7, 8], destination)
    task.landed = [{"demarche_number": number} for number in (12, 13, None)]
    assert links_of(task) == ["", ""]


@pytest.mark.parametrize("kind", [DSExtractDossiersOperator, DSExtractDeletedDossiersOperator, DSReconcileOperator])
def test_task_that_read_no_dossier_links_by_the_list_of_groups_before_it(destination, kind):
    with DAG("links", schedule=None):
        groupes = DSListGroupesOperator(task_id="g", demarche_number=12)
        task = extract(7, destination, kind)
        groupes >> DSLoadOperator(task_id="l", manifests=[]) >> task
    assert links_of(task) == [DOSSIERS_PAGE, f"{GROUPES_PAGE}/7"]


def test_template_of_the_list_of_groups_is_rendered(destination):
    with DAG("links", schedule=None):
        groupes = DSListGroupesOperator(task_id="g", demarche_number="{{ params.demarche }}")
        task = extract(7, destination, DSExtractDeletedDossiersOperator)
        groupes >> task
    running = SimpleNamespace(get_template_context=lambda: {"params": {"demarche": 12}})
    assert links_of(task, running) == [DOSSIERS_PAGE, f"{GROUPES_PAGE}/7"]
    assert links_of(task) == ["", ""], "a link never fails"


def test_lists_of_two_demarches_give_no_link(destination):
    with DAG("links", schedule=None):
        task = extract([7, 8], destination)
        [DSListGroupesOperator(task_id=f"g{number}", demarche_number=number) for number in (12, 13)] >> task
    assert links_of(task) == ["", ""]


@pytest.mark.parametrize(
    ("number", "links"),
    [
        (12, [DOSSIERS_PAGE, GROUPES_PAGE]),
        ([12], [DOSSIERS_PAGE, GROUPES_PAGE]),
        ([12, 13], ["", ""]),
        (None, ["", ""]),
    ],
)
def test_load_links_to_the_pages_of_its_one_demarche(number, links):
    assert links_of(DSLoadOperator(task_id="l", manifests=[], demarche_number=number)) == links


def test_load_links_by_the_dossiers_that_it_loaded(world, destination):
    loading = DSLoadOperator(task_id="l", manifests=extract(7, destination).execute(context()))
    loading.execute(context())
    assert links_of(loading) == [DOSSIERS_PAGE, GROUPES_PAGE]


@pytest.mark.parametrize("value", [None, '{"conn_type": "ds", "host": "no host"}'])
def test_invalid_connection_gives_no_link_and_no_second_error(monkeypatch, value):
    if value:
        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value)
    else:
        monkeypatch.delenv("AIRFLOW_CONN_DS_DEFAULT")
    assert links_of(DSListGroupesOperator(task_id="g", demarche_number=12)) == ["", ""]


def test_invalid_number_gives_no_link():
    assert links_of(DSListGroupesOperator(task_id="g", demarche_number="{{ params.x }}")) == ["", ""]


def test_links_have_different_names():
    assert DSDemarcheLink().name != DSGroupesLink().name
