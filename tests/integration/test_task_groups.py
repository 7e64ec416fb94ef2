"""One call is a whole pipeline: the warehouse ends as the groups show, and red runs say what is missing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow.sdk import DAG, task

from ds_provider.api.transport import retry as retries
from ds_provider.constants import DEFAULT_DATASET
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from ds_provider.task_groups import DSWarehouseDag, DSWarehouseTaskGroup
from scripts.demo.drift import drift
from tests.support.dag_files import midnight, states_of
from tests.support.sandboxes import shown_numbers

pytestmark = pytest.mark.integration

MONDAY = midnight("2026-11-16")
DAY = timedelta(days=1)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=8, groupes=3, dossiers=12, now=MONDAY, rate_limit=0) as running:
        yield running


@pytest.fixture
def options(connection, airflow_db, tmp_path, monkeypatch) -> dict[str, Any]:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.01)
    # the embedded warehouse is of the test alone
    return {"destination": (tmp_path / "landing").as_uri(), "default_args": {"retries": 0}}


@pytest.fixture
def states(run_dag) -> Any:
    """Run a DAG, and return the states of its tasks; of mapped ones that of the last."""

    def run(dag: Any, at: Any, **how: Any) -> dict[str, str]:
        return states_of(run_dag(dag, logical_date=at, run_after=at, **how))

    return run


def loaded(home: Path, dataset: str = DEFAULT_DATASET) -> dict[int, list[int]]:
    """Return the numbers in the table of dossiers, by group."""
    query = f"select groupe_instructeur_number, list(number order by number) from {dataset}.dossiers group by 1"
    with closing(duckdb.connect(str(home / "ds_warehouse.duckdb"), read_only=True)) as warehouse:
        return dict(warehouse.execute(query).fetchall())


def expected(sandbox: Sandbox, *groupes: int) -> dict[int, list[int]]:
    shown = shown_numbers(sandbox)
    return {number: sorted(shown[number]) for number in groupes or sandbox.groupes if shown[number]}


def find_drift(sandbox: Sandbox, home: Path) -> dict[int, str]:
    with closing(duckdb.connect(str(home / "ds_warehouse.duckdb"), read_only=True)) as warehouse:
        return drift(truth(sandbox.state), warehouse)


def name() -> str:
    return f"d{uuid.uuid4().hex}"


def test_first_night_is_the_first_load_and_the_eighth_reconciles(sandbox, options, states, tmp_path):
    dag = DSWarehouseDag(name(), demarche_number=sandbox.demarche, reconcile_every=2 * DAY, **options)
    assert set(states(dag, MONDAY).values()) == {"success"}
    assert loaded(tmp_path) == expected(sandbox)

    # one night is missed, and what no date shows is found by the reconciliation
    sandbox.clock.move_to(MONDAY + 2 * DAY)
    assert set(states(dag, MONDAY + 2 * DAY).values()) == {"success"}
    assert find_drift(sandbox, tmp_path) == {}


def test_group_that_fails_leaves_the_others_loaded_and_the_run_red(sandbox, options, states, tmp_path, capfd):
    lost, *others = sandbox.groupes
    poison = min(shown_numbers(sandbox)[lost])
    sandbox.faults.set({"poison": {"numbers": [poison]}})
    dag = DSWarehouseDag(name(), demarche_number=sandbox.demarche, groupes_per_task=1, **options)
    ended = states(dag, MONDAY)
    assert (ended["load"], ended["look_after.prune"], ended["complete"]) == ("success", "success", "failed")
    assert "tasks that failed: read.dossiers_0. " in capfd.readouterr().out
    assert loaded(tmp_path)[others[0]] == expected(sandbox)[others[0]]
    assert poison not in loaded(tmp_path)[lost]


def test_pipelines_of_one_dag_load_their_groups_and_hold_back_what_comes_after_a_failure(
    sandbox, options, states, tmp_path
):
    first, second = sandbox.groupes[:2]
    with DAG(name(), schedule=None, start_date=MONDAY) as dag:
        good = DSWarehouseTaskGroup("good", groupe_instructeur_number=[first], dataset="good", **options)
        bad = DSWarehouseTaskGroup("bad", groupe_instructeur_number=[second, 999], dataset="bad", **options)
        begin = task(lambda: None, task_id="begin")()
        begin >> good >> bad
        good >> task(lambda: None, task_id="after_good")()
        bad >> task(lambda: None, task_id="after_bad")()
        bad.load >> task(lambda: None, task_id="after_load")()
    ended = states(dag, MONDAY)
    assert [ended[each] for each in ("after_good", "after_bad", "after_load")] == [
        "success",
        "upstream_failed",
        "success",
    ]
    assert loaded(tmp_path, "good") == expected(sandbox, first)
    assert loaded(tmp_path, "bad") == expected(sandbox, second)


def test_pipeline_after_a_task_that_failed_sends_no_request(sandbox, options, states):
    with DAG(name(), schedule=None, start_date=MONDAY) as dag:
        failing = task(lambda: 1 / 0, task_id="failing")()
        failing >> DSWarehouseTaskGroup(demarche_number=sandbox.demarche, **options)
    before = len(sandbox.requests)
    ended = states(dag, MONDAY)
    assert (ended["warehouse.load"], ended["warehouse.complete"]) == ("skipped", "failed")
    assert len(sandbox.requests) == before


def test_pipeline_that_a_branch_skips_is_skipped(sandbox, options, states):
    with DAG(name(), schedule=None, start_date=MONDAY) as dag:
        task.short_circuit(lambda: False, task_id="not_today", ignore_downstream_trigger_rules=False)() >> (
            DSWarehouseTaskGroup(demarche_number=sandbox.demarche, **options)
        )
    ended = states(dag, MONDAY)
    assert ended.pop("not_today") == "success"
    assert set(ended.values()) == {"skipped"}


def test_other_task_that_gives_no_group_makes_the_run_red(sandbox, options, states):
    with DAG(name(), schedule=None, start_date=MONDAY) as dag:

        @task
        def none():
            return []

        DSWarehouseTaskGroup(groupe_instructeur_number=none(), **options)
    ended = states(dag, MONDAY)
    assert (ended["warehouse.groupes"], ended["warehouse.complete"]) == ("failed", "failed")


def test_run_whose_list_of_groups_is_marked_as_done_is_red(sandbox, options, states):
    dag = DSWarehouseDag(name(), demarche_number=sandbox.demarche, **options)
    ended = states(dag, MONDAY, mark_success_pattern="groupes")
    assert (ended["read.dossiers"], ended["load"], ended["complete"]) == ("upstream_failed", "skipped", "failed")


def test_groups_that_landed_are_loaded_though_each_task_failed(sandbox, options, states, tmp_path):
    first = sandbox.groupes[0]
    # one mapped task of each kind, and a group that is refused
    dag = DSWarehouseDag(name(), groupe_instructeur_number=[first, 999], **options)
    ended = states(dag, MONDAY)
    assert {ended["read.dossiers"], ended["read.deletions"]} == {"failed"}
    assert (ended["load"], ended["complete"]) == ("success", "failed")
    assert loaded(tmp_path) == expected(sandbox, first)


@pytest.mark.parametrize("number", ["<the number in your démarche's address>", ""])
def test_placeholder_fails_the_first_task_with_what_to_put_there(number, options, states, capfd):
    dag = DSWarehouseDag(
        name(), demarche_number="{{ params.demarche_number }}", params={"demarche_number": number}, **options
    )
    assert states(dag, MONDAY)["groupes"] == "failed"
    assert "demarche_number" in capfd.readouterr().out
