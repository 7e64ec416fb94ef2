"""From a connection's plain fields to the database that they mean.

DuckDB and Postgres are what the tests run. MySQL, BigQuery, Snowflake and ClickHouse are given to dlt as it documents
them: only the translation of their fields is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ds_provider.exceptions import DSConfigurationError

_DISTRIBUTION = "airflow-provider-demarches-simplifiees"
_WAREHOUSE = f"'{_DISTRIBUTION}[warehouse]'"

# of each kind, the modules without which dlt cannot reach it, and what brings them
_DRIVERS = {
    "duckdb": (("duckdb",), _WAREHOUSE),
    "postgres": (("psycopg2", "adbc_driver_postgresql"), f"'{_DISTRIBUTION}[warehouse-postgres]'"),
    "sqlalchemy": (("sqlalchemy", "alembic", "pymysql"), "'dlt[sqlalchemy]' pymysql"),
    "bigquery": (("google.cloud.bigquery",), "'dlt[bigquery]'"),
    "snowflake": (("snowflake.connector",), "'dlt[snowflake]'"),
    "clickhouse": (("clickhouse_driver", "clickhouse_connect"), "'dlt[clickhouse]'"),
}
_FILES = frozenset(
    {"adls", "aws", "azure_data_lake", "file", "filesystem", "fs", "ftp", "gcs", "hdfs", "s3", "samba", "sftp", "wasb"}
)
# what libpq understands of what Airflow keeps in a Postgres connection's extra
_LIBPQ_EXTRAS = (
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "channel_binding", "gssencmode"),
    *("connect_timeout", "application_name", "options", "target_session_attrs"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
)
_SNOWFLAKE_EXTRAS = {
    "warehouse": "warehouse",
    "role": "role",
    "authenticator": "authenticator",
    "private_key_file": "private_key_path",
    "private_key_content": "private_key",
}
_GOOGLE_PREFIX = "extra__google_cloud_platform__"


@dataclass(frozen=True)
class Fields:
    """What a connection holds."""

    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Destination:
    """A database that rows can be merged into.

    :param kind: as dlt names it.
    :param name: for people and logs; it holds no secret.
    :param credentials: as dlt takes them; a URL for Postgres, a path for DuckDB.
    :param options: what else dlt is to know of it.
    :param secrets: what no log and no error may show.
    """

    kind: str
    name: str
    credentials: Any = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def destination_of(fields: Fields) -> Destination:
    """The database that a connection means.

    :raises DSConfigurationError: if it is none that rows can be merged into, or a field is missing.
    """
    kind = fields.conn_type.strip().lower()
    if kind in _FILES:
        raise DSConfigurationError(
            f"connection type {kind!r} holds files, into which no row can be merged: give a database, such as Postgres"
        )
    builder = _BUILDERS.get(kind)
    if builder is None:
        known = ", ".join(sorted(_BUILDERS))
        raise DSConfigurationError(f"connection type {kind!r} cannot hold a warehouse: give one of {known}")
    return builder(fields)


def duckdb_file(path: Path) -> Destination:
    """A DuckDB database in a file."""
    return Destination("duckdb", f"DuckDB {path}", str(path))


def require_drivers(kind: str) -> None:
    """Check that what a kind of database needs is installed.

    :raises DSConfigurationError: naming what to install.
    """
    modules, what = _DRIVERS[kind]
    missing = [name for name in ("dlt", "pyarrow") if not _is_installed(name)]
    if missing:
        raise DSConfigurationError(
            f"the warehouse needs the extra [warehouse] ({', '.join(missing)}): pip install {_WAREHOUSE}"
        )
    missing = [name for name in modules if not _is_installed(name)]
    if missing:
        raise DSConfigurationError(f"a warehouse in {kind} needs {', '.join(missing)}: pip install {what}")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _postgres(fields: Fields) -> Destination:
    """A host that begins with a slash is the folder of a socket, as for libpq."""
    _require(fields, "login", "schema")
    host = fields.host.strip() or "localhost"
    port = fields.port or 5432
    query = {name: str(fields.extra[name]) for name in _LIBPQ_EXTRAS if _given(fields.extra.get(name))}
    if host.startswith("/"):
        query["host"] = host
    address = "localhost" if host.startswith("/") else _bracketed(host)
    url = f"postgresql://{_user_info(fields)}@{address}:{port}/{quote(fields.schema, safe='')}"
    url += f"?{urlencode(query, quote_via=quote)}" if query else ""
    return Destination("postgres", f"Postgres {host}:{port}/{fields.schema}", url, secrets=_secrets(fields))


def _duckdb(fields: Fields) -> Destination:
    given = (fields.host or fields.schema).strip()
    path = Path(given).expanduser()
    if not path.is_absolute() or path.name in ("", ".."):
        raise DSConfigurationError(
            f"a DuckDB connection's host must be a file's whole path, such as /data/warehouse.duckdb: got {given!r}"
        )
    return duckdb_file(path)


def _mysql(fields: Fields) -> Destination:
    """In MySQL a dataset is a database of its own; the schema is only the one that is connected to."""
    _require(fields, "host", "login")
    port = fields.port or 3306
    url = f"mysql+pymysql://{_user_info(fields)}@{_bracketed(fields.host)}:{port}/{quote(fields.schema, safe='')}"
    return Destination("sqlalchemy", f"MySQL {fields.host}:{port}", url, secrets=_secrets(fields))


def _bigquery(fields: Fields) -> Destination:
    """With no key, the credentials are those that Google's library finds on the machine."""
    extra = {name.removeprefix(_GOOGLE_PREFIX): value for name, value in fields.extra.items()}
    key = _google_key(extra)
    project = extra.get("project") or extra.get("project_id") or (key or {}).get("project_id")
    options = {"project_id": project, "location": extra.get("location")}
    secrets = (str(key["private_key"]),) if key and key.get("private_key") else ()
    return Destination(
        "bigquery",
        f"BigQuery {project or 'of the machine'}",
        key,
        {name: value for name, value in options.items() if _given(value)},
        secrets,
    )


def _google_key(extra: Mapping[str, Any]) -> dict[str, Any] | None:
    given = extra.get("keyfile_dict")
    try:
        if not given and extra.get("key_path"):
            given = Path(str(extra["key_path"])).read_text()
        key = json.loads(given) if isinstance(given, str) and given else given
    except (OSError, ValueError):
        raise DSConfigurationError(
            "a Google connection's keyfile_dict or key_path holds no key that can be read"
        ) from None
    if key and not isinstance(key, dict):
        raise DSConfigurationError("a Google connection's keyfile_dict must be a JSON object")
    return key or None


def _snowflake(fields: Fields) -> Destination:
    _require(fields, "login")
    account, database = fields.extra.get("account") or fields.host, fields.extra.get("database")
    if not account or not database:
        raise DSConfigurationError("a Snowflake connection's extra must hold its account and its database")
    credentials = {"host": account, "database": database, "username": fields.login}
    given = {
        ours: fields.extra[theirs] for theirs, ours in _SNOWFLAKE_EXTRAS.items() if _given(fields.extra.get(theirs))
    }
    has_key = bool(given.keys() & {"private_key", "private_key_path"})
    if fields.password:
        credentials["private_key_passphrase" if has_key else "password"] = fields.password
    secrets = (*_secrets(fields), *([str(given["private_key"])] if "private_key" in given else []))
    return Destination("snowflake", f"Snowflake {account}/{database}", {**credentials, **given}, secrets=secrets)


def _clickhouse(fields: Fields) -> Destination:
    """The port is the native protocol's; dlt needs that of HTTP too (extra ``http_port``)."""
    _require(fields, "host")
    credentials: dict[str, Any] = {
        "host": fields.host,
        "username": fields.login or "default",
        "password": fields.password,
        "database": fields.schema or "default",
    }
    if fields.port:
        credentials["port"] = fields.port
    if _given(fields.extra.get("http_port")):
        credentials["http_port"] = int(fields.extra["http_port"])
    if _given(fields.extra.get("secure")):
        credentials["secure"] = int(str(fields.extra["secure"]).lower() in ("1", "true"))
    name = f"ClickHouse {fields.host}/{credentials['database']}"
    return Destination("clickhouse", name, credentials, secrets=_secrets(fields))


def _require(fields: Fields, *names: str) -> None:
    for name in names:
        if not getattr(fields, name).strip():
            raise DSConfigurationError(f"a {fields.conn_type} connection needs its {name}")


def _given(value: Any) -> bool:
    return value is not None and value != ""


def _user_info(fields: Fields) -> str:
    return f"{quote(fields.login, safe='')}:{quote(fields.password, safe='')}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _secrets(fields: Fields) -> tuple[str, ...]:
    """The password, and as it is written in a URL."""
    return tuple(dict.fromkeys(one for one in (fields.password, quote(fields.password, safe="")) if one))


_BUILDERS: dict[str, Callable[[Fields], Destination]] = {
    "postgres": _postgres,
    "postgresql": _postgres,
    "duckdb": _duckdb,
    "mysql": _mysql,
    "google_cloud_platform": _bigquery,
    "gcpbigquery": _bigquery,
    "snowflake": _snowflake,
    "clickhouse": _clickhouse,
}
