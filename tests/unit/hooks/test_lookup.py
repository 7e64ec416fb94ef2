"""A connection that is there and that Airflow cannot read is an error of its own, and not one that is not defined."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook

TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="

UNREADABLE = {
    "port that is no number": ({"port": "abc"}, "the port"),
    "port that is a list": ({"port": [443]}, "the port|JSON object or a URI"),
    "host that is a number": ({"host": 12}, "the host"),
    "schema that is a list": ({"schema": ["https"]}, "the schema"),
    "password that is a number": ({"password": 12}, "the password"),
    "password with half a character": ({"password": "a\ud800"}, "the password"),
    "field of another name": ({"user": "me"}, "the field 'user'"),
    "extra that is no object": ({"extra": "[1]"}, "the extra"),
}


def open_client() -> None:
    with DSHook().client():
        pass


def open_async_client() -> None:
    async def enter() -> None:
        async with DSHook().async_client():
            pass

    asyncio.run(enter())


@pytest.mark.parametrize("open_one", [open_client, open_async_client], ids=["sync", "async"])
@pytest.mark.parametrize(("fields", "named"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_variable_is_refused_by_connection_and_field(monkeypatch, open_one, fields, named):
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps({"conn_type": "ds", "password": TOKEN, **fields}))
    with pytest.raises(DSConfigurationError, match=rf"connection 'ds_default': .*({named})") as caught:
        open_one()
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [f"ds://:{TOKEN}@h:port", "ds://user:to/ken@h", f"ds://:{TOKEN}@h:99999", f"ds://a://b://:{TOKEN}@h", "{", "[1]"],
)
def test_unreadable_text_is_refused_without_showing_it(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value)
    works, message = DSHook().test_connection()
    assert works is False
    assert "connection 'ds_default'" in message
    assert TOKEN not in message
    assert "'to'" not in message


class Backend:
    """Secrets backend that hands on a whole connection, as Vault's does."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def get_connection(self, conn_id: str) -> Connection:
        return Connection(conn_id=conn_id, conn_type="ds", **{"password": TOKEN, **self._fields})


def test_backend_may_hand_on_an_extra_as_an_object(monkeypatch):
    backend = Backend(extra={"read_timeout": 120}, host="h.test", port="81")
    monkeypatch.setattr("ds_provider.hooks.lookup.ensure_secrets_loaded", lambda default: [backend])
    assert DSHook("ds_elsewhere").endpoint == "https://h.test:81/api/v2/graphql"


def test_warehouse_of_an_unreadable_variable_is_refused(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "postgres", "port": "abc"}))
    with pytest.raises(DSConfigurationError, match="connection 'warehouse': the port"):
        DSWarehouseHook("warehouse").warehouse()


def test_connection_that_is_nowhere_is_not_defined():
    with pytest.raises(AirflowNotFoundException, match="ds_nowhere"):
        DSHook("ds_nowhere").run("{ __typename }")
    assert DSHook("ds_nowhere").test_connection() == (False, "The conn_id `ds_nowhere` isn't defined")
