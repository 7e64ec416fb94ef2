"""Page of the tables of a warehouse: their keys and columns."""

from __future__ import annotations

from ds_provider.tables import schemas
from ds_provider.tables.descriptions import BLOCK_COLUMNS, TABLES, WIDE_COLUMNS, column_description
from ds_provider.tables.rows.kinds import KINDS
from ds_provider.tables.schemas import Table
from ds_provider.tables.wide.values import Value, values_of
from scripts.docs.rst import markdown_table

_TYPES = {
    schemas.TEXT: "text",
    schemas.BOOLEAN: "boolean",
    schemas.INTEGER: "integer",
    schemas.DECIMAL: "decimal",
    schemas.DATE: "date",
    schemas.INSTANT: "instant",
}


def overview() -> str:
    """Return the list of the tables, each with what a row of it is."""
    rows = [(f"[`{table.name}`](#{table.name})", TABLES[table.name], _key(table)) for table in schemas.TABLES]
    return markdown_table(("Table", "A row is", "Key"), rows)


def tables() -> str:
    """Return the section of each table."""
    return "\n".join(_section(table) for table in schemas.TABLES)


def wide_columns() -> str:
    """Return the columns that each wide table has beside those of its form."""
    groups = ((schemas.DOSSIER_COLUMNS, WIDE_COLUMNS), (schemas.BLOCK_COLUMNS, BLOCK_COLUMNS))
    rows = [(f"`{name}`", _TYPES[kind], texts[name]) for columns, texts in groups for name, kind in columns.items()]
    return markdown_table(("Column", "Type", "Meaning"), rows)


def _section(table: Table) -> str:
    rows = [
        (f"`{name}`", "JSON" if name in table.json else _TYPES[kind], column_description(table.name, name))
        for name, kind in table.columns.items()
    ]
    replaced = f"Rows that have the same {_key(table)} are replaced together."
    key = f"Key: {_key(table)}." if table.unique else replaced
    columns = markdown_table(("Column", "Type", "Meaning"), rows)
    return f"({table.name})=\n### `{table.name}`\n\nA row is {TABLES[table.name]}. {key}\n\n{columns}"


def _key(table: Table) -> str:
    return ", ".join(f"`{name}`" for name in table.key)


def champ_types() -> str:
    """Return, for each type of champ, where its value stands in the long tables and in the wide ones."""
    rows = [
        (f"`{typename}`", f"`{kind}_value`", ", ".join(_wide_column(value) for value in values_of(typename)))
        for typename, kind in sorted(KINDS.items())
    ]
    return markdown_table(("Type", "In `champs`", "Columns of a wide table"), rows)


def _wide_column(value: Value) -> str:
    """Return the name of a column, in which ``…`` is that of the champ, and its type."""
    return f"`…{'_' if value.suffix else ''}{value.suffix or ''}` ({value.kind})"
