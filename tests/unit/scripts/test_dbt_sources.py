"""The sources of dbt in the how-to guide are the tables that a load makes."""

from __future__ import annotations

import yaml

from ds_provider.constants import DEFAULT_DATASET
from ds_provider.tables import schemas
from scripts.docs.dbt_sources import FILE, sources


def test_file_is_what_the_schemas_give() -> None:
    assert FILE.read_text(encoding="utf-8") == sources(), "write it anew: python -m scripts.docs.dbt_sources"


def test_file_has_each_table_and_column_with_a_description() -> None:
    (source,) = yaml.safe_load(FILE.read_text(encoding="utf-8"))["sources"]
    assert source["name"] == DEFAULT_DATASET
    columns = {table["name"]: [column["name"] for column in table["columns"]] for table in source["tables"]}
    assert columns == {table.name: list(table.columns) for table in schemas.TABLES}
    described = [*source["tables"], *(column for table in source["tables"] for column in table["columns"])]
    assert all(one["description"] for one in described)


def test_freshness_looks_at_a_column_of_its_table() -> None:
    (source,) = yaml.safe_load(FILE.read_text(encoding="utf-8"))["sources"]
    (loads,) = (table for table in source["tables"] if "config" in table)
    assert loads["config"]["loaded_at_field"] in {column["name"] for column in loads["columns"]}
