from __future__ import annotations

import pytest

from ds_provider.tables import descriptions, schemas
from ds_provider.tables.schemas import Table


def test_each_table_is_described_and_no_other() -> None:
    assert set(descriptions.TABLES) == {table.name for table in schemas.TABLES} == set(descriptions.COLUMNS)


@pytest.mark.parametrize("table", schemas.TABLES, ids=lambda table: table.name)
def test_each_column_is_described_by_one_sentence(table: Table) -> None:
    texts = {name: descriptions.column_description(table.name, name) for name in table.columns}
    assert all(text[0].isupper() or text[0] == "`" for text in texts.values())
    assert all(text.endswith(("…", ".")) and ". " not in text for text in texts.values())


@pytest.mark.parametrize("table", schemas.TABLES, ids=lambda table: table.name)
def test_no_column_is_described_that_does_not_exist(table: Table) -> None:
    assert set(descriptions.COLUMNS[table.name]) <= set(table.columns)


def test_columns_of_wide_tables_are_described() -> None:
    assert set(descriptions.WIDE_COLUMNS) == set(schemas.DOSSIER_COLUMNS)
    assert set(descriptions.BLOCK_COLUMNS) == set(schemas.BLOCK_COLUMNS)
