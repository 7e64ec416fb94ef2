"""Lineage: datasets by OpenLineage's naming, each once, without any request."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from airflow.providers.openlineage.utils.utils import translate_airflow_asset
from hypothesis import given
from hypothesis import strategies as st

from ds_provider import openlineage as lineage
from ds_provider.assets import deleted_dossiers_asset, dossiers_asset
from ds_provider.openlineage import Dataset, Lineage
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.tables.descriptions import column_description
from ds_provider.tables.schemas import DOSSIERS
from ds_provider.warehouse.database.destinations import ConnectionFields, destination_of, duckdb_file
from tests.support.operator_service import unauthorized
from tests.support.operator_warehouse import context

SERVICE = "https://service.test"
API = f"{SERVICE}/api/v2/graphql"


def names(datasets):
    return [(one.namespace, one.name) for one in datasets]


def rows(datasets):
    facets = [one.outputFacets if hasattr(one, "outputFacets") else one.inputFacets for one in datasets]
    return [next(iter(facet.values())).rowCount for facet in facets if facet]


@pytest.mark.parametrize(
    ("destination", "namespace", "name"),
    [
        ("file:///data/ds", "file", "/data/ds/groupe-7/dossiers"),
        ("/data/ds/", "file", "/data/ds/groupe-7/dossiers"),
        ("s3://bucket/ds", "s3://bucket", "ds/groupe-7/dossiers"),
        ("s3://my_conn@bucket/ds", "s3://bucket", "ds/groupe-7/dossiers"),
        ("s3a://bucket/ds", "s3://bucket", "ds/groupe-7/dossiers"),
        ("gcs://bucket", "gs://bucket", "groupe-7/dossiers"),
    ],
)
def test_all_windows_of_a_stream_share_one_folder_named_after_the_storage(destination, namespace, name):
    (before,) = lineage.planned(destination, [7], ["dossiers"]).outputs
    folder = f"{destination.rstrip('/')}/groupe-7/dossiers"
    manifests = [f"{folder}/{window}/manifest.json" for window in ("full", "updated_open_20261101T000000Z")]
    found = lineage.landed(API, [{"manifest": url, "rows": 2} for url in manifests])
    assert {(namespace, name)} == set(names([before, *found.outputs, *lineage.to_be_loaded(manifests).inputs]))
    assert names(found.inputs) == [(SERVICE, "groupes-instructeurs/7/dossiers")] * 2


def test_both_lists_of_deletions_have_one_source():
    folder = "file:///zone/groupe-7"
    summary = {"manifest": f"{folder}/deleted_dossiers/full/manifest.json", "rows": 3}
    pending = {"manifest_pending": f"{folder}/pending_deleted_dossiers/full/manifest.json", "rows_pending": 4}
    event = lineage.facets(lineage.landed(API, [summary | pending]))
    assert names(event.inputs) == [(SERVICE, "groupes-instructeurs/7/deleted_dossiers")]
    assert rows(event.inputs) == [7]
    assert rows(event.outputs) == [3, 4]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"host": "db.test", "port": 6543}, ("postgres://db.test:6543", "my base")),
        ({"host": ""}, ("postgres://localhost:5432", "my base")),
        ({"host": "/run/postgres"}, ("postgres://localhost:5432", "my base")),
        ({"host": "2001:db8::1"}, ("postgres://[2001:db8::1]:5432", "my base")),
    ],
)
def test_postgres_is_named_without_user_and_password(fields, place):
    made = ConnectionFields("postgres", login="someone", password="s3cret/@:", schema="my base", **fields)
    assert lineage.database_names(destination_of(made)) == place


def test_duckdb_is_named_after_its_file(tmp_path):
    assert lineage.database_names(duckdb_file(tmp_path / "ds.duckdb")) == (f"duckdb://{tmp_path}/ds.duckdb", "ds")


def test_tables_of_other_databases_are_left_out():
    destination = destination_of(ConnectionFields("clickhouse", host="db.test"))
    warehouse = SimpleNamespace(destination=destination, dataset="d")
    report = SimpleNamespace(rows={"dossiers": 1}, erased=0)
    assert lineage.loaded(warehouse, [], report) == Lineage()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("erased", "expected"), [(0, ["dossiers", "demarche_7"]), (1, ["dossiers", "avis", "demarche_7"])]
)
def test_load_lists_the_tables_that_it_changed(erased, expected, tmp_path):
    warehouse = SimpleNamespace(destination=duckdb_file(tmp_path / "ds.duckdb"), dataset="d")
    report = SimpleNamespace(rows={"dossiers": 2, "avis": 0, "demarche_7": 2}, erased=erased)
    found = lineage.loaded(warehouse, [], report)  # type: ignore[arg-type]
    assert [one.name for one in found.outputs] == [f"ds.d.{table}" for table in expected]
    columns = {one.name: one.columns for one in found.outputs}
    assert list(columns["ds.d.dossiers"]) == list(DOSSIERS.columns)
    kinds = {name: kind for name, (kind, _) in columns["ds.d.dossiers"].items()}
    assert {name for name, kind in kinds.items() if kind == "json"} == set(DOSSIERS.json)
    assert columns["ds.d.dossiers"]["state"][1] == column_description("dossiers", "state")
    assert columns["ds.d.demarche_7"] == {}, "what is in a wide table is known to the database alone"


counts = st.one_of(st.none(), st.integers(0, 2**40))
places = st.sampled_from([("file", "/a"), ("file", "/b"), ("s3://c", "a")])
datasets = st.lists(st.builds(lambda place, *of: Dataset(*place, *of), places, counts, counts, counts))


@given(datasets)
def test_each_dataset_is_listed_once_with_all_its_rows(given_ones):
    event = lineage.facets(Lineage(outputs=given_ones)).outputs
    assert names(event) == list(dict.fromkeys(names(given_ones)))
    for one in event:
        parts = [each.rows for each in given_ones if (each.namespace, each.name) == (one.namespace, one.name)]
        expected = None if None in parts else sum(part for part in parts if part is not None)
        assert (rows([one]) or [None]) == [expected]


def test_event_size_is_bounded():
    found = lineage.to_be_loaded(f"file:///zone/groupe-{number}/dossiers/full/manifest.json" for number in range(3000))
    event = lineage.facets(found)
    assert len(event.inputs) == lineage.MAX_DATASETS
    assert len(str(event)) < 500_000


@pytest.mark.parametrize(
    ("asset", "stream"), [(dossiers_asset, "dossiers"), (deleted_dossiers_asset, "deleted_dossiers")]
)
def test_asset_of_a_group_is_the_source_of_its_extraction(asset, stream):
    manifest = {"manifest": f"file:///zone/groupe-7/{stream}/full/manifest.json", "rows": 0}
    (read,) = lineage.landed(API, [manifest]).inputs
    converted = translate_airflow_asset(asset(7, API), None)
    assert converted is not None
    assert (converted.namespace, converted.name) == (read.namespace, read.name)


def test_tasks_report_lineage_at_start_and_at_completion(world, hooks, destination, monkeypatch):
    task = DSExtractDossiersOperator(task_id="e", groupe_instructeur_number="7", destination=destination)
    before = task.get_openlineage_facets_on_start()
    summary = task.execute(context())
    asked = len(world.service.requests)
    after = task.get_openlineage_facets_on_complete(None)
    assert len(world.service.requests) == asked
    assert names(before.outputs) == names(after.outputs)
    assert (rows(before.outputs), rows(after.outputs)) == ([], [10])
    assert names(after.inputs) == [(SERVICE, "groupes-instructeurs/7/dossiers")]

    load = DSLoadOperator(task_id="l", manifests=summary)
    assert names(load.get_openlineage_facets_on_start().inputs) == names(after.outputs)


def test_failed_task_reports_the_groups_that_were_landed(world, destination):
    world.service.fails(8, lambda request: unauthorized())
    task = DSExtractDossiersOperator(task_id="e", groupe_instructeur_number=[7, 8], destination=destination)
    with pytest.raises(Exception, match="1 of 2"):
        task.execute(context())
    assert names(task.get_openlineage_facets_on_failure(None).inputs) == [(SERVICE, "groupes-instructeurs/7/dossiers")]


def test_failed_task_without_extracts_reports_what_it_planned(world, destination):
    world.service.fails(7, lambda request: unauthorized())
    task = DSExtractDeletedDossiersOperator(task_id="e", groupe_instructeur_number=7, destination=destination)
    with pytest.raises(Exception, match="7"):
        task.execute(context())
    event = task.get_openlineage_facets_on_failure(None)
    assert [one.name.rsplit("/", 1)[1] for one in event.outputs] == ["pending_deleted_dossiers", "deleted_dossiers"]
    assert event.inputs == rows(event.outputs) == []


def test_reconciliation_without_repairs_reports_nothing():
    task = DSReconcileOperator(task_id="r", groupe_instructeur_number=[7], destination="file:///zone")
    event = task.get_openlineage_facets_on_complete(None)
    assert event.inputs == event.outputs == []


def test_operators_work_without_openlineage(world, destination, monkeypatch):
    for module in ("openlineage", "openlineage.client", "airflow.providers.openlineage"):
        monkeypatch.setitem(sys.modules, module, None)
    task = DSExtractDossiersOperator(task_id="e", groupe_instructeur_number=7, destination=destination)
    assert task.execute(context())["rows"] == 10


def test_dag_file_is_parsed_without_openlineage():
    operators = (f"operators.{name}" for name in ("extract", "load", "refresh", "reconcile", "groupes"))
    imports = "; ".join(f"import ds_provider.{module}" for module in (*operators, "openlineage", "links"))
    # Airflow itself looks at all providers that are installed, but only once
    gone = "sys.modules['openlineage'] = sys.modules['airflow.providers.openlineage'] = None"
    code = f"import sys; import airflow.configuration; {gone}; {imports}"
    subprocess.run([sys.executable, "-c", code], check=True)
