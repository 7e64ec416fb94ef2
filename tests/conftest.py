"""Gives every run a fresh Airflow home in the checkout, whatever the caller's environment says.

Airflow reads its settings when it is first imported, so they are laid here before anything else is.
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


def lay_airflow_home() -> Path:
    HOMES.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="tests-", dir=HOMES))
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "_AIRFLOW"))]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(CHECKOUT / "dags")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    return home


AIRFLOW_HOME = lay_airflow_home()
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


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)
