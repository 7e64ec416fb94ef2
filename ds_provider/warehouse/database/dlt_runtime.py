"""Isolated dlt: what it reads, writes, logs and sends is decided here and nowhere else.

By itself dlt reads its configuration from the environment, from files in the folder it is started in, from the user's
home and from an Airflow variable, keeps its state in the home, and reports its use to its makers. Here it runs in a
context of its own: its configuration is the dictionary below, its folder is the run's, and nothing is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import dlt.destinations
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import ConfigProvider, DictionaryProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from ds_provider.tables.rows.building import without_nul
from ds_provider.tables.schemas import ERASED, TEXT, Table
from ds_provider.warehouse.database.destinations import Destination

SCHEMA = "ds"
# dlt's record of the tables' schemas
VERSIONS = "_dlt_version"
# of the rows in one item: enough for dlt, and little enough to hold for each table at once
ITEM_BYTES = 4 * 1024 * 1024

Rows = tuple[Table, pa.Table]

_SETTINGS: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        # our errors say what failed, once, without the rows and addresses that dlt's show
        "log_level": "CRITICAL",
    },
    # an Airflow variable may hold a configuration of dlt's: it is not meant for this provider
    "providers": {"enable_airflow_secrets": False},
    # names are the tables' own
    "schema": {"naming": "direct"},
    # what exists is asked of the database
    "restore_from_destination": False,
    # tables are merged side by side, each on a connection of its own; a statement that failed is not sent again at
    # once: it may have failed since others hold the table, and this load holds the lock of the warehouse
    "load": {"workers": 4, "raise_on_max_retries": 1},
}


class _IsolatedContext(RunContext):
    """Run context with one folder and one dictionary."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = str(folder)
        self._global_dir = self._folder

    @property
    def run_dir(self) -> str:
        return self._folder

    local_dir = data_dir = run_dir

    def initial_providers(self) -> list[ConfigProvider]:
        provider = DictionaryProvider()
        provider._config_doc = _SETTINGS
        return [provider]


@contextmanager
def isolated_dlt(folder: Path) -> Iterator[None]:
    """Run dlt in a context of its own for the length of a ``with``.

    :param folder: the caller's to remove.
    """
    with Container().injectable_context(PluggableRunContext(_IsolatedContext(folder))):
        yield


def factory_of(destination: Destination) -> Any:
    """Return the database as dlt represents it."""
    credentials = destination.credentials
    if destination.kind == "duckdb":
        # by itself it takes most of the machine's memory before it puts anything on the disk
        credentials = DuckDbCredentials(credentials, global_config={"memory_limit": "1GB"})
    return getattr(dlt.destinations, destination.kind)(credentials=credentials, **destination.options)


def merge(destination: Destination, dataset: str, folder: Path, rows: Iterable[Rows]) -> None:
    """Load all rows in one run."""
    resource = dlt.resource(_items(rows, replace_nul=destination.kind == "postgres"), name="rows")
    source = dlt.source(lambda: resource, name=SCHEMA, max_table_nesting=0)()
    pipeline = dlt.pipeline(
        "ds_provider", pipelines_dir=str(folder), destination=factory_of(destination), dataset_name=dataset
    )
    try:
        pipeline.run(source, loader_file_format="parquet")
    finally:
        pipeline.deactivate()


def _items(rows: Iterable[Rows], replace_nul: bool) -> Iterator[Any]:
    """Yield the batches as dlt's items, each with the hints of its table.

    :param replace_nul: put U+FFFD in place of the character NUL.
    """
    for table, batch in _concatenated((table, _staged(table, batch)) for table, batch in rows):
        item = _without_nul(batch) if replace_nul else batch
        yield dlt.mark.with_hints(item, _hints(table), create_table_variant=True)


def _staged(table: Table, batch: pa.Table) -> pa.Table:
    """Return a batch as it is staged: its required column is null in hard deletes, and in no other row."""
    batch = conformed(batch, table.schema)
    index = batch.schema.get_field_index(table.required)
    kind = table.columns[table.required]
    # the service promises each of these values; should one be missing nevertheless, its row is none to delete
    nothing = pa.scalar("" if kind == TEXT else 0, kind)
    values = pc.if_else(pc.fill_null(batch[ERASED], False), pa.scalar(None, kind), pc.coalesce(batch[index], nothing))
    return batch.set_column(index, table.required, values).drop_columns([ERASED])


def _concatenated(rows: Iterable[Rows]) -> Iterator[Rows]:
    """Join small batches of one table: dlt examines the schema of each item again, which takes it milliseconds."""
    held: dict[str, tuple[Table, list[pa.Table]]] = {}
    sizes: Counter[str] = Counter()
    for table, batch in rows:
        known, batches = held.setdefault(table.name, (table, []))
        # a wide table may have grown by a column
        if known != table or sizes[table.name] >= ITEM_BYTES:
            yield known, pa.concat_tables(batches)
            held[table.name], sizes[table.name] = (table, []), 0
        held[table.name][1].append(batch)
        sizes[table.name] += batch.nbytes
    for table, batches in held.values():
        yield table, pa.concat_tables(batches)


def _hints(table: Table) -> Any:
    """Return the hints of a table.

    dlt's own hint of a hard delete would leave its column in the tables that people see: the scope and the filter do
    the same without one.
    """
    key = ", ".join(table.key)
    keys = f"({key})" if len(table.key) > 1 else key
    return dlt.mark.make_hints(
        table_name=table.name,
        write_disposition={
            "disposition": "merge",
            "strategy": "delete-insert",
            "destination_scope": f"{keys} IN (SELECT {key} FROM {{staging_table}})",
            "source_filter": f"{table.required} IS NOT NULL",
            # a unique key is given once in a run: to look for doubles would sort all rows
            "deduplicated": True,
        },
        primary_key=list(table.key) if table.unique else None,
        columns={name: {"data_type": "json"} for name in sorted(table.json)},
    )


def conformed(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a batch with the columns of a schema, in order and type. Those that it lacks are null."""
    if batch.schema == schema:
        return batch
    given = set(batch.column_names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in given else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _without_nul(batch: pa.Table) -> pa.Table:
    columns = [without_nul(column) if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.table(columns, schema=batch.schema)
