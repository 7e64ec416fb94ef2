"""Fields of a connection are accepted, or refused before the first request."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.budget.limiter import Budget
from ds_provider.exceptions import DSConfigurationError
from ds_provider.get_provider_info import SERVICE_CONNECTION
from ds_provider.hooks.connection import EXTRA_FIELDS, client_settings, endpoint, secrets_in, user_agent
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
    "port as text": ({"host": "demarche.test", "port": "8443"}, "https://demarche.test:8443/api/v2/graphql"),
    "port with blanks": ({"host": "demarche.test", "port": " 444 "}, "https://demarche.test:444/api/v2/graphql"),
    "port as a float": ({"host": "demarche.test", "port": 444.0}, "https://demarche.test:444/api/v2/graphql"),
    "empty port": ({"host": "demarche.test", "port": " "}, "https://demarche.test/api/v2/graphql"),
    "port that Airflow's page sends for none": (
        {"host": "demarche.test:8443", "port": 0},
        "https://demarche.test:8443/api/v2/graphql",
    ),
    "default port": ({"port": 443}, "https://demarche.numerique.gouv.fr/api/v2/graphql"),
    "default port in the host": ({"host": "http://demarche.test:80"}, "http://demarche.test/api/v2/graphql"),
    "default port of the other scheme": (
        {"host": "http://demarche.test:443"},
        "http://demarche.test:443/api/v2/graphql",
    ),
    "IPv6 alone": ({"host": "::1", "port": 9999, "schema": "http"}, "http://[::1]:9999/api/v2/graphql"),
    "IPv6 in brackets": ({"host": "[2001:db8::1]"}, "https://[2001:db8::1]/api/v2/graphql"),
    "IPv6": ({"host": "http://[::1]:9999"}, "http://[::1]:9999/api/v2/graphql"),
    "public host over http": ({"schema": "http"}, "http://demarche.numerique.gouv.fr/api/v2/graphql"),
}


@pytest.mark.parametrize(("fields", "url"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_endpoint_is_the_url_of_the_connection(fields, url):
    assert client_settings(connection(**fields))["url"] == url


BAD_HOSTS = ["ftp://demarche.test", "http://", "https:///x", "demarche.test:port", "//demarche.test", "://"]
BAD_HOSTS += [
    "demarche\n.test",
    "demarche.test/api\n/x",
    "demarche\t.test",
    "256.256.256.256",
    "[:::]",
    "http://[::1",
    "x" * 64,
]
BAD_HOSTS += ["fe80::1%eth0", "demarche.test/" + "x" * 70_000]


@pytest.mark.parametrize("host", BAD_HOSTS, ids=repr)
def test_invalid_host_is_refused_with_an_example(host):
    text = refusal(connection(host=host))
    assert "host" in text
    assert PUBLIC in text


@pytest.mark.parametrize("host", ["demarche test", "mon hôte.test"])
def test_host_with_a_blank_is_refused(host):
    assert "host" in refusal(connection(host=host))


@pytest.mark.parametrize("host", ["demarche.test:99999", "demarche.test:0", "http://127.0.0.1:x"])
def test_invalid_port_in_the_host_is_refused(host):
    assert "host" in refusal(connection(host=host, port=443))


BAD_PORTS = ["abc", "443.0", "4_43", "٤٤٣", "70000", "9" * 400, -1, 99999, 443.5, True, [443], b"443"]
BAD_PORTS += [float("nan"), float("inf")]


@pytest.mark.parametrize("port", BAD_PORTS, ids=ascii)
def test_invalid_port_is_refused_by_name(port):
    assert "the port must be a whole number between 1 and 65535" in refusal(connection(port=port))


@pytest.mark.parametrize("field", ["host", "schema", "password"])
@pytest.mark.parametrize("value", [12, True, 1.5, b"text", ["a"], {"a": 1}, "a\x00b", "a\ud800b"], ids=ascii)
def test_field_that_is_no_text_is_refused_by_name(field, value):
    assert f"the {field} " in refusal(connection(**{field: value}))


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers())


@given(
    st.dictionaries(st.sampled_from(["host", "schema", "port", "login", "password", "extra"]), ANYTHING),
    st.dictionaries(st.sampled_from(["read_timeout", "requests_per_minute", "budget_url"]), ANYTHING),
)
def test_any_connection_works_or_is_refused(fields, extra):
    tested = connection(**{"extra": extra, **fields})
    with suppress(DSConfigurationError):
        client_settings(tested)
        return
    refusal(tested)


@pytest.mark.parametrize("schema", ["ftp", "ds", "api/v2/graphql"])
def test_invalid_schema_is_refused_by_name(schema):
    text = refusal(connection(host="demarche.test", schema=schema))
    assert "schema" in text
    assert schema in text


@pytest.mark.parametrize(
    "host",
    [f"https://:{TOKEN}@demarche.test", f"https://{TOKEN}@demarche.test", f"user:{TOKEN}@demarche.test"],
    ids=["password", "user", "no scheme"],
)
def test_token_in_the_host_is_refused_and_not_shown(host):
    assert "password" in refusal(connection(host=host))


@pytest.mark.parametrize(
    "host",
    [f"htp://:{TOKEN}@demarche.test", f"https://:{TOKEN}@demarche.test:port", f"//:{TOKEN}@demarche.test", TOKEN],
    ids=["another scheme", "bad port", "no scheme", "nothing else"],
)
def test_token_in_an_invalid_host_is_not_shown(host):
    refusal(connection(host=host))


@given(st.text(max_size=40))
def test_any_host_is_a_url_or_refused_with_the_connection_s_id(host):
    try:
        url = endpoint(Connection(conn_id="ds_test", host=host))
    except DSConfigurationError:
        refusal(connection(host=host))
    else:
        assert url.startswith(("https://", "http://"))


@pytest.mark.parametrize("password", [None, "", "   ", "\n"], ids=repr)
def test_missing_token_is_refused_with_its_field(password):
    assert "put the API token in its password" in refusal(connection(password=password))


BAD_TOKENS = ["abc def", "abc\ndef", "Bearer abc", "abc\tdef", "abcé", "abc\u00a0def", "abc\x00", "abc\x7f", "“abc”"]


@pytest.mark.parametrize("password", BAD_TOKENS, ids=ascii)
def test_invalid_token_is_refused_and_not_shown(password):
    text = refusal(connection(password=password))
    assert "password" in text
    assert password not in text


@pytest.mark.parametrize("password", [TOKEN, f" {TOKEN}\n", f"\t{TOKEN}  "], ids=repr)
def test_blanks_around_a_token_are_removed(password):
    assert client_settings(connection(password=password))["token"] == TOKEN


@pytest.mark.parametrize("seconds", [60, 60.0, "60", "90.5", 3600, "3600"], ids=repr)
def test_read_timeout_is_accepted(seconds):
    settings = client_settings(connection(extra=json.dumps({"read_timeout": seconds})))
    assert settings["read_timeout"] == float(seconds)


@pytest.mark.parametrize("extra", [None, "", "{}", '{"read_timeout": null}', '{"read_timeout": " "}'])
def test_read_timeout_is_90_seconds_by_default(extra):
    assert client_settings(connection(extra=extra))["read_timeout"] == 90


@pytest.mark.parametrize(
    "seconds",
    [0, -1, 59, 59.9, 3600.1, "soon", "nan", "inf", True, [90], {"seconds": 90}, pytest.param(10**400, id="huge")],
    ids=repr,
)
def test_read_timeout_out_of_bounds_is_refused_with_the_bounds(seconds):
    text = refusal(connection(extra=json.dumps({"read_timeout": seconds})))
    assert "read_timeout" in text
    assert "between 60 and 3600" in text


@pytest.mark.parametrize("extra", ["[90]", "90", '"read_timeout"', '{"read_timeout"', "read_timeout=90"])
def test_extra_that_is_no_object_is_refused(extra):
    assert "extra" in refusal(connection(extra=extra))


def test_extra_nested_too_deep_is_refused():
    assert "extra" in refusal(connection(extra="[" * 100_000))


def test_extra_may_be_an_object():
    assert client_settings(connection(extra={"read_timeout": 120}))["read_timeout"] == 120


MISSPELT = {
    "request_per_minute": "requests_per_minute",
    "requests-per-minute": "requests_per_minute",
    "requestsPerMinute": "requests_per_minute",
    "bugdet_url": "budget_url",
    "BUDGET_URL": "budget_url",
    "timeout": "read_timeout",
    "readtimeout": "read_timeout",
    "extra__ds__read_timeut": "read_timeout",
}


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_misspelt_extra_is_refused_with_the_nearest_known_name(name, meant):
    text = refusal(connection(extra=json.dumps({name: 60})))
    assert repr(name.removeprefix("extra__ds__")) in text
    assert f"perhaps meant as {meant!r}" in text


@pytest.mark.parametrize("name", ["team", "", TOKEN * 4], ids=["another", "empty", "token"])
def test_unknown_extra_is_refused_with_the_known_names(name):
    assert "read_timeout, requests_per_minute, budget_url" in refusal(connection(extra=json.dumps({name: 60})))


def test_known_extras_are_the_fields_of_the_form():
    assert set(SERVICE_CONNECTION["conn-fields"]) == set(EXTRA_FIELDS)


def test_extra_of_other_tools_is_ignored():
    others = {"__extra__": "{}", "_comment": "ours", "extra__http__timeout": 5}
    assert client_settings(connection(extra=json.dumps(others)))["read_timeout"] == 90


@pytest.mark.parametrize(
    "extra", [{"extra__ds__read_timeout": 120}, {"read_timeout": 120, "extra__ds__read_timeout": 60}]
)
def test_prefix_of_airflow_s_form_is_read_as_the_field_itself(extra):
    assert client_settings(connection(extra=json.dumps(extra)))["read_timeout"] == 120


@pytest.mark.parametrize("requests", [1, 300, 400, "300", 300.0, 100_000], ids=repr)
def test_requests_per_minute_are_accepted(requests):
    settings = client_settings(connection(extra=json.dumps({"requests_per_minute": requests})))
    assert settings["budget"].requests_per_minute == int(requests)


@pytest.mark.parametrize("extra", [None, "", "{}", '{"requests_per_minute": null}', '{"requests_per_minute": ""}'])
def test_requests_per_minute_are_300_by_default(extra):
    assert client_settings(connection(extra=extra))["budget"].requests_per_minute == 300


@pytest.mark.parametrize(
    "requests",
    [0, -1, 0.5, 300.5, 100_001, "many", "nan", "inf", True, [300], pytest.param(10**400, id="huge")],
    ids=repr,
)
def test_requests_per_minute_out_of_bounds_are_refused_with_the_bounds(requests):
    text = refusal(connection(extra=json.dumps({"requests_per_minute": requests})))
    assert "requests_per_minute" in text
    assert "between 1 and 100000" in text
    assert "400" in text


def file_of(budget: Budget) -> Path:
    budget.spend()
    budget.close()
    (path,) = Path(os.environ["AIRFLOW_HOME"]).rglob("*.sqlite")
    return path


@pytest.mark.parametrize("extra", [None, '{"budget_url": null}', '{"budget_url": ""}'])
def test_budget_is_kept_in_airflow_s_home_by_default(monkeypatch, tmp_path, extra):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "a home with 100%"))
    path = file_of(client_settings(connection(extra=extra))["budget"])
    assert path.parent == tmp_path / "a home with 100%"
    assert str(os.getuid()) in path.name


def test_airflow_s_home_is_airflow_s_own_default_without_a_setting(monkeypatch, tmp_path):
    monkeypatch.delenv("AIRFLOW_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    client_settings(connection())["budget"].check()
    assert len(list((tmp_path / "airflow").glob("*.sqlite"))) == 1


def test_budget_is_kept_at_the_connection_s_budget_url(tmp_path):
    url = f"sqlite://{tmp_path}/budget.sqlite"
    client_settings(connection(extra=json.dumps({"budget_url": url})))["budget"].check()
    assert (tmp_path / "budget.sqlite").exists()


@pytest.mark.parametrize(
    "url", ["budget", "redis://u:s3cret@h:port", "mysql://u:s3cret@h/d", 12, ["redis://h"]], ids=repr
)
def test_invalid_budget_url_is_refused_by_name_and_not_shown(url):
    text = refusal(connection(extra=json.dumps({"budget_url": url})))
    assert "budget_url" in text
    assert "s3cret" not in text


def test_secrets_are_the_token_and_the_password_of_the_budget_s_store():
    settings = client_settings(connection(extra=json.dumps({"budget_url": "redis://u:s3cret@h"})))
    assert secrets_in(settings) == [TOKEN, "s3cret"]


def spend(monkeypatch, tmp_path, **fields: object) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    budget = client_settings(connection(**fields))["budget"]
    budget.spend()
    budget.close()


def logs_in(tmp_path: Path) -> dict[str, int]:
    (path,) = tmp_path.glob("*.sqlite")
    with sqlite3.connect(path) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where name like '%_spent'")]
        return {name: database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}


def test_connections_of_one_token_spend_one_budget(monkeypatch, tmp_path):
    spend(monkeypatch, tmp_path)
    spend(monkeypatch, tmp_path, host=PUBLIC, extra='{"requests_per_minute": 100}')
    assert list(logs_in(tmp_path).values()) == [2]


def test_connections_of_two_tokens_spend_two_budgets(monkeypatch, tmp_path):
    spend(monkeypatch, tmp_path)
    spend(monkeypatch, tmp_path, password="another")
    assert list(logs_in(tmp_path).values()) == [1, 1]


def test_user_agent_names_the_provider_and_airflow_with_their_versions():
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
def test_connection_is_read_from_the_environment(monkeypatch, value, url, read_timeout):
    monkeypatch.setenv("AIRFLOW_CONN_DS_TEST", value)
    settings = client_settings(DSHook.get_connection("ds_test"))
    assert (settings["url"], settings["token"], settings["read_timeout"]) == (url, TOKEN, read_timeout)


@pytest.mark.parametrize("value", [given for given, *_ in VARIABLES.values()], ids=VARIABLES)
def test_event_loop_reads_the_same_connection(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_DS_TEST", value)
    found = client_settings(asyncio.run(DSHook.aget_connection("ds_test")))
    settings = client_settings(DSHook.get_connection("ds_test"))
    budgets = found.pop("budget"), settings.pop("budget")
    assert found == settings
    assert budgets[0].requests_per_minute == budgets[1].requests_per_minute


def test_settings_log_nothing_of_a_connection(caplog):
    with caplog.at_level(logging.DEBUG):
        client_settings(connection(host="http://127.0.0.1:9999"))
    assert TOKEN not in caplog.text
