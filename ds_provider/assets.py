"""Assets that the provider's tasks update: the dossiers and deletions of a group, and the tables of a warehouse.

=====================================================  =========================================================
name                                                   URI
=====================================================  =========================================================
``ds/<number>/dossiers``                               ``ds://<host>/groupes-instructeurs/<number>/dossiers``
``ds/<number>/deleted_dossiers``                       ``ds://<host>/groupes-instructeurs/<number>/deleted_dossiers``
``<dataset>.<table>``, in the embedded warehouse       ``ds-warehouse://~/<dataset>/<table>``
``<connection>/<dataset>.<table>``                     ``ds-warehouse://<connection>/<dataset>/<table>``
=====================================================  =========================================================

A DAG that runs after each update has ``schedule=[table_asset("dossiers")]``. Names and URIs are public and do not
change: Airflow keeps an asset's state under its name, how far each group is loaded for instance. All are in the group
``demarches-simplifiees`` of Airflow's list of assets.

Airflow allows one name for a URI, and one URI for a name. So ``Asset(uri="ds://…")`` by hand, whose name is its URI, is
not the same asset: one of the two stays inactive, its DAG gets no runs by it, and Airflow shows a warning on the DAG.
Without an import of this module, refer to the asset that is there: ``Asset.ref(uri="ds://…")`` or
``Asset.ref(name="demarches_simplifiees.dossiers")``.

A group's asset names the service's host, since two services use the same numbers for different groups: an update of the
sandbox or of a test instance is none of the public service. Its name has the host too, ``ds/<host>/<number>/dossiers``,
unless it is the public one. A warehouse's asset names the connection and not the database's address: a database that
moves stays the same warehouse.

Nothing here needs more than Airflow: a DAG that only waits for an asset is parsed without the ``warehouse`` extra.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk import Asset

from ds_provider.constants import DEFAULT_DATASET, PUBLIC_HOST
from ds_provider.exceptions import DSConfigurationError

TABLES = (
    "dossiers",
    "champs",
    "annotations",
    "fichiers",
    "geo_areas",
    "traitements",
    "messages",
    "avis",
    "instructeurs",
    "labels",
    "groupes_instructeurs",
    "revisions",
    "champ_descriptors",
    "deleted_dossiers",
)

GROUP = "demarches-simplifiees"

_GROUPE_SCHEME = "ds"
_TABLE_SCHEME = "ds-warehouse"
# the embedded warehouse lies in Airflow's home, and no connection can have that id
_EMBEDDED = "~"

_WIDE_TABLE = re.compile(r"demarche_[1-9][0-9]*(_[a-z0-9_]+)?")
_DATASET = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NETLOC = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORT = {"https": ":443", "http": ":80"}


def dossiers_asset(groupe_instructeur_number: int | str, host: str = PUBLIC_HOST) -> Asset:
    """Return the asset of a group's dossiers.

    :param groupe_instructeur_number: the group's number.
    :param host: the service's host, as the connection has it: a host name, or the whole URL of the API.
    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    return _groupe_asset(groupe_instructeur_number, host, "dossiers")


def deleted_dossiers_asset(groupe_instructeur_number: int | str, host: str = PUBLIC_HOST) -> Asset:
    """Return the asset of a group's deletions, definitive and pending.

    :param groupe_instructeur_number: the group's number.
    :param host: the service's host, as the connection has it: a host name, or the whole URL of the API.
    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    return _groupe_asset(groupe_instructeur_number, host, "deleted_dossiers")


def table_asset(table: str, *, warehouse_conn_id: str | None = None, dataset: str = DEFAULT_DATASET) -> Asset:
    """Return the asset of a table of a warehouse.

    :param table: one of :data:`TABLES`, or a wide table such as ``demarche_12345``.
    :param warehouse_conn_id: the warehouse's connection; without one, the embedded warehouse.
    :param dataset: the schema of the database that holds the table.
    :raises DSConfigurationError: naming the parameter that cannot work. A DAG would wait for ever for a table that
        does not exist.
    """
    if table not in TABLES and not _is(_WIDE_TABLE, table):
        raise DSConfigurationError(
            f"table must be one of {', '.join(TABLES)}, or a wide table such as demarche_12345: got {table!r}"
        )
    if not _is(_DATASET, dataset):
        raise DSConfigurationError(f"dataset must be the name of a database schema: got {dataset!r}")
    warehouse = quote(warehouse_conn_id, safe="") if warehouse_conn_id else _EMBEDDED
    place = f"{warehouse}/" if warehouse_conn_id else ""
    return _asset(f"{place}{dataset}.{table}", f"{_TABLE_SCHEME}://{warehouse}/{dataset}/{table}")


def is_ours(outlet: Any) -> bool:
    """Return true if an outlet is an asset of this module."""
    return isinstance(outlet, Asset) and urlsplit(outlet.uri).scheme in (_GROUPE_SCHEME, _TABLE_SCHEME)


def _groupe_asset(number: int | str, host: str, stream: str) -> Asset:
    if isinstance(number, bool) or not re.fullmatch("[1-9][0-9]*", str(number)):
        raise DSConfigurationError(f"groupe_instructeur_number must be a whole number from 1 on: got {number!r}")
    netloc = _netloc(host)
    place = "" if netloc == PUBLIC_HOST else f"{netloc}/"
    return _asset(f"ds/{place}{number}/{stream}", f"{_GROUPE_SCHEME}://{netloc}/groupes-instructeurs/{number}/{stream}")


def _asset(name: str, uri: str) -> Asset:
    return Asset(name, uri, group=GROUP)


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _netloc(host: object) -> str:
    """Return the host, with the port if it is not the scheme's default."""
    scheme, _, rest = host.strip().lower().rpartition("://") if isinstance(host, str) else ("", "", "")
    netloc = rest.split("/")[0].removesuffix(_DEFAULT_PORT[scheme or "https"]) if scheme in ("", *_DEFAULT_PORT) else ""
    if not _NETLOC.fullmatch(netloc):
        # the error does not show it: a token may have been pasted there
        raise DSConfigurationError(f"host must be a host name or the URL of the API, such as {PUBLIC_HOST}")
    return netloc
