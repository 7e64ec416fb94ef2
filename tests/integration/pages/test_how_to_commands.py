"""The how-to guides: their commands run as they stand, and end as the guides say."""

from __future__ import annotations

import shutil

import pytest
from airflow.sdk import DAG

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from tests.support.dag_files import DAGS
from tests.support.documents import copy_airflow_db, is_as_printed, printed_after, run_commands
from tests.support.guides import blocks_of
from tests.support.wholeness import assert_extracts_are_whole

pytestmark = pytest.mark.integration

PAGES = [
    "install.md",
    "nightly_warehouse.md",
    "backfill.md",
    "stores_and_machines.md",
    "upgrade.md",
    "troubleshooting.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_commands_end_with_what_the_guide_says(page, airflow_db, readers_sandbox, reader, run_dag, tmp_path):
    """The commands of a guide go on from each other, in one shell, with a warehouse that is loaded."""
    found = blocks_of(page, "sh")
    assert found
    (tmp_path / "dags").mkdir()
    shutil.copy(DAGS / "ds_warehouse_backfill.py", tmp_path / "dags")
    if page == "upgrade.md":
        # something is loaded before the upgrade
        with DAG("before_the_upgrade", schedule=None) as dag:
            where = {"groupe_instructeur_number": readers_sandbox.groupes[0], "destination": tmp_path.as_uri()}
            DSLoadOperator(task_id="load", manifests=DSExtractDossiersOperator(task_id="extract", **where).output)
        assert run_dag(dag).state == "success"
    copy_airflow_db(tmp_path)
    for block, output in zip(found, run_commands([reader(each.text) for each in found], tmp_path), strict=True):
        printed = printed_after(block)
        assert printed is None or is_as_printed(reader(printed), output), output
    if page == "backfill.md":
        assert_extracts_are_whole(readers_sandbox, tmp_path / "landing")
