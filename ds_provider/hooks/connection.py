"""Settings of the clients, from an Airflow connection.

Each field is checked before the first request. No error shows a field that might hold the token.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
from airflow.sdk import Connection

from ds_provider import __version__
from ds_provider.api.budget.limiter import Budget, budget_key
from ds_provider.api.budget.stores import Store, open_store
from ds_provider.api.transport.client import READ_TIMEOUT_SECONDS
from ds_provider.constants import DISTRIBUTION, PUBLIC_HOST
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.airflow_home import airflow_home
from ds_provider.hooks.extras import known_extra_of
from ds_provider.hooks.fields import MAX_PORT, is_readable, port_of, refused, text_of

PATH = "/api/v2/graphql"
MIN_READ_TIMEOUT_SECONDS, MAX_READ_TIMEOUT_SECONDS = 60.0, 3600.0
# three quarters of what the public service allows a token, all its jobs taken together
REQUESTS_PER_MINUTE = 300
# the public service allows 400; other instances, and the sandbox, set their own limit
MAX_REQUESTS_PER_MINUTE = 100_000

EXTRA_FIELDS = ("read_timeout", "requests_per_minute", "budget_url")

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
# urlsplit would drop them without a word
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
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
        "connection": connection.conn_id,
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
    host = text_of(connection, "host").strip().rstrip("/") or PUBLIC_HOST
    if "@" in host:
        raise refused(connection, "the host holds a user or a password: put the token in the password alone")
    url = host if "://" in host else f"{_scheme(connection)}://{f'[{host}]' if _is_ipv6(host) else host}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_host(connection) from None
    if parts.query or parts.fragment:
        raise refused(connection, "the host is a URL with a query: give the address of the API alone")
    if url.endswith(":") or parts.scheme not in ("http", "https") or _BLANK.search(url):
        raise _no_host(connection)
    if port == 0:
        raise refused(connection, f"the port in the host must be between 1 and {MAX_PORT}")
    return _checked_url(connection, parts, port or port_of(connection))


def _checked_url(connection: Connection, parts: SplitResult, port: int | None) -> str:
    name = parts.hostname or ""
    if not _HOST_NAME.fullmatch(name) and not _is_ipv6(name):
        raise _no_host(connection)
    # what is counted and compared by address is one for both ways to write it
    shown = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    address = f"{f'[{name}]' if _is_ipv6(name) else name}{shown}"
    url = f"{parts.scheme}://{address}{parts.path or PATH}"
    try:
        httpx.URL(url)
    except httpx.InvalidURL:
        raise _no_host(connection) from None
    return url


def _is_ipv6(host: str) -> bool:
    # a zone such as ``%eth0`` has no place in a URL
    try:
        return "%" not in host and ip_address(host).version == 6
    except ValueError:
        return False


def _scheme(connection: Connection) -> str:
    given = text_of(connection, "schema")
    scheme = given.strip().lower() or "https"
    if scheme not in ("http", "https"):
        raise refused(connection, f"the schema must be http or https, or left empty: got {given!r}")
    return scheme


def _token(connection: Connection) -> str:
    token = text_of(connection, "password").strip()
    if not token:
        raise refused(connection, "it has no token: put the API token in its password")
    if not _TOKEN.fullmatch(token):
        raise refused(connection, "the password is no token: it holds blanks or accented letters")
    return token


def _read_timeout(connection: Connection) -> float:
    seconds = _number(_extra(connection, "read_timeout", READ_TIMEOUT_SECONDS))
    if not MIN_READ_TIMEOUT_SECONDS <= seconds <= MAX_READ_TIMEOUT_SECONDS:
        raise refused(
            connection,
            f"read_timeout must be between {MIN_READ_TIMEOUT_SECONDS:.0f} and {MAX_READ_TIMEOUT_SECONDS:.0f} seconds, "
            "since the service itself takes up to a minute",
        )
    return seconds


def _requests_per_minute(connection: Connection) -> int:
    given = _extra(connection, "requests_per_minute", REQUESTS_PER_MINUTE)
    requests = _number(given)
    if isinstance(given, bool) or not requests.is_integer() or not 1 <= requests <= MAX_REQUESTS_PER_MINUTE:
        raise refused(
            connection,
            f"requests_per_minute must be a whole number between 1 and {MAX_REQUESTS_PER_MINUTE}; "
            "the public service allows a token 400, all its jobs taken together",
        )
    return int(requests)


def _store(connection: Connection) -> Store:
    # a file in Airflow's home, one for each user: the tasks of a machine share it with no setup
    file = (airflow_home() / f"ds_budget_{os.getuid()}.sqlite").as_uri().replace("file:", "sqlite:", 1)
    given = _extra(connection, "budget_url", file)
    if not isinstance(given, str) or not is_readable(given):
        raise refused(connection, "budget_url must be a text")
    try:
        return open_store(given.strip())
    except DSConfigurationError as error:
        raise refused(connection, str(error)) from None


def _extra(connection: Connection, name: str, default: object) -> Any:
    """Return one value of the extra, or the default: an empty field of Airflow's form is null or an empty text."""
    value = known_extra_of(connection, EXTRA_FIELDS).get(name)
    return default if value is None or (isinstance(value, str) and not value.strip()) else value


def _number(given: Any) -> float:
    """Return a number, or 0, which is within no bounds, for anything else."""
    try:
        return float(given)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _no_host(connection: Connection) -> DSConfigurationError:
    example = f"https://{PUBLIC_HOST}{PATH}"
    return refused(connection, f"the host must be a host name or the URL of the API, such as {example}")
