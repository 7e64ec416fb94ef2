"""Airflow's scheduler with the modules of all tasks: tasks fork from it, and so need not import them again."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import dlt.destinations.impl.duckdb.duck
import dlt.sources.helpers.requests  # noqa: F401
from airflow.__main__ import main
from airflow.sdk.execution_time import task_runner  # noqa: F401

import ds_provider

FOLDERS = tuple(f"ds_provider.{name}" for name in ("api", "landing", "operators", "state", "sync", "task", "warehouse"))


def import_all() -> None:
    for module in pkgutil.walk_packages(ds_provider.__path__, "ds_provider."):
        if module.name.startswith(FOLDERS):
            importlib.import_module(module.name)


if __name__ == "__main__":
    import_all()
    # logs are read from the disk: nothing has to serve them to other machines
    sys.argv = ["airflow", "scheduler", "--skip-serve-logs"]
    main()
