"""The how-to guides: their DAGs run as they stand, and end as the guides say.

`nightly_warehouse.md`, `backfill.md`, `react_to_a_deposit.md`, `quarantine.md`, `upgrade.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox
from ds_provider.task_groups import DSWarehouseDag
from tests.support.dag_files import states_of
from tests.support.databases import Duckdb
from tests.support.documents import DOCS, Block, dags_in
from tests.support.guides import NOW, block_with
from tests.support.sandboxes import shown_numbers
from tests.support.wholeness import assert_tables_are_whole, loaded_rows

pytestmark = pytest.mark.integration


@pytest.fixture
def run_block(reader: Callable[[str], str], run_dag: Any, tmp_path: Path) -> Callable[[Block], dict[str, str]]:
    """Run the one DAG of a block, and return the states of its tasks."""

    def run(block: Block) -> dict[str, str]:
        (dag,) = dags_in(reader(block.text), tmp_path)
        return states_of(run_dag(dag, logical_date=NOW, run_after=NOW))

    return run


# ── nightly_warehouse.md


def test_options_of_a_nightly_warehouse_load_all_that_the_groups_show(run_block, readers_sandbox, tmp_path, capfd):
    assert set(run_block(block_with("nightly_warehouse.md", "reconcile_every")).values()) == {"success"}
    assert_tables_are_whole(readers_sandbox, tmp_path)


def test_tasks_of_ones_own_run_after_the_pipeline_and_after_its_load(run_block, readers_sandbox, tmp_path):
    states = run_block(block_with("nightly_warehouse.md", "def tell_the_team"))
    assert set(states.values()) == {"success"}
    assert {"build_models", "tell_the_team", "warehouse.load", "warehouse.complete"} <= states.keys()
    assert_tables_are_whole(readers_sandbox, tmp_path)


def test_all_tasks_of_a_pipeline_are_in_the_pool(reader, tmp_path):
    (dag,) = dags_in(reader(block_with("nightly_warehouse.md", "in_a_pool").text), tmp_path)
    assert {task.pool for task in dag.tasks} == {"demarches"}


def test_each_of_several_demarches_has_its_dag(reader, tmp_path):
    text = block_with("nightly_warehouse.md", "DEMARCHES").text
    assert {dag.dag_id for dag in dags_in(text, tmp_path)} == {"warehouse_permits", "warehouse_grants"}


def test_each_option_that_a_guide_names_is_one(reader):
    """An option that is none is an error of the constructor."""
    rows = (DOCS / "how_to" / "nightly_warehouse.md").read_text().splitlines()
    given = [code for row in rows if row.startswith("| ") for code in re.findall(r"`(\w+=[^`]+)`", row.split("|")[2])]
    assert len(given) > 15
    for text in given:
        options = eval(f"dict({text})", {"timedelta": timedelta})
        DSWarehouseDag("one", destination="file:///x", **{"demarche_number": 1, **options})


# ── backfill.md


def test_range_of_deposit_loads_what_was_deposited_then(run_block, readers_sandbox, tmp_path):
    assert set(run_block(block_with("backfill.md", "dossiers_of_october")).values()) == {"success"}
    bounds = [
        datetime.fromisoformat(f"2026-{day}").timestamp() * 1_000_000
        for day in ("10-01T00:00:00+02:00", "11-01T00:00:00+01:00")
    ]
    every = readers_sandbox.world.dossiers.values()
    expected = {d.number for d in every if d.visible and bounds[0] <= d.depose_at < bounds[1]}
    assert {number for number, *_ in loaded_rows(tmp_path)} & expected == expected
    assert expected


# ── react_to_a_deposit.md


@pytest.mark.parametrize("name", ["once_ten_are_in_instruction", "on_each_change"])
def test_reaction_loads_what_the_groups_show(name, reader, run_dag, readers_sandbox, tmp_path):
    text = reader(block_with("react_to_a_deposit.md", f"def {name}").text)
    # the sandbox is smaller than a real group
    (dag,) = dags_in(text.replace("min_count=10", "min_count=1"), tmp_path)
    assert set(states_of(run_dag(dag, logical_date=NOW, run_after=NOW)).values()) == {"success"}
    assert_tables_are_whole(readers_sandbox, tmp_path, set(readers_sandbox.groupes[:2]))


# ── quarantine.md


@pytest.fixture
def poison(readers_sandbox: Sandbox) -> Iterator[int]:
    """The number of a dossier that the service cannot give."""
    number = min(shown_numbers(readers_sandbox)[readers_sandbox.groupes[0]])
    readers_sandbox.faults.set({"poison": {"numbers": [number]}})
    yield number
    readers_sandbox.faults.clear()


def test_night_with_a_broken_dossier_is_green_if_it_may_be_and_the_query_names_it(
    run_block, poison, readers_sandbox, no_pauses, tmp_path, monkeypatch
):
    assert set(run_block(block_with("quarantine.md", "my_warehouse_with_gaps")).values()) == {"success"}
    assert poison not in {number for number, *_ in loaded_rows(tmp_path)}
    rows = Duckdb(tmp_path, monkeypatch).rows(block_with("quarantine.md", "SELECT").text)
    assert [numbers for _, numbers, _ in rows] == [str(poison)]


def test_record_of_a_broken_dossier_is_read_back(poison, readers_sandbox, no_pauses, tmp_path, capsys):
    group = {"groupe_instructeur_number": readers_sandbox.groupes[0], "destination": tmp_path.as_uri()}
    operator = DSExtractDossiersOperator(task_id="x", on_dossier_error="quarantine", **group)
    scope = {"summary": operator.execute({})}
    exec(block_with("quarantine.md", "read_quarantine").text, scope)
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{poison} internal_server_error ")


# ── upgrade.md


def test_new_column_is_filled_by_one_night_that_reads_all_again(
    reader, run_dag, readers_sandbox, tmp_path, monkeypatch
):
    (dag,) = dags_in(reader(block_with("upgrade.md", "refresh_max_age").text), tmp_path)
    sql = "SELECT min(read_at), max(read_at) FROM demarches_simplifiees.dossiers WHERE deletion_stage IS NULL"
    read: list[tuple[datetime, datetime]] = []
    for _ in range(2):
        readers_sandbox.clock.advance(3600)
        assert (
            run_dag(dag, logical_date=readers_sandbox.clock.now, run_after=readers_sandbox.clock.now).state == "success"
        )
        read += Duckdb(tmp_path, monkeypatch).rows(sql)
    (_, before), (first, _) = read
    assert first > before
