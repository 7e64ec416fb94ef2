"""``airflow ds check``: a connection, its token, its budget and the installation, step by step."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import parse_number
from ds_provider.api.transport.client import DSClient
from ds_provider.api.transport.clock import WARN_SECONDS
from ds_provider.api.transport.environment import CA_FILE, CA_FOLDER, http_options, proxy_variable
from ds_provider.cli.command import command, exit_code, message_of, print_rows
from ds_provider.cli.installation import missing_by_extra
from ds_provider.constants import DISTRIBUTION
from ds_provider.exceptions import DSError
from ds_provider.hooks.connection import client_settings, secrets_in
from ds_provider.hooks.ds import TEST_TIMEOUT_SECONDS, DSHook
from ds_provider.hooks.lookup import find_connection
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.warehouse.database.duckdb_check import check_duckdb
from ds_provider.wording import counted

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Step:
    """Result of one step.

    :param result: ``ok``, ``warning`` or ``error``.
    :param detail: what was found; of an error with its remedy.
    """

    check: str
    result: str
    detail: str
    remedy: str = ""
    code: int = 0

    @classmethod
    def failed(cls, check: str, error: Exception) -> Step:
        """Return the step that an error ended."""
        return cls(check, "error", message_of(error, "check"), code=exit_code(error))


@command
def check(args: Namespace) -> int:
    """Print a row for each step, and return the exit code of the first that failed."""
    demarche = parse_number(args.demarche, "demarche") if args.demarche else None
    steps = [*_connection_steps(args.conn_id, demarche), _extras(), _warehouse(args)]
    print_rows([{name: value for name, value in asdict(step).items() if name != "code"} for step in steps], args.output)
    return next((step.code for step in steps if step.code), 0)


def _connection_steps(conn_id: str, demarche: int | None) -> Iterator[Step]:
    """Yield the steps of a connection, each of which needs those before it."""
    try:
        settings = client_settings(find_connection(DSHook(conn_id), conn_id))
    except (DSError, AirflowNotFoundException) as error:
        yield Step.failed("connection", error)
        return
    mask_secret(secrets_in(settings))
    yield Step("connection", "ok", f"{conn_id!r} has all that it needs")
    yield _address(settings["url"])
    yield _budget(settings["budget"])
    try:
        yield _network(settings["url"])
        # someone waits for these requests: they go out even if the minute's requests are spent
        client = DSClient(**settings | {"read_timeout": TEST_TIMEOUT_SECONDS, "budget": None})
    except DSError as error:
        yield Step.failed("network", error)
        return
    with client:
        yield from _service_steps(client, demarche)


def _address(url: str) -> Step:
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in _LOOPBACK:
        return Step("address", "ok", url)
    return Step("address", "warning", f"{url}: the token travels in clear", "give an https:// address as the host")


def _network(url: str) -> Step:
    """Return how the service is called, without the password of a proxy."""
    proxy = http_options(url)["proxy"]
    name = proxy_variable(urlsplit(url).scheme)
    way = f"by the proxy {proxy.url.scheme}://{proxy.url.host}:{proxy.url.port} of {name}" if proxy else "no proxy"
    variable = next((one for one in (CA_FILE, CA_FOLDER) if os.environ.get(one)), None)
    trusted = f"those of {variable} ({os.environ[variable]})" if variable else "those of the package certifi"
    return Step("network", "ok", f"{way}; certification authorities: {trusted}")


def _budget(budget: Budget) -> Step:
    with closing(budget):
        try:
            usage = budget.usage()
        except DSError as error:
            return Step.failed("budget", error)
        place, full = budget.location, budget.requests_per_minute
    spent = f"{usage.spent} of {counted(full, 'request')} a minute spent, counted in {place}"
    if usage.refused_seconds:
        remedy = "other jobs spend this token too: lower requests_per_minute, or give them another token"
        return Step("budget", "warning", f"{spent}; refused for {usage.refused_seconds:.0f} s more", remedy)
    if usage.limit < full:
        remedy = "it grows again by itself; if this recurs, lower requests_per_minute"
        return Step("budget", "warning", f"{spent}; {usage.limit} a minute for now, after a refusal", remedy)
    return Step("budget", "ok", spent)


def _service_steps(client: DSClient, demarche: int | None) -> Iterator[Step]:
    try:
        client.result(lookups.check_token())
    except DSError as error:
        yield Step.failed("token", error)
        return
    yield Step("token", "ok", "the service accepts it, and does not tell its end date: its owner's profile page does")
    yield _clock(client.clock.correction)
    yield _rights(client, demarche)
    yield Step(
        "writing", "ok", "not asked: this package only reads, and the service tells it only in answer to a mutation"
    )


def _clock(correction: float) -> Step:
    if abs(correction) <= WARN_SECONDS:
        return Step("clock", "ok", "this machine's clock agrees with the service's")
    detail = f"this machine's clock differs from the service's by {abs(correction):.0f} s"
    return Step("clock", "warning", detail, "set it by NTP; a sandbox has a clock of its own")


def _rights(client: DSClient, demarche: int | None) -> Step:
    if demarche is None:
        return Step(
            "rights", "ok", "the service has no list of a token's démarches", "--demarche <number> asks for one"
        )
    try:
        groupes = client.result(lookups.get_groupes(demarche))
    except DSError as error:
        return Step.failed("rights", error)
    return Step("rights", "ok", f"démarche {demarche} shows {counted(len(groupes), 'group')}")


def _extras() -> Step:
    """Return which of the package's extras are installed. None of them has to be."""
    missing = missing_by_extra()
    installed = [extra for extra, lacking in missing.items() if not lacking]
    others = [f"{extra} (needs {', '.join(lacking)})" for extra, lacking in missing.items() if lacking]
    detail = f"installed: {', '.join(installed) or 'none'}; not installed: {', '.join(others) or 'none'}"
    return Step("extras", "ok", detail, f"pip install '{DISTRIBUTION}[…]' adds one" if others else "")


def _warehouse(args: Namespace) -> Step:
    given = args.warehouse_conn_id
    try:
        return Step("warehouse", "ok", _found_in(DSWarehouseHook(given, args.dataset).warehouse()))
    except (DSError, AirflowNotFoundException) as error:
        if given is None:
            # nobody has asked for the one in Airflow's home
            return Step("warehouse", "warning", message_of(error, "check"))
        return Step.failed("warehouse", error)


def _found_in(warehouse: Warehouse) -> str:
    """Return what is there, in words. A file is not read, since a load may have it open for an hour."""
    destination = warehouse.destination
    if destination.kind == "duckdb":
        return check_duckdb(Path(str(destination.credentials))).removesuffix(".")
    return f"{warehouse}: {counted(len(warehouse.table_names()), 'table')}"
