"""Sources of dbt: the tables of a warehouse with their descriptions, for ``docs/how_to/sources.yml``.

``python -m scripts.docs.dbt_sources`` writes that file anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.tables import schemas
from ds_provider.tables.descriptions import TABLES, column_description
from ds_provider.tables.schemas import Table

FILE = Path(__file__).parents[2] / "docs" / "how_to" / "sources.yml"

_HEADER = """\
# The tables of ds_provider as sources of dbt, for dbt 1.10 and later. Copy this file into your models/ folder.
# Add the wide tables of your démarches to the list, such as demarche_12345: their columns are those of the form.

"""
# a warehouse that is loaded every night, and two hours for it to end
_FRESHNESS = {"warn_after": {"count": 26, "period": "hour"}, "error_after": {"count": 3, "period": "day"}}


def sources() -> str:
    """Return the text of the file."""
    source = {
        "name": DEFAULT_DATASET,
        "description": "Dossiers of Démarches simplifiées, as the service shows them, loaded by ds_provider.",
        "tables": [_table(table) for table in schemas.TABLES],
    }
    content = yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True, width=120)
    return _HEADER + content


def _table(table: Table) -> dict[str, Any]:
    columns = [_column(table, name) for name in table.columns]
    described = {"name": table.name, "description": f"A row is {TABLES[table.name]}."}
    if table is schemas.LOADS:
        described["config"] = {"loaded_at_field": "loaded_at", "freshness": _FRESHNESS}
    return {**described, "columns": columns}


def _column(table: Table, name: str) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "description": column_description(table.name, name)}
    if name in table.key:
        is_whole_key = table.unique and len(table.key) == 1
        column["data_tests"] = ["not_null", "unique"] if is_whole_key else ["not_null"]
    return column


if __name__ == "__main__":
    FILE.write_text(sources(), encoding="utf-8")
