"""What a connection may say, and what is refused before the first request."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.connection import client_settings, endpoint, user_agent
from ds_provider.hooks.ds import DSHook

TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="
PUBLIC = "https://demarche.numerique.gouv.fr/api/v2/graphql"


def connection(**fields: object) -> Connection:
    return Connection(conn_id="ds_test", conn_type="ds", **{"password": TOKEN, **fields})


def refusal(given: Connection) -> str:
    with pytest.raises(DSConfigurationError) as caught:
        client_settings(given)
    text = str(caught.value)
    assert "\n" not in text
    assert TOKEN not in text
    assert "'ds_test'" in text
    return text


ENDPOINTS = {
    "nothing": ({}, PUBLIC),
    "empty": ({"host": "", "schema": ""}, PUBLIC),
    "blank": ({"host": "  "}, PUBLIC),
    "host": ({"host": "demarche.test"}, "https://demarche.test/api/v2/graphql"),
    "host in capitals": ({"host": "Demarche.TEST"}, "https://demarche.test/api/v2/graphql"),
    "blanks around": ({"host": " demarche.test\n"}, "https://demarche.test/api/v2/graphql"),
    "slash": ({"host": "demarche.test/"}, "https://demarche.test/api/v2/graphql"),
    "scheme": ({"host": "http://demarche.test"}, "http://demarche.test/api/v2/graphql"),
    "schema": ({"host": "demarche.test", "schema": "http"}, "http://demarche.test/api/v2/graphql"),
    "scheme before schema": (
        {"host": "https://demarche.test", "schema": "http"},
        "https://demarche.test/api/v2/graphql",
    ),
    "port": ({"host": "demarche.test", "port": 8443}, "https://demarche.test:8443/api/v2/graphql"),
    "port in the host": ({"host": "demarche.test:8443"}, "https://demarche.test:8443/api/v2/graphql"),
    "port in the host first": ({"host": "demarche.test:8443", "port": 9}, "https://demarche.test:8443/api/v2/graphql"),
    "scheme and port": ({"host": "http://127.0.0.1", "port": 9999}, "http://127.0.0.1:9999/api/v2/graphql"),
    "whole URL": ({"host": "http://127.0.0.1:9999/api/v2/graphql"}, "http://127.0.0.1:9999/api/v2/graphql"),
    "whole URL with a slash": ({"host": f"{PUBLIC}/"}, PUBLIC),
    "another path": ({"host": "https://proxy.test/ds/graphql"}, "https://proxy.test/ds/graphql"),
    "path without a scheme": ({"host": "proxy.test/ds/graphql"}, "https://proxy.test/ds/graphql"),
    "IPv6": ({"host": "http://[::1]:9999"}, "http://[::1]:9999/api/v2/graphql"),
    "public host over http": ({"schema": "http"}, "http://demarche.numerique.gouv.fr/api/v2/graphql"),
}


@pytest.mark.parametrize(("fields", "url"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_where_the_requests_go(fields, url):
    assert client_settings(connection(**fields))["url"] == url


BAD_HOSTS = ["ftp://demarche.test", "http://", "https:///x", "demarche.test:port", "//demarche.test", "a\x00b", "://"]


@pytest.mark.parametrize("host", BAD_HOSTS, ids=repr)
def test_a_host_that_is_none_is_refused_with_an_example(host):
    text = refusal(connection(host=host))
    assert "host" in text
    assert PUBLIC in text


@pytest.mark.parametrize("host", ["demarche test", "mon hôte.test"])
def test_a_host_with_a_blank_in_it_is_refused(host):
    assert "host" in refusal(connection(host=host))


@pytest.mark.parametrize(
    "fields", [{"host": "demarche.test:99999"}, {"host": "demarche.test", "port": 99999}], ids=repr
)
def test_a_port_that_is_none_is_refused(fields):
    refusal(connection(**fields))


@pytest.mark.parametrize("schema", ["ftp", "ds", "api/v2/graphql"])
def test_a_schema_that_is_no_scheme_is_refused_by_name(schema):
    text = refusal(connection(host="demarche.test", schema=schema))
    assert "schema" in text
    assert schema in text


@pytest.mark.parametrize(
    "host",
    [f"https://:{TOKEN}@demarche.test", f"https://{TOKEN}@demarche.test", f"user:{TOKEN}@demarche.test"],
    ids=["password", "user", "no scheme"],
)
def test_a_token_in_the_host_is_refused_and_not_shown(host):
    assert "password" in refusal(connection(host=host))


@pytest.mark.parametrize(
    "host",
    [f"htp://:{TOKEN}@demarche.test", f"https://:{TOKEN}@demarche.test:port", f"//:{TOKEN}@demarche.test", TOKEN],
    ids=["another scheme", "bad port", "no scheme", "nothing else"],
)
def test_a_token_in_a_host_that_is_none_is_not_shown_either(host):
    refusal(connection(host=host))


@given(st.text(max_size=40))
def test_any_host_is_a_url_or_refused_by_the_connection_s_name(host):
    try:
        url = endpoint(Connection(conn_id="ds_test", host=host))
    except DSConfigurationError:
        refusal(connection(host=host))
    else:
        assert url.startswith(("https://", "http://"))


@pytest.mark.parametrize("password", [None, "", "   ", "\n"], ids=repr)
def test_a_missing_token_is_told_with_where_it_goes(password):
    assert "put the API token in its password" in refusal(connection(password=password))


BAD_TOKENS = ["abc def", "abc\ndef", "Bearer abc", "abc\tdef", "abcé", "abc\u00a0def", "abc\x00", "abc\x7f", "“abc”"]


@pytest.mark.parametrize("password", BAD_TOKENS, ids=ascii)
def test_what_is_no_token_is_refused_and_not_shown(password):
    text = refusal(connection(password=password))
    assert "password" in text
    assert password not in text


@pytest.mark.parametrize("password", [TOKEN, f" {TOKEN}\n", f"\t{TOKEN}  "], ids=repr)
def test_blanks_around_a_token_are_none_of_it(password):
    assert client_settings(connection(password=password))["token"] == TOKEN


@pytest.mark.parametrize("seconds", [60, 60.0, "60", "90.5", 3600, "3600"], ids=repr)
def test_a_read_timeout(seconds):
    settings = client_settings(connection(extra=json.dumps({"read_timeout": seconds})))
    assert settings["read_timeout"] == float(seconds)


@pytest.mark.parametrize("extra", [None, "", "{}", '{"read_timeout": null}', '{"read_timeout": ""}', '{"other": 1}'])
def test_a_read_timeout_is_90_seconds_unless_given(extra):
    assert client_settings(connection(extra=extra))["read_timeout"] == 90


@pytest.mark.parametrize(
    "seconds",
    [0, -1, 59, 59.9, 3600.1, "soon", "nan", "inf", True, [90], {"seconds": 90}, pytest.param(10**400, id="huge")],
    ids=repr,
)
def test_a_read_timeout_out_of_bounds_is_refused_with_the_bounds(seconds):
    text = refusal(connection(extra=json.dumps({"read_timeout": seconds})))
    assert "read_timeout" in text
    assert "between 60 and 3600" in text


@pytest.mark.parametrize("extra", ["[90]", "90", '"read_timeout"', '{"read_timeout"', "read_timeout=90"])
def test_an_extra_that_is_no_object_is_refused(extra):
    assert "extra" in refusal(connection(extra=extra))


def test_the_provider_names_itself_and_airflow_with_their_versions():
    ours, airflow = user_agent().split(" ")
    assert ours.startswith("airflow-provider-demarches-simplifiees/")
    assert airflow.startswith("apache-airflow/3.")
    assert client_settings(connection())["user_agent"] == user_agent()


VARIABLES = {
    "JSON": (json.dumps({"conn_type": "ds", "password": TOKEN}), PUBLIC, 90),
    "JSON with a host": (
        json.dumps({"conn_type": "ds", "password": TOKEN, "host": "http://127.0.0.1:9999/api/v2/graphql"}),
        "http://127.0.0.1:9999/api/v2/graphql",
        90,
    ),
    "JSON with an extra": (
        json.dumps({"conn_type": "ds", "password": TOKEN, "extra": {"read_timeout": 120}}),
        PUBLIC,
        120,
    ),
    "JSON with the text of an extra": (
        json.dumps({"conn_type": "ds", "password": TOKEN, "extra": '{"read_timeout": 120}'}),
        PUBLIC,
        120,
    ),
    "JSON with a port": (
        json.dumps({"conn_type": "ds", "password": TOKEN, "host": "h.test", "schema": "http", "port": 81}),
        "http://h.test:81/api/v2/graphql",
        90,
    ),
    "URI": (f"ds://:{TOKEN}@", PUBLIC, 90),
    "URI with a quoted token": (f"ds://:{TOKEN.replace('=', '%3D')}@/", PUBLIC, 90),
    "URI with a host": (f"ds://:{TOKEN}@h.test", "https://h.test/api/v2/graphql", 90),
    "URI with a port and a schema": (f"ds://:{TOKEN}@h.test:81/http", "http://h.test:81/api/v2/graphql", 90),
    "URI with a scheme": (f"ds://http://:{TOKEN}@127.0.0.1:9999/", "http://127.0.0.1:9999/api/v2/graphql", 90),
    "URI with a quoted URL": (
        f"ds://:{TOKEN}@http%3A%2F%2F127.0.0.1%3A9999%2Fapi%2Fv2%2Fgraphql",
        "http://127.0.0.1:9999/api/v2/graphql",
        90,
    ),
    "URI with an extra": (f"ds://:{TOKEN}@/?read_timeout=120", PUBLIC, 120),
}


@pytest.mark.parametrize(("value", "url", "read_timeout"), VARIABLES.values(), ids=VARIABLES)
def test_a_connection_of_the_environment(monkeypatch, value, url, read_timeout):
    monkeypatch.setenv("AIRFLOW_CONN_DS_TEST", value)
    settings = client_settings(DSHook.get_connection("ds_test"))
    assert (settings["url"], settings["token"], settings["read_timeout"]) == (url, TOKEN, read_timeout)


@pytest.mark.parametrize("value", [given for given, *_ in VARIABLES.values()], ids=VARIABLES)
def test_an_event_loop_sees_the_same_connection(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_DS_TEST", value)
    found = asyncio.run(DSHook.aget_connection("ds_test"))
    assert client_settings(found) == client_settings(DSHook.get_connection("ds_test"))


def test_nothing_of_a_connection_is_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        client_settings(connection(host="http://127.0.0.1:9999"))
    assert TOKEN not in caplog.text
