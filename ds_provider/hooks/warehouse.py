"""From an Airflow connection to the warehouse."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.log import mask_secret

from ds_provider.exceptions import DSConfigurationError
from ds_provider.warehouse.database.destinations import (
    Destination,
    Fields,
    destination_of,
    duckdb_file,
    require_drivers,
)

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse

DATASET = "demarches_simplifiees"
_DATASET = re.compile(r"[a-z][a-z0-9_]{0,39}")


class DSWarehouseHook(BaseHook):
    """Holds the connection to the database that dossiers are loaded into.

    A connection of type ``postgres`` or ``duckdb`` (its host is the file's path), and with the drivers that dlt names
    ``mysql``, ``google_cloud_platform`` (BigQuery), ``snowflake`` or ``clickhouse``.

    :param warehouse_conn_id: the connection's id; without one, a DuckDB file in Airflow's home
        (``ds_warehouse.duckdb``), which the tasks of one machine share.
    :param dataset: the schema of the database that holds the tables: up to 40 small letters, digits and underscores.
    """

    conn_name_attr = "warehouse_conn_id"

    def __init__(self, warehouse_conn_id: str | None = None, dataset: str = DATASET, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset

    def warehouse(self, working_folder: Path | None = None) -> Warehouse:
        """The warehouse; nothing is asked of the database yet.

        :param working_folder: where rows are kept on their way; in Airflow's home by default.
        :raises DSConfigurationError: if the connection cannot work, or the extra ``[warehouse]`` is not installed.
        """
        dataset = check_dataset(self.dataset)
        destination = self._destination()
        require_drivers(destination.kind)
        from ds_provider.warehouse.database.store import Warehouse

        return Warehouse(destination, dataset, working_folder or _airflow_home() / f"ds_warehouse_{os.getuid()}")

    def _destination(self) -> Destination:
        if self.warehouse_conn_id is None:
            return duckdb_file(_airflow_home() / "ds_warehouse.duckdb")
        connection = self.get_connection(self.warehouse_conn_id)
        try:
            destination = destination_of(_fields(connection))
        except DSConfigurationError as error:
            raise DSConfigurationError(f"connection {self.warehouse_conn_id!r}: {error}") from None
        mask_secret(list(destination.secrets))
        return destination


def check_dataset(given: object) -> str:
    """A dataset's name, if it can be a schema's.

    :raises DSConfigurationError: if not.
    """
    if not isinstance(given, str) or not _DATASET.fullmatch(given):
        raise DSConfigurationError(
            "dataset must be up to 40 small letters, digits and underscores, and begin with a letter, "
            f"such as {DATASET!r}: got {given!r}"
        )
    return given


def _fields(connection: Connection) -> Fields:
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise DSConfigurationError("the extra must be a JSON object")
    return Fields(
        conn_type=str(connection.conn_type or ""),
        host=connection.host or "",
        port=connection.port,
        login=connection.login or "",
        password=connection.password or "",
        schema=connection.schema or "",
        extra=extra,
    )


def _airflow_home() -> Path:
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser().absolute()
