"""What a connection says, checked before the first request."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import httpx
from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

from ds_provider.api.client import READ_TIMEOUT_SECONDS
from ds_provider.exceptions import DSConfigurationError

DISTRIBUTION = "airflow-provider-demarches-simplifiees"
PUBLIC_HOST = "demarche.numerique.gouv.fr"
PATH = "/api/v2/graphql"
SHORTEST_READ_TIMEOUT_SECONDS = 60.0

# what an HTTP header can carry without a blank: anything else was pasted by mistake
_TOKEN = re.compile(r"[\x21-\x7e]+")


def client_settings(connection: Connection) -> dict[str, Any]:
    """What the clients are made with.

    :raises DSConfigurationError: naming the connection and the field that cannot work.
    """
    return {
        "url": endpoint(connection),
        "token": _token(connection),
        "user_agent": user_agent(),
        "read_timeout": _read_timeout(connection),
    }


def user_agent() -> str:
    """How the provider names itself to the service: itself and Airflow, each with its version."""
    return f"{DISTRIBUTION}/{version(DISTRIBUTION)} apache-airflow/{version('apache-airflow')}"


def endpoint(connection: Connection) -> str:
    """The URL of the GraphQL endpoint that a connection means.

    :raises DSConfigurationError: if its host is no host.
    """
    host = (connection.host or PUBLIC_HOST).strip().rstrip("/")
    scheme = "" if "://" in host else f"{connection.schema or 'https'}://"
    try:
        url = httpx.URL(scheme + host)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise DSConfigurationError(
            f"connection {connection.conn_id!r}: the host must be a host name or the URL of the API, such as "
            f"https://{PUBLIC_HOST}{PATH}: got {host!r}"
        )
    if url.userinfo:
        raise DSConfigurationError(f"connection {connection.conn_id!r}: put the token in the password, not in the host")
    if connection.port and url.port is None:
        url = url.copy_with(port=connection.port)
    return str(url if url.path not in ("", "/") else url.copy_with(path=PATH))


def _token(connection: Connection) -> str:
    token = (connection.password or "").strip()
    if not token:
        raise DSConfigurationError(f"connection {connection.conn_id!r} has no token: put the API token in its password")
    mask_secret(token)
    if not _TOKEN.fullmatch(token):
        raise DSConfigurationError(
            f"connection {connection.conn_id!r}: the password is no token, it holds blanks or accented letters"
        )
    return token


def _read_timeout(connection: Connection) -> float:
    given = connection.extra_dejson.get("read_timeout")
    if given is None or given == "":
        return READ_TIMEOUT_SECONDS
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = 0.0
    if not SHORTEST_READ_TIMEOUT_SECONDS <= seconds <= 3600.0:
        raise DSConfigurationError(
            f"connection {connection.conn_id!r}: read_timeout must be between {SHORTEST_READ_TIMEOUT_SECONDS:.0f} "
            f"and 3600 seconds, since the service itself takes up to a minute: got {given!r}"
        )
    return seconds
