"""Give every process of a run a fresh Airflow home in the checkout, whatever the caller's environment.

Airflow reads its settings when it is first imported, so this file prepares them before any other import.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

CHECKOUT = Path(__file__).parent.parent
HOMES = CHECKOUT / ".airflow"

# Files of half a minute and more, in the order in which they start. Started last, a long file would keep one process
# busy alone.
LONG_FILES = (
    "test_demo.py",
    "test_budget.py",
    "test_forty_days_postgres.py",
    "test_forty_days_duckdb.py",
    "test_warehouse_dags.py",
    "test_task_groups.py",
    "test_concurrent_loads.py",
    "test_command_line.py",
    "test_bench.py",
    "test_warehouse_postgres.py",
    "test_personal_data.py",
    "test_how_to.py",
    "test_how_to_commands.py",
    "test_readme.py",
    "test_french_pages.py",
    "test_docs_dags.py",
    "test_docs.py",
    "test_tutorials.py",
    "test_how_to_tables.py",
    "test_warehouse_locks.py",
    "test_faults.py",
    "test_faults_of_extractions.py",
)

# a failed assertion in a helper shows its values, as one in a test does
pytest.register_assert_rewrite("tests.support")


def create_airflow_home() -> Path:
    HOMES.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="tests-", dir=HOMES))
    (home / "dags").mkdir()
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "_AIRFLOW"))]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = str(home)
    # empty: with each run of a DAG, Airflow parses this folder again
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(home / "dags")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    return home


AIRFLOW_HOME = create_airflow_home()
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(CHECKOUT / ".cache" / "hypothesis"))

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure(config: pytest.Config) -> None:
    # not in pyproject.toml: pytest would import Airflow to resolve the names before this file is read
    for warning in (
        "airflow.exceptions.AirflowProviderDeprecationWarning",
        "airflow.exceptions.RemovedInAirflow4Warning",
        "airflow.utils.deprecation_tools.DeprecatedImportWarning",
    ):
        config.addinivalue_line("filterwarnings", f"error::{warning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: position for position, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)
