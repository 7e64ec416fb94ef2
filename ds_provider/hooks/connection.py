"""Settings of the clients, from an Airflow connection.

Each field is checked before the first request. No error shows a field that might hold the token.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import Connection

from ds_provider import __version__
from ds_provider.api.budget.limiter import Budget, budget_key
from ds_provider.api.budget.stores import Store, open_store
from ds_provider.api.transport.client import READ_TIMEOUT_SECONDS
from ds_provider.constants import DISTRIBUTION, PUBLIC_HOST
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.airflow_home import airflow_home
from ds_provider.hooks.extras import extra_of

PATH = "/api/v2/graphql"
MIN_READ_TIMEOUT_SECONDS, MAX_READ_TIMEOUT_SECONDS = 60.0, 3600.0
# three quarters of what the public service allows a token, all its jobs taken together
REQUESTS_PER_MINUTE = 300
# the public service allows 400; other instances, and the sandbox, set their own limit
MAX_REQUESTS_PER_MINUTE = 100_000

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
# characters that an HTTP header can carry, blanks left out: anything else was pasted by mistake
_TOKEN = re.compile(r"[\x21-\x7e]+")


def client_settings(connection: Connection) -> dict[str, Any]:
    """Return the arguments with which the clients are made.

    :raises DSConfigurationError: naming the connection and the field that cannot work.
    """
    url, token = endpoint(connection), _token(connection)
    return {
        "url": url,
        "token": token,
        "user_agent": user_agent(),
        "read_timeout": _read_timeout(connection),
        "budget": Budget(_store(connection), budget_key(token, urlsplit(url).netloc), _requests_per_minute(connection)),
    }


def secrets_in(settings: dict[str, Any]) -> list[Any]:
    """Return the values that no log may show."""
    return [settings["token"], *settings["budget"].secrets]


def user_agent() -> str:
    """Return the name under which the provider calls the service: itself and Airflow, each with its version."""
    return f"{DISTRIBUTION}/{__version__} apache-airflow/{version('apache-airflow')}"


def endpoint(connection: Connection) -> str:
    """Return the URL of a connection's GraphQL endpoint.

    :raises DSConfigurationError: if its host is no host.
    """
    host = (connection.host or "").strip().rstrip("/") or PUBLIC_HOST
    if "@" in host:
        raise _refused(connection, "the host holds a user or a password: put the token in the password alone")
    url = host if "://" in host else f"{_scheme(connection)}://{host}"
    try:
        parts = urlsplit(url)
        port = parts.port or connection.port
    except ValueError:
        raise _no_host(connection) from None
    if parts.query or parts.fragment:
        raise _refused(connection, "the host is a URL with a query: give the address of the API alone")
    if url.endswith(":") or parts.scheme not in ("http", "https") or not _HOST_NAME.fullmatch(parts.hostname or ""):
        raise _no_host(connection)
    if port is not None and not 0 < port < 65536:
        raise _refused(connection, f"the port must be between 1 and 65535: got {port}")
    name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path or PATH}"


def _scheme(connection: Connection) -> str:
    scheme = (connection.schema or "https").strip().lower()
    if scheme not in ("http", "https"):
        raise _refused(connection, f"the schema must be http or https, or left empty: got {connection.schema!r}")
    return scheme


def _token(connection: Connection) -> str:
    token = (connection.password or "").strip()
    if not token:
        raise _refused(connection, "it has no token: put the API token in its password")
    if not _TOKEN.fullmatch(token):
        raise _refused(connection, "the password is no token: it holds blanks or accented letters")
    return token


def _read_timeout(connection: Connection) -> float:
    seconds = _number(_extra(connection, "read_timeout", READ_TIMEOUT_SECONDS))
    if not MIN_READ_TIMEOUT_SECONDS <= seconds <= MAX_READ_TIMEOUT_SECONDS:
        raise _refused(
            connection,
            f"read_timeout must be between {MIN_READ_TIMEOUT_SECONDS:.0f} and {MAX_READ_TIMEOUT_SECONDS:.0f} seconds, "
            "since the service itself takes up to a minute",
        )
    return seconds


def _requests_per_minute(connection: Connection) -> int:
    given = _extra(connection, "requests_per_minute", REQUESTS_PER_MINUTE)
    requests = _number(given)
    if isinstance(given, bool) or not requests.is_integer() or not 1 <= requests <= MAX_REQUESTS_PER_MINUTE:
        raise _refused(
            connection,
            f"requests_per_minute must be a whole number between 1 and {MAX_REQUESTS_PER_MINUTE}; "
            "the public service allows a token 400, all its jobs taken together",
        )
    return int(requests)


def _store(connection: Connection) -> Store:
    # a file in Airflow's home, one for each user: the tasks of a machine share it with no setup
    file = (airflow_home() / f"ds_budget_{os.getuid()}.sqlite").as_uri().replace("file:", "sqlite:", 1)
    given = _extra(connection, "budget_url", file)
    if not isinstance(given, str):
        raise _refused(connection, "budget_url must be a text")
    try:
        return open_store(given.strip())
    except DSConfigurationError as error:
        raise _refused(connection, str(error)) from None


def _extra(connection: Connection, name: str, default: object) -> Any:
    """Return one value of the extra, or the default: an empty field of Airflow's form is null or an empty text."""
    value = extra_of(connection).get(name)
    return default if value is None or value == "" else value


def _number(given: Any) -> float:
    """Return a number, or 0, which is within no bounds, for anything else."""
    try:
        return float(given)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _no_host(connection: Connection) -> DSConfigurationError:
    example = f"https://{PUBLIC_HOST}{PATH}"
    return _refused(connection, f"the host must be a host name or the URL of the API, such as {example}")


def _refused(connection: Connection, why: str) -> DSConfigurationError:
    return DSConfigurationError(f"connection {connection.conn_id!r}: {why}")
