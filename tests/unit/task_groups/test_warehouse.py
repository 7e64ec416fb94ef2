"""The task group is a whole pipeline, takes its parts once, and composes with other tasks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from airflow.sdk import DAG, TaskGroup, task

from ds_provider.exceptions import DSConfigurationError
from ds_provider.retry_policy import DS_RETRY_POLICY
from ds_provider.task_groups import DSWarehouseDag, DSWarehouseTaskGroup, ds_default_args
from ds_provider.task_groups.warehouse import batches_of

WHERE = {"destination": "file:///data/ds"}
EVERY_TASK = {
    "groupes",
    "read.dossiers",
    "read.deletions",
    "read.refresh",
    "load",
    "look_after.reconcile",
    "look_after.prune",
    "look_after.freshness",
    "complete",
}


def group(default_args=None, dag_default_args=None, **options):
    """Return the DAG of one task group."""
    with DAG("d", schedule=None, default_args=dag_default_args or {}) as dag:
        DSWarehouseTaskGroup(**({"demarche_number": 1} | WHERE | options), default_args=default_args)
    return dag


def value(operator, name):
    """Return a parameter, of a mapped task or another."""
    return operator.partial_kwargs.get(name) if operator.is_mapped else getattr(operator, name)


def tasks_with(dag, name):
    return [each for each in dag.tasks if name in each.template_fields]


def test_pipeline_reads_loads_looks_after_and_ends_with_one_task():
    dag = group()
    assert set(dag.task_ids) == {f"warehouse.{name}" for name in EVERY_TASK}
    assert [each.task_id for each in dag.roots] == ["warehouse.groupes"]
    assert [each.task_id for each in dag.leaves] == ["warehouse.complete"]
    assert dag.get_task("warehouse.complete").get_flat_relative_ids(upstream=True) == set(dag.task_ids) - {
        "warehouse.complete"
    }


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("destination", "s3://bucket/ds"),
        ("warehouse_conn_id", "dwh"),
        ("dataset", "mine"),
        ("ds_conn_id", "other"),
        ("include_messages", True),
        ("include_champs", False),
        ("include_geometry", "{{ params.map }}"),
    ],
)
def test_what_operators_share_is_given_once_and_reaches_all_that_have_it(name, given):
    having = tasks_with(group(**{name: given}), name)
    assert len(having) > 2
    assert {value(each, name) for each in having} == {given}


def test_incremental_reading_needs_no_schedule():
    dossiers = group().get_task("warehouse.read.dossiers")
    assert value(dossiers, "window") == "incremental"


def test_periods_reach_their_tasks():
    days = [timedelta(days=number) for number in (5, 6, 7, 8)]
    dag = group(refresh_max_age=days[0], reconcile_every=days[1], retention=days[2], max_age=days[3])
    assert value(dag.get_task("warehouse.read.refresh"), "max_age") == days[0]
    assert dag.get_task("warehouse.look_after.reconcile").every == days[1]
    assert dag.get_task("warehouse.look_after.prune").retention == days[2]
    assert dag.get_task("warehouse.look_after.freshness").max_age == days[3]


def test_groups_are_read_in_batches_without_a_list_from_the_service():
    dag = group(demarche_number=None, groupe_instructeur_number=range(1, 26), groupes_per_task=10)
    assert "warehouse.groupes" not in dag.task_ids
    batches = dag.get_task("warehouse.read.dossiers").expand_input.value["groupe_instructeur_number"]
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [number for batch in batches for number in batch] == list(range(1, 26))


def test_groups_may_come_from_another_task():
    with DAG("d", schedule=None) as dag:

        @task
        def chosen():
            return [1, 2]

        DSWarehouseTaskGroup(groupe_instructeur_number=chosen(), **WHERE)
    assert dag.get_task("warehouse.groupes").upstream_task_ids == {"chosen"}
    assert dag.get_task("warehouse.read.dossiers").upstream_task_ids == {"warehouse.groupes"}


@pytest.mark.parametrize("chosen", [range(1, 6), [[1, 2, 3], [4, 5]], [[1], [2], [3], [4], [5]]])
def test_groups_of_another_task_are_read_in_batches(chosen):
    assert batches_of(list(chosen), 2) == [[1, 2], [3, 4], [5]]


@pytest.mark.parametrize("nothing", [[], [[]], None])
def test_other_task_that_gives_no_group_is_an_error(nothing):
    with pytest.raises(DSConfigurationError, match="groupe_instructeur_number"):
        batches_of(nothing, 2)


@pytest.mark.parametrize("make", ["group", "dag"])
def test_what_the_dag_gives_as_default_reaches_the_operators(make):
    given = ds_default_args(warehouse_conn_id="dwh", dataset="mine", ds_conn_id="other", include_messages=True, **WHERE)
    dag = DSWarehouseDag("d", demarche_number=1, default_args=given, **WHERE) if make == "dag" else group(None, given)
    prefix = "" if make == "dag" else "warehouse."
    load = dag.get_task(f"{prefix}load")
    assert (load.warehouse_conn_id, load.dataset, load.ds_conn_id) == ("dwh", "mine", "other")
    dossiers = dag.get_task(f"{prefix}read.dossiers").unmap({"groupe_instructeur_number": [1]})
    assert (dossiers.warehouse_conn_id, dossiers.ds_conn_id, dossiers.include_messages) == ("dwh", "other", True)


def test_some_groups_of_a_demarche_are_loaded_with_its_form():
    dag = group(groupe_instructeur_number=[7])
    assert "warehouse.groupes" not in dag.task_ids
    assert dag.get_task("warehouse.load").demarche_number == 1


def test_several_pipelines_stand_between_the_tasks_of_a_dag():
    with DAG("d", schedule=None) as dag:
        first, last = task(lambda: None, task_id="first")(), task(lambda: None, task_id="last")()
        pipelines = [DSWarehouseTaskGroup(f"demarche_{n}", demarche_number=n, **WHERE) for n in (1, 2)]
        first >> pipelines >> last
        pipelines[0].load >> task(lambda: None, task_id="early")()
    assert dag.get_task("first").downstream_task_ids == {"demarche_1.groupes", "demarche_2.groupes"}
    assert dag.get_task("last").upstream_task_ids == {"demarche_1.complete", "demarche_2.complete"}
    assert dag.get_task("early").upstream_task_ids == {"demarche_1.load"}


def test_group_nests_and_may_leave_its_prefix_out():
    with DAG("d", schedule=None) as dag, TaskGroup("night"):
        DSWarehouseTaskGroup(demarche_number=1, prefix_group_id=False, **WHERE)
    assert set(dag.task_ids) == EVERY_TASK


def test_default_args_of_the_group_precede_those_of_the_dag_and_both_the_careful_ones():
    given = {"pool": "public", "queue": "slow", "max_active_tis_per_dag": 2}
    dag = group(given, {"retries": 7, "queue": "quick", "owner": "me"})
    for each in dag.tasks:
        assert (each.pool, each.queue, each.owner, each.max_active_tis_per_dag) == ("public", "slow", "me", 2)
        assert each.retry_policy is not None
    dossiers = dag.get_task("warehouse.read.dossiers")
    assert (dossiers.retries, dossiers.execution_timeout) == (7, timedelta(hours=4))
    # a check that failed fails again
    assert dag.get_task("warehouse.complete").retries == dag.get_task("warehouse.look_after.freshness").retries == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"demarche_number": None}, "give demarche_number, groupe_instructeur_number, or both"),
        ({"demarche_number": "abc"}, "demarche_number must be a number"),
        ({"groupe_instructeur_number": []}, "groupe_instructeur_number is an empty list"),
        ({"groupe_instructeur_number": ["x"]}, "groupe_instructeur_number must be a number"),
        ({"groupe_instructeur_number": "{{ params.groupes }}"}, "or the output of a task"),
        ({"groupes_per_task": 0}, "groupes_per_task must be between 1"),
        ({"reconcile_every": timedelta(hours=36)}, "every must be a timedelta of whole days"),
        ({"reconcile_every": 7}, "every must be a timedelta"),
        ({"retention": timedelta(0)}, "retention must be a timedelta above zero"),
        ({"destination": ""}, "destination"),
        ({"dataset": "a b"}, "dataset"),
    ],
)
@pytest.mark.parametrize(
    "make", [group, lambda **options: DSWarehouseDag("d", **({"demarche_number": 1} | WHERE | options))]
)
def test_option_that_cannot_work_is_named_with_the_line_of_the_dag(make, options, named):
    with pytest.raises(DSConfigurationError, match=named) as caught:
        make(**options)
    assert f'File "{__file__}"' in str(caught.value)


@pytest.mark.parametrize("make", [group, lambda **options: DSWarehouseDag("d", **WHERE, **options)])
def test_option_that_does_not_exist_is_named(make):
    with pytest.raises(TypeError, match="include_everything"):
        make(demarche_number=1, include_everything=True)


def test_dag_of_six_lines_has_the_same_tasks_and_runs_by_night():
    dag = DSWarehouseDag("d", demarche_number=12345, **WHERE)
    assert set(dag.task_ids) == EVERY_TASK
    assert (dag.catchup, dag.max_active_runs, dag.timezone.name) == (False, 1, "Europe/Paris")
    assert "`look_after`" in dag.doc_md


@pytest.mark.parametrize(
    ("options", "cron"),
    [
        ({"demarche_number": 180}, "0 3 * * *"),
        ({"demarche_number": "12345"}, "45 4 * * *"),
        ({"groupe_instructeur_number": [359, 1]}, "59 5 * * *"),
        ({"demarche_number": "{{ params.demarche }}"}, "0 3 * * *"),
    ],
)
def test_dags_of_different_demarches_begin_at_different_minutes_of_the_night(options, cron):
    assert DSWarehouseDag("d", **WHERE, **options).schedule == cron


def test_dag_takes_all_other_options_of_a_dag():
    start = pendulum.datetime(2026, 5, 1, tz="UTC")
    dag = DSWarehouseDag("d", demarche_number=1, schedule=None, start_date=start, tags=["x"], doc_md="y", **WHERE)
    assert (dag.schedule, dag.start_date, dag.tags, dag.doc_md) == (None, start, {"x"}, "y")


def test_file_of_six_lines_is_found_by_airflow(tmp_path: Path):
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "mine.py").write_text(
        "# an Airflow DAG\n"
        "from ds_provider.task_groups import DSWarehouseDag\n\n"
        'DSWarehouseDag("mine", demarche_number=12345, destination="file:///data/ds")\n'
    )
    bag = DagBag(dag_folder=str(tmp_path), safe_mode=True, bundle_name="dags-folder")
    assert (list(bag.dags), bag.import_errors) == (["mine"], {})


def test_default_args_give_each_operator_what_it_has():
    from ds_provider.operators.extract import DSExtractDossiersOperator
    from ds_provider.operators.load import DSLoadOperator

    with DAG("d", schedule=None, default_args=ds_default_args(include_messages=True, dataset="mine", **WHERE)):
        dossiers = DSExtractDossiersOperator(task_id="e", groupe_instructeur_number=1)
        load = DSLoadOperator(task_id="l", manifests=dossiers.output)
    assert (dossiers.destination, dossiers.include_messages) == ("file:///data/ds", True)
    assert dossiers.dataset == load.dataset == "mine"
    assert load.retries == 3
    assert dossiers.retry_policy.rules == DS_RETRY_POLICY.rules
