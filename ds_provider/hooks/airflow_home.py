"""Airflow's home, where the package keeps its files by default."""

from __future__ import annotations

import os
from pathlib import Path


def airflow_home() -> Path:
    """Return the folder, as Airflow itself computes it."""
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser().absolute()
