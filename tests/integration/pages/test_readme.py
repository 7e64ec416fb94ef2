"""The README runs as it stands, with the reader's own démarche and folder, and its links lead to files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.api.transport import retry as retries
from ds_provider.sandbox import Sandbox
from tests.support.documents import CHECKOUT, blocks_in, copy_airflow_db, dags_in, of_reader, run_commands
from tests.support.sandboxes import connect
from tests.support.wholeness import assert_tables_are_whole, loaded_rows, shown_rows

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 16, tzinfo=ZoneInfo("Europe/Paris"))
README = (CHECKOUT / "README.md").read_text()


def block_with(text: str) -> str:
    examples = (block.text for block in blocks_in(README, "README.md") if block.language == "python")
    (example,) = (example for example in examples if text in example)
    return example


def dag_of(text: str, sandbox: Sandbox, folder: Path) -> Any:
    """Return the DAG of an example, with the reader's own numbers and folder in it."""
    (dag,) = dags_in(of_reader(block_with(text), sandbox, (folder / "landing").as_uri()), folder)
    return dag


@pytest.fixture
def living(monkeypatch):
    """A sandbox of this test alone, whose clock the test moves from night to night, and the connection to it."""
    with Sandbox(seed=17, groupes=5, dossiers=40, now=MIDNIGHT, rate_limit=0) as running:
        connect(running, monkeypatch)
        yield running


@pytest.fixture
def warehouse_night(living, run_dag, tmp_path, monkeypatch):
    """Run the README's warehouse for one night, and return the state of the run."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.01)
    dag = dag_of("DSWarehouseDag(", living, tmp_path)
    return lambda: str(run_dag(dag, logical_date=living.clock.now, run_after=living.clock.now).state)


@contextmanager
def hidden_group(sandbox: Sandbox, number: int) -> Iterator[None]:
    """Have the démarche without a group."""
    groups = sandbox.world.demarche.groupes
    (place,) = (i for i, group in enumerate(groups) if group.number == number)
    group = groups.pop(place)
    try:
        yield
    finally:
        groups.insert(place, group)


def test_warehouse_holds_what_the_groups_show_after_each_green_night(living, warehouse_night, tmp_path):
    # the first group appears later
    late, *others = living.groupes
    with hidden_group(living, late):
        assert warehouse_night() == "success"
        assert loaded_rows(tmp_path) == {row for row in shown_rows(living) if row[1] in others}
    assert len(loaded_rows(tmp_path)) > 100

    # a night that fails is red, and the next makes up for it and for the new group
    living.clock.move_to(MIDNIGHT + DAY)
    living.faults.set({"server_error": 1.0})
    assert warehouse_night() == "failed"
    living.faults.clear()
    living.clock.move_to(MIDNIGHT + 2 * DAY)
    assert warehouse_night() == "success"
    assert_tables_are_whole(living, tmp_path)

    # two days without a run
    living.clock.move_to(MIDNIGHT + 5 * DAY)
    before = len(living.requests)
    assert warehouse_night() == "success"
    assert_tables_are_whole(living, tmp_path)
    assert len(living.requests) - before < 30, "only what changed is read"


def test_commands_load_all_that_the_groups_show(airflow_db, living, tmp_path):
    found = [block for block in blocks_in(README, "README.md") if block.language == "sh" and not block.mark]
    (tmp_path / "dags").mkdir()
    reader = partial(of_reader, sandbox=living, destination=(tmp_path / "landing").as_uri())
    (tmp_path / "dags" / "my_warehouse.py").write_text(reader(block_with("DSWarehouseDag(")))
    copy_airflow_db(tmp_path)
    # the host is the public service's, if the connection names none
    own = f'"host": "{living.url}", "password"'
    outputs = run_commands([reader(block.text).replace('"password"', own) for block in found], tmp_path)
    assert "shows 5 groups" in outputs[0]
    assert "state=success" in outputs[1]
    assert_tables_are_whole(living, tmp_path)


def test_each_link_leads_to_a_file_of_the_source_distribution():
    included = (CHECKOUT / "pyproject.toml").read_text().partition("[tool.hatch.build.targets.sdist]")[2]
    links = re.findall(r"\]\((?!https://)([^)#]+)[^)]*\)", README)
    assert len(links) > 20
    for link in links:
        assert (CHECKOUT / link).exists(), link
        assert f'"/{link.partition("/")[0]}"' in included, link


def test_readme_is_read_in_a_few_minutes():
    assert len(README.splitlines()) <= 150
