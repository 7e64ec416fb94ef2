"""The demo's DAG: the provider's pipeline in one call."""

from __future__ import annotations

from pathlib import Path

DAG = "my_warehouse"
TEXT = """\
# an Airflow DAG
from ds_provider.task_groups import DSWarehouseDag

DSWarehouseDag(
    "{dag}",
    demarche_number={demarche},
    destination="{destination}",
)
"""


def write_dag(folder: Path, demarche: int, landing: Path) -> str:
    """Write the file of the DAG, and return its text."""
    text = TEXT.format(dag=DAG, demarche=demarche, destination=landing.as_uri())
    (folder / f"{DAG}.py").write_text(text)
    return text
