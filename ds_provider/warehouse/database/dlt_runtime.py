"""dlt, kept to itself: what it reads, writes, tells and sends is decided here and nowhere else.

By itself dlt reads its configuration from the environment, from files in the folder it is started in, from the user's
home and from an Airflow variable, keeps its state in the home, and tells its makers that it was used. Here it runs in a
context of its own: its configuration is the dictionary below, its folder is the run's, and nothing is sent.
"""

from __future__ import annotations

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

from ds_provider.tables.schemas import ERASED, Table
from ds_provider.warehouse.database.destinations import Destination

SCHEMA = "ds"
# where dlt keeps what it believes the tables to be
VERSIONS = "_dlt_version"

_SETTINGS: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        # its errors are told by ours, once, without the rows and addresses that it shows
        "log_level": "CRITICAL",
    },
    # an Airflow variable may hold dlt's configuration: nothing of it is for us
    "providers": {"enable_airflow_secrets": False},
    # names are the tables' own
    "schema": {"naming": "direct"},
    # what exists is asked of the database
    "restore_from_destination": False,
    # tables are merged side by side, each on a connection of its own
    "load": {"workers": 4},
}


class _IsolatedContext(RunContext):
    """Knows one folder and one dictionary."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = str(folder)
        self._global_dir = self._folder

    @property
    def run_dir(self) -> str:
        return self._folder

    @property
    def local_dir(self) -> str:
        return self._folder

    @property
    def data_dir(self) -> str:
        return self._folder

    def initial_providers(self) -> list[ConfigProvider]:
        provider = DictionaryProvider()
        provider._config_doc = _SETTINGS
        return [provider]


@contextmanager
def isolated_dlt(folder: Path) -> Iterator[None]:
    """Keep dlt to itself for the length of a ``with``.

    :param folder: the caller's to remove.
    """
    with Container().injectable_context(PluggableRunContext(_IsolatedContext(folder))):
        yield


def factory_of(destination: Destination) -> Any:
    """The database as dlt knows it."""
    credentials = destination.credentials
    if destination.kind == "duckdb":
        # by itself it takes most of the machine's memory before it puts anything on the disk
        credentials = DuckDbCredentials(credentials, global_config={"memory_limit": "1GB"})
    return getattr(dlt.destinations, destination.kind)(credentials=credentials, **destination.options)


def merge(destination: Destination, dataset: str, folder: Path, rows: Iterable[tuple[Table, pa.Table]]) -> None:
    """Load all rows in one run."""
    resource = dlt.resource(_items(rows, has_nul=destination.kind != "postgres"), name="rows")
    source = dlt.source(lambda: resource, name=SCHEMA, max_table_nesting=0)()
    pipeline = dlt.pipeline(
        "ds_provider", pipelines_dir=str(folder), destination=factory_of(destination), dataset_name=dataset
    )
    try:
        pipeline.run(source, loader_file_format="parquet")
    finally:
        pipeline.deactivate()


def _items(rows: Iterable[tuple[Table, pa.Table]], has_nul: bool) -> Iterator[Any]:
    """For dlt. Where a text cannot hold the character NUL, U+FFFD stands for it."""
    for table, batch in rows:
        whole = _conformed(table, batch)
        yield dlt.mark.with_hints(whole if has_nul else _without_nul(whole), _hints(table), create_table_variant=True)


def _hints(table: Table) -> Any:
    columns: dict[str, Any] = {name: {"data_type": "json"} for name in sorted(table.json)}
    columns[ERASED] = {"data_type": "bool", "hard_delete": True}
    key = list(table.key)
    return dlt.mark.make_hints(
        table_name=table.name,
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key=key if table.unique else None,
        merge_key=None if table.unique else key,
        columns=columns,
    )


def _conformed(table: Table, batch: pa.Table) -> pa.Table:
    """All the table's columns, in its order and types: null where the batch has none."""
    given = set(batch.column_names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in given else pa.nulls(batch.num_rows, field.type)
        for field in table.schema
    ]
    return pa.table(columns, schema=table.schema)


def _without_nul(batch: pa.Table) -> pa.Table:
    columns = [
        pc.replace_substring(column, "\x00", "\ufffd") if pa.types.is_string(column.type) else column
        for column in batch.columns
    ]
    return pa.table(columns, schema=batch.schema)
