"""The assets that this provider's tasks change: what a group of the service holds, and the tables of a warehouse.

::

    ds://<host of the service>/groupes-instructeurs/<number>/dossiers
    ds://<host of the service>/groupes-instructeurs/<number>/deleted_dossiers
    ds-warehouse://<connection>/<dataset>/<table>

A DAG that is to run when something came writes ``schedule=[table_asset("dossiers")]``. The name of each asset is its
URI: that makes it unique, and whoever writes the URI by hand means the same asset. Both are public and do not change,
since Airflow keeps an asset's memory under its name.

A group's asset names the service's host, since two services number their groups alike: what the sandbox or a test
instance shows is no news of the public one. A warehouse's asset names the connection and not the database's address:
a database that moves stays the same warehouse.

Nothing here needs more than Airflow: a DAG that only waits for an asset is parsed without the warehouse's extra.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk import Asset

from ds_provider.exceptions import DSConfigurationError

PUBLIC_HOST = "demarche.numerique.gouv.fr"
DATASET = "demarches_simplifiees"

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

_GROUPE_SCHEME = "ds"
_TABLE_SCHEME = "ds-warehouse"
# the embedded warehouse lies in Airflow's home, and no connection can have that id
_EMBEDDED = "~"

_WIDE_TABLE = re.compile(r"demarche_[1-9][0-9]*(_[a-z0-9_]+)?")
_DATASET = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NETLOC = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORT = {"https": ":443", "http": ":80"}


def dossiers_asset(groupe_instructeur_number: int | str, host: str = PUBLIC_HOST) -> Asset:
    """The dossiers that the service shows of a group.

    :param groupe_instructeur_number: the group.
    :param host: the service's, as the connection has it: a host name, or the whole URL of the API.
    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    return _groupe_asset(groupe_instructeur_number, host, "dossiers")


def deleted_dossiers_asset(groupe_instructeur_number: int | str, host: str = PUBLIC_HOST) -> Asset:
    """The deletions that the service shows of a group, the definitive ones and the pending ones.

    :param groupe_instructeur_number: the group.
    :param host: the service's, as the connection has it: a host name, or the whole URL of the API.
    :raises DSConfigurationError: naming the parameter that cannot work.
    """
    return _groupe_asset(groupe_instructeur_number, host, "deleted_dossiers")


def table_asset(table: str, *, warehouse_conn_id: str | None = None, dataset: str = DATASET) -> Asset:
    """A table of a warehouse.

    :param table: one of :data:`TABLES`, or a wide one such as ``demarche_12345``.
    :param warehouse_conn_id: the warehouse's connection; without one, the embedded warehouse.
    :param dataset: the schema of the database that holds the table.
    :raises DSConfigurationError: naming the parameter that cannot work: a DAG would wait for ever for a table that
        there is not.
    """
    if table not in TABLES and not _is(_WIDE_TABLE, table):
        raise DSConfigurationError(
            f"table must be one of {', '.join(TABLES)}, or a wide one such as demarche_12345: got {table!r}"
        )
    if not _is(_DATASET, dataset):
        raise DSConfigurationError(f"dataset must be the name of a database schema: got {dataset!r}")
    warehouse = quote(warehouse_conn_id, safe="") if warehouse_conn_id else _EMBEDDED
    return _asset(f"{_TABLE_SCHEME}://{warehouse}/{dataset}/{table}")


def is_ours(outlet: Any) -> bool:
    """Whether it is an asset of those that are made here."""
    return isinstance(outlet, Asset) and urlsplit(outlet.uri).scheme in (_GROUPE_SCHEME, _TABLE_SCHEME)


def _groupe_asset(number: int | str, host: str, stream: str) -> Asset:
    if isinstance(number, bool) or not re.fullmatch("[1-9][0-9]*", str(number)):
        raise DSConfigurationError(f"groupe_instructeur_number must be a whole number from 1 on: got {number!r}")
    return _asset(f"{_GROUPE_SCHEME}://{_netloc(host)}/groupes-instructeurs/{number}/{stream}")


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _netloc(host: object) -> str:
    """The host and, where it is not the scheme's own, the port."""
    scheme, _, rest = host.strip().lower().rpartition("://") if isinstance(host, str) else ("", "", "")
    netloc = rest.split("/")[0].removesuffix(_DEFAULT_PORT[scheme or "https"]) if scheme in ("", *_DEFAULT_PORT) else ""
    if not _NETLOC.fullmatch(netloc):
        # not shown: a token may have been pasted there
        raise DSConfigurationError(f"host must be a host name or the URL of the API, such as {PUBLIC_HOST}")
    return netloc


def _asset(uri: str) -> Asset:
    return Asset(name=uri, uri=uri)
