"""Warehouse of an Airflow connection."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from ds_provider.constants import DEFAULT_DATASET, DUCKDB_CONNECTION_TYPE
from ds_provider.exceptions import DSConfigurationError, DSError
from ds_provider.hooks.airflow_home import airflow_home
from ds_provider.hooks.extras import extra_of
from ds_provider.hooks.fields import port_of, text_of
from ds_provider.hooks.lookup import find_connection
from ds_provider.warehouse.database.destinations import (
    ConnectionFields,
    Destination,
    destination_of,
    duckdb_file,
    require_drivers,
)
from ds_provider.warehouse.database.duckdb_check import check_duckdb

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse

_DATASET = re.compile(r"[a-z][a-z0-9_]{0,39}")


def parse_dataset(value: object, parameter: str = "dataset") -> str:
    """Return the name of a dataset.

    :raises DSConfigurationError: if not every database takes it as it is.
    """
    if not isinstance(value, str) or not _DATASET.fullmatch(value):
        raise DSConfigurationError(
            f"{parameter} must be up to 40 small letters, digits and underscores, and begin with a letter, "
            f"such as {DEFAULT_DATASET!r}: got {value!r}"
        )
    if value.endswith("_staging"):
        # a load of the dataset of that name without the ending empties all tables there
        raise DSConfigurationError(
            f"{parameter} must not end in '_staging', where another dataset's rows pass through: got {value!r}"
        )
    return value


class DSWarehouseHook(BaseHook):
    """Holds the connection to the database that dossiers are loaded into.

    A connection of type ``postgres``, and with the drivers that dlt names ``mysql``, ``google_cloud_platform``
    (BigQuery), ``snowflake`` or ``clickhouse``. Or a DuckDB file, by a connection type of this provider::

        airflow connections add my_duck --conn-type dsduckdb --conn-host /data/warehouse.duckdb
        AIRFLOW_CONN_MY_DUCK='{"conn_type": "dsduckdb", "host": "/data/warehouse.duckdb"}'
        AIRFLOW_CONN_MY_DUCK='dsduckdb:///data/warehouse.duckdb'

    The type has no hyphen, since Airflow makes an underscore of it in a URI or in JSON, and would not find it again.
    A connection of type ``duckdb``, which Airflow itself does not know, means the same.

    :param warehouse_conn_id: the connection's id; without one, a DuckDB file in Airflow's home
        (``ds_warehouse.duckdb``), which the tasks of one machine share.
    :param dataset: the schema of the database that holds the tables: up to 40 small letters, digits and underscores.
    """

    conn_name_attr = "warehouse_conn_id"
    # by those of another type, Airflow finds the hooks of their own providers
    conn_type = DUCKDB_CONNECTION_TYPE
    hook_name = "Démarches simplifiées: DuckDB warehouse"

    def __init__(self, warehouse_conn_id: str | None = None, dataset: str = DEFAULT_DATASET, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset

    def warehouse(self, working_folder: Path | None = None) -> Warehouse:
        """Return the warehouse, without a request to the database yet.

        :param working_folder: the parent of the runs' scratch folders; in Airflow's home by default.
        :raises DSConfigurationError: if the connection cannot work, or the extra ``[warehouse]`` is not installed.
        """
        dataset = parse_dataset(self.dataset)
        destination = self._destination()
        require_drivers(destination.kind)
        from ds_provider.warehouse.database.store import Warehouse

        return Warehouse(destination, dataset, working_folder or airflow_home() / f"ds_warehouse_{os.getuid()}")

    def test_connection(self) -> tuple[bool, str]:
        """Check that this machine, Airflow's API server as a rule, can open the DuckDB file, or make it.

        :returns: true with a confirmation, or false with the reason.
        """
        try:
            destination = self.warehouse().destination
            if destination.kind != "duckdb":
                return False, f"this tests DuckDB files, and the connection is of {destination.name}"
            return True, check_duckdb(Path(destination.credentials))
        except (DSError, AirflowNotFoundException) as error:
            return False, str(error)

    def _destination(self) -> Destination:
        if self.warehouse_conn_id is None:
            return duckdb_file(airflow_home() / "ds_warehouse.duckdb")
        connection = find_connection(self, self.warehouse_conn_id)
        texts = {name: text_of(connection, name) for name in ("conn_type", "host", "login", "password", "schema")}
        fields = ConnectionFields(**texts, port=port_of(connection), extra=extra_of(connection))
        try:
            destination = destination_of(fields)
        except DSConfigurationError as error:
            raise DSConfigurationError(f"connection {self.warehouse_conn_id!r}: {error}") from None
        mask_secret(list(destination.secrets))
        return destination
