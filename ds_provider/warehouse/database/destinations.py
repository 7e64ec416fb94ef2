"""Destinations: the database that a connection's plain fields mean.

The tests run DuckDB and Postgres. MySQL, BigQuery, Snowflake and ClickHouse are passed to dlt as it documents them:
only the translation of their fields is tested.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ds_provider.constants import DISTRIBUTION, DUCKDB_CONNECTION_TYPE
from ds_provider.exceptions import DSConfigurationError

_WAREHOUSE = f"'{DISTRIBUTION}[warehouse]'"

# for each kind, the modules that dlt needs to reach it, and what installs them
_DRIVERS = {
    "duckdb": (("duckdb",), _WAREHOUSE),
    "postgres": (("psycopg2", "adbc_driver_postgresql"), f"'{DISTRIBUTION}[warehouse-postgres]'"),
    "sqlalchemy": (("sqlalchemy", "alembic", "pymysql"), "'dlt[sqlalchemy]' pymysql"),
    "bigquery": (("google.cloud.bigquery",), "'dlt[bigquery]'"),
    "snowflake": (("snowflake.connector",), "'dlt[snowflake]'"),
    "clickhouse": (("clickhouse_driver", "clickhouse_connect"), "'dlt[clickhouse]'"),
}
# the names in the extra of Airflow's Postgres connections that libpq knows too
_LIBPQ_EXTRAS = (
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "channel_binding", "gssencmode"),
    *("connect_timeout", "application_name", "options", "target_session_attrs"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
)
# a statement that waits for a lock makes all later ones wait: it gives up, and is tried again later
LOCK_TIMEOUT = "-clock_timeout=5s"
_SNOWFLAKE_EXTRAS = {
    "warehouse": "warehouse",
    "role": "role",
    "authenticator": "authenticator",
    "private_key_file": "private_key_path",
    "private_key_content": "private_key",
}
_HOST = re.compile(r"[^\s\x00-\x1f/?#@:\[\]\\]+")
_GOOGLE_PREFIX = "extra__google_cloud_platform__"


@dataclass(frozen=True)
class ConnectionFields:
    """Fields of a connection."""

    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Destination:
    """Database that rows can be merged into.

    :param kind: dlt's name of it.
    :param name: for people and logs; it holds no secret.
    :param credentials: in dlt's form: a URL for Postgres, a path for DuckDB.
    :param options: other arguments of dlt's destination.
    :param secrets: texts that no log and no error may show.
    """

    kind: str
    name: str
    credentials: Any = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def destination_of(fields: ConnectionFields) -> Destination:
    """Return the database that a connection means.

    :raises DSConfigurationError: if rows cannot be merged into it, or a field is missing.
    """
    kind = fields.conn_type.strip().lower()
    if kind not in _BUILDERS:
        known = ", ".join(sorted(_BUILDERS))
        raise DSConfigurationError(f"connection type {kind!r} takes no merged rows: give a database, one of {known}")
    return _BUILDERS[kind](fields)


def duckdb_file(path: Path) -> Destination:
    """Return a DuckDB database in a file."""
    return Destination("duckdb", f"DuckDB {path}", str(path))


def require_drivers(kind: str) -> None:
    """Raise if a module that a kind of database needs is not installed.

    :raises DSConfigurationError: naming what to install.
    """
    modules, packages = _DRIVERS[kind]
    for needed, source in ((("dlt", "pyarrow"), _WAREHOUSE), (modules, packages)):
        if missing := [name for name in needed if not _is_installed(name)]:
            raise DSConfigurationError(f"a warehouse in {kind} needs {', '.join(missing)}: pip install {source}")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _postgres(fields: ConnectionFields) -> Destination:
    """Return a Postgres database. A host that begins with a slash is the folder of a socket, as for libpq."""
    _require(fields, "login", "schema")
    host = fields.host.strip() or "localhost"
    port = fields.port or 5432
    query = {name: _libpq_value(name, value) for name, value in _given(fields.extra, _LIBPQ_EXTRAS).items()}
    # the last one holds: the connection's own. dlt writes a space as a plus, which libpq does not read as one
    if fields.extra.get("options") != "":
        query["options"] = f"{LOCK_TIMEOUT} {query.get('options', '')}".strip().replace(" ", "\t")
    if host.startswith("/"):
        query["host"] = host
    address = "localhost" if host.startswith("/") else _address(host)
    url = f"postgresql://{_user_info(fields)}@{address}:{port}/{quote(fields.schema, safe='')}"
    url += f"?{urlencode(query, quote_via=quote)}" if query else ""
    return Destination("postgres", f"Postgres {host}:{port}/{fields.schema}", url, secrets=_secrets(fields))


def _duckdb(fields: ConnectionFields) -> Destination:
    """Return a DuckDB file. Of a URI such as ``dsduckdb:///data/w.duckdb``, Airflow leaves ``data/w.duckdb``."""
    given = fields.host.strip() or (fields.schema and f"/{fields.schema.strip().removeprefix('/')}")
    path = Path(given)
    # a user that does not exist has no home
    with suppress(RuntimeError):
        path = path.expanduser()
    if not path.is_absolute() or path.name in ("", ".."):
        raise DSConfigurationError(
            f"a DuckDB connection's host must be a file's whole path, such as /data/warehouse.duckdb: got {given!r}"
        )
    return duckdb_file(path)


def _mysql(fields: ConnectionFields) -> Destination:
    """Return a MySQL server. There a dataset is a database of its own; the schema is only the first connection's."""
    _require(fields, "host", "login")
    port = fields.port or 3306
    host = fields.host.strip()
    url = f"mysql+pymysql://{_user_info(fields)}@{_address(host)}:{port}/{quote(fields.schema, safe='')}"
    return Destination("sqlalchemy", f"MySQL {host}:{port}", url, secrets=_secrets(fields))


def _bigquery(fields: ConnectionFields) -> Destination:
    """Return a BigQuery project. Without a key, Google's library finds the credentials on the machine."""
    extra = {name.removeprefix(_GOOGLE_PREFIX): value for name, value in fields.extra.items()}
    key = _google_key(extra)
    project = extra.get("project") or extra.get("project_id") or (key or {}).get("project_id")
    options = _given_texts({**extra, "project_id": project}, ("project_id", "location"))
    secrets = (str(key["private_key"]),) if key and key.get("private_key") else ()
    return Destination("bigquery", f"BigQuery {project or 'of the machine'}", key, options, secrets)


def _google_key(extra: Mapping[str, Any]) -> dict[str, Any] | None:
    given = extra.get("keyfile_dict")
    try:
        if not given and extra.get("key_path"):
            given = Path(str(extra["key_path"])).read_text()
        key = json.loads(given) if isinstance(given, str) and given else given
    except (OSError, ValueError, RecursionError):
        raise DSConfigurationError(
            "a Google connection's keyfile_dict or key_path holds no key that can be read"
        ) from None
    if key and not isinstance(key, dict):
        raise DSConfigurationError("a Google connection's keyfile_dict must be a JSON object")
    return key or None


def _snowflake(fields: ConnectionFields) -> Destination:
    _require(fields, "login")
    named = _given_texts(fields.extra, ("account", "database"))
    account, database = named.get("account") or fields.host.strip(), named.get("database")
    if not account or not database:
        raise DSConfigurationError("a Snowflake connection's extra must hold its account and its database")
    credentials = {"host": account, "database": database, "username": fields.login}
    given = {_SNOWFLAKE_EXTRAS[name]: value for name, value in _given_texts(fields.extra, _SNOWFLAKE_EXTRAS).items()}
    has_key = bool(given.keys() & {"private_key", "private_key_path"})
    if fields.password:
        credentials["private_key_passphrase" if has_key else "password"] = fields.password
    secrets = (*_secrets(fields), *([str(given["private_key"])] if "private_key" in given else []))
    return Destination("snowflake", f"Snowflake {account}/{database}", {**credentials, **given}, secrets=secrets)


def _clickhouse(fields: ConnectionFields) -> Destination:
    """Return a ClickHouse database. The port is the native protocol's; dlt needs HTTP's too (extra ``http_port``)."""
    _require(fields, "host")
    host = fields.host.strip()
    _address(host)
    credentials: dict[str, Any] = {
        "host": host,
        "username": fields.login or "default",
        "password": fields.password,
        "database": fields.schema or "default",
    }
    if fields.port:
        credentials["port"] = fields.port
    given = _given(fields.extra, ("http_port", "secure"))
    if "http_port" in given:
        credentials["http_port"] = _http_port(given["http_port"])
    if "secure" in given:
        credentials["secure"] = _secure(given["secure"])
    name = f"ClickHouse {host}/{credentials['database']}"
    return Destination("clickhouse", name, credentials, secrets=_secrets(fields))


def _require(fields: ConnectionFields, *names: str) -> None:
    for name in names:
        if not getattr(fields, name).strip():
            raise DSConfigurationError(f"a {fields.conn_type} connection needs its {name}")


def _given(extra: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the values that are given: an empty field of Airflow's form is null or an empty text."""
    return {name: extra[name] for name in names if extra.get(name) not in (None, "")}


def _given_texts(extra: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    given = _given(extra, names)
    for name, value in given.items():
        if not isinstance(value, str):
            raise DSConfigurationError(f"{name} in the extra must be a text, and is of type {type(value).__name__}")
    return given


def _libpq_value(name: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise DSConfigurationError(f"{name} in the extra must be a text or a number, not {type(value).__name__}")
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if "\0" in text or text != text.encode(errors="replace").decode():
        raise DSConfigurationError(f"{name} in the extra holds a NUL or an escape that is no character")
    return text


def _http_port(value: Any) -> int:
    text = str(value).strip()
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise DSConfigurationError("http_port in the extra must be a whole number between 1 and 65535")
    return int(text)


def _secure(value: Any) -> int:
    text = str(value).strip().lower()
    if text not in ("1", "true", "0", "false"):
        raise DSConfigurationError("secure in the extra must be true or false")
    return int(text in ("1", "true"))


def _user_info(fields: ConnectionFields) -> str:
    return f"{quote(fields.login, safe='')}:{quote(fields.password, safe='')}"


def _address(host: str) -> str:
    """Return a host as a URL writes it.

    :raises DSConfigurationError: if it is not the name or the address of one.
    """
    with suppress(ValueError):
        return f"[{ip}]" if (ip := ip_address(host.strip("[]"))).version == 6 else host
    if not _HOST.fullmatch(host):
        raise DSConfigurationError("the host must be a host name or an address alone, its port in the port")
    return host


def _secrets(fields: ConnectionFields) -> tuple[str, ...]:
    """Return the password, as it is and as it is written in a URL."""
    return tuple(dict.fromkeys(one for one in (fields.password, quote(fields.password, safe="")) if one))


_BUILDERS: dict[str, Callable[[ConnectionFields], Destination]] = {
    "postgres": _postgres,
    "postgresql": _postgres,
    DUCKDB_CONNECTION_TYPE: _duckdb,
    # of another provider, or by a variable
    "duckdb": _duckdb,
    "mysql": _mysql,
    "google_cloud_platform": _bigquery,
    "gcpbigquery": _bigquery,
    "snowflake": _snowflake,
    "clickhouse": _clickhouse,
}
