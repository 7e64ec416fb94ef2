"""Destinations of connections, none of which shows a secret."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.exceptions import DSConfigurationError
from ds_provider.warehouse.database import destinations
from ds_provider.warehouse.database.destinations import ConnectionFields, destination_of, require_drivers

POSTGRES = ConnectionFields(
    "postgres", host="db.example.org", port=5433, login="ds", password="s3cret/+ é", schema="données"
)
MYSQL = ConnectionFields("mysql", host="h", login="l", password="s3cret/+ é")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


def test_postgres_is_a_url() -> None:
    destination = destination_of(replace(POSTGRES, extra={"sslmode": "require", "cursor": "dictcursor"}))
    assert destination.kind == "postgres"
    parts = urlsplit(destination.credentials)
    assert (parts.hostname, parts.port, parts.query) == (
        "db.example.org",
        5433,
        "sslmode=require&options=-clock_timeout%3D5s",
    )
    assert destination.name == "Postgres db.example.org:5433/données"


def test_postgres_host_may_be_a_socket_folder() -> None:
    destination = destination_of(replace(POSTGRES, host="/var/run/postgresql", port=None))
    parts = urlsplit(destination.credentials)
    assert (parts.hostname, parts.port) == ("localhost", 5432)
    assert parse_qs(parts.query) == {"host": ["/var/run/postgresql"], "options": ["-clock_timeout=5s"]}


def test_postgres_options_of_the_connection_come_last() -> None:
    extra = {"options": "-c lock_timeout=1min"}
    parts = urlsplit(destination_of(replace(POSTGRES, extra=extra)).credentials)
    assert parse_qs(parts.query)["options"] == ["-clock_timeout=5s\t-c\tlock_timeout=1min"]


def test_postgres_options_that_are_empty_are_not_sent() -> None:
    """A pooler may refuse them."""
    destination = destination_of(replace(POSTGRES, extra={"options": ""}))
    assert "options" not in parse_qs(urlsplit(destination.credentials).query)


def test_postgres_host_may_be_an_ipv6_address() -> None:
    assert urlsplit(destination_of(replace(POSTGRES, host="2001:db8::1")).credentials).hostname == "2001:db8::1"


@given(TEXTS, st.text(st.characters(exclude_categories=["Cs", "Cc"])), TEXTS)
def test_postgres_url_keeps_any_login_password_and_database(login: str, password: str, database: str) -> None:
    fields = replace(POSTGRES, login=login, password=password, schema=database)
    parts = urlsplit(destination_of(fields).credentials)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (login, password)
    assert unquote(parts.path) == f"/{database}"


@pytest.mark.parametrize("missing", ["login", "schema"])
def test_postgres_needs_a_login_and_a_database(missing: str) -> None:
    with pytest.raises(DSConfigurationError, match=missing):
        destination_of(replace(POSTGRES, **{missing: " "}))


@pytest.mark.parametrize("conn_type", ["duckdb", "dsduckdb"])
@pytest.mark.parametrize(
    "given", [{"host": "/data/w.duckdb"}, {"schema": "/data/w.duckdb"}, {"schema": "data/w.duckdb"}]
)
def test_duckdb_is_a_file(conn_type: str, given: dict[str, str]) -> None:
    destination = destination_of(ConnectionFields(conn_type, **given))
    assert (destination.kind, destination.credentials) == ("duckdb", "/data/w.duckdb")


@pytest.mark.parametrize("path", ["", "w.duckdb", ":memory:", "/", "md:mine"])
def test_duckdb_refuses_anything_but_an_absolute_path(path: str) -> None:
    with pytest.raises(DSConfigurationError, match="whole path"):
        destination_of(ConnectionFields("dsduckdb", host=path))


def test_mysql_is_a_sqlalchemy_destination() -> None:
    destination = destination_of(ConnectionFields("mysql", host="h", login="l", password="p@ss", schema="d"))
    assert (destination.kind, destination.credentials) == ("sqlalchemy", "mysql+pymysql://l:p%40ss@h:3306/d")
    assert set(destination.secrets) == {"p@ss", "p%40ss"}


KEY = {"type": "service_account", "project_id": "projet", "private_key": "-----BEGIN", "client_email": "a@b"}


@pytest.mark.parametrize("prefix", ["", "extra__google_cloud_platform__"])
@pytest.mark.parametrize("key", [KEY, json.dumps(KEY)])
def test_bigquery_takes_its_key_from_the_extra(prefix: str, key: Any) -> None:
    extra = {f"{prefix}keyfile_dict": key, f"{prefix}location": "europe-west9"}
    destination = destination_of(ConnectionFields("google_cloud_platform", extra=extra))
    assert destination.kind == "bigquery"
    assert destination.credentials == KEY
    assert destination.options == {"project_id": "projet", "location": "europe-west9"}
    assert destination.secrets == ("-----BEGIN",)


def test_bigquery_takes_its_key_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    fields = ConnectionFields("google_cloud_platform", extra={"key_path": str(tmp_path / "key.json")})
    assert destination_of(fields).credentials == KEY


def test_bigquery_needs_no_key() -> None:
    assert destination_of(ConnectionFields("google_cloud_platform", extra={"project": "p"})).credentials is None


@pytest.mark.parametrize("extra", [{"keyfile_dict": "{"}, {"keyfile_dict": "[1]"}, {"key_path": "/nowhere"}])
def test_bigquery_refuses_an_unreadable_key(extra: dict[str, Any]) -> None:
    with pytest.raises(DSConfigurationError, match="keyfile_dict"):
        destination_of(ConnectionFields("google_cloud_platform", extra=extra))


SNOWFLAKE = ConnectionFields(
    "snowflake", login="l", password="pw", extra={"account": "a", "database": "d", "warehouse": "w"}
)


def test_snowflake_takes_its_account_from_the_extra() -> None:
    credentials = destination_of(SNOWFLAKE).credentials
    assert credentials == {"host": "a", "database": "d", "username": "l", "password": "pw", "warehouse": "w"}


def test_snowflake_password_is_the_passphrase_of_its_key() -> None:
    destination = destination_of(replace(SNOWFLAKE, extra={**SNOWFLAKE.extra, "private_key_content": "k3y"}))
    assert destination.credentials["private_key"] == "k3y"
    assert destination.credentials["private_key_passphrase"] == "pw"
    assert "password" not in destination.credentials
    assert {"k3y", "pw"} <= set(destination.secrets)


def test_snowflake_needs_an_account_and_a_database() -> None:
    with pytest.raises(DSConfigurationError, match="database"):
        destination_of(replace(SNOWFLAKE, extra={"account": "a"}))


def test_clickhouse_has_two_ports() -> None:
    extra = {"http_port": "8123", "secure": "false"}
    fields = ConnectionFields("clickhouse", host="h", port=9000, login="l", password="p", schema="d", extra=extra)
    assert destination_of(fields).credentials == {
        "host": "h",
        "port": 9000,
        "http_port": 8123,
        "secure": 0,
        "username": "l",
        "password": "p",
        "database": "d",
    }


BAD_FIELDS = {
    "host": [
        ConnectionFields("postgres", host=host, login="l", schema="d") for host in ("a b", "h:5433", "pg://h", "u@h")
    ],
    "the host": [MYSQL.__class__(kind, host="a\nb", login="l") for kind in ("mysql", "clickhouse")],
    "http_port": [replace(MYSQL, conn_type="clickhouse", extra={"http_port": port}) for port in ("abc", "0", 1.5, [1])],
    "secure": [replace(MYSQL, conn_type="clickhouse", extra={"secure": value}) for value in ("yes!", 2, {})],
    "sslmode": [replace(POSTGRES, extra={"sslmode": value}) for value in (["require"], {"a": 1}, "\ud800", "a\0")],
    "whole path": [ConnectionFields("duckdb", host="~nobody-of-that-name/w.duckdb")],
    "keyfile_dict": [ConnectionFields("google_cloud_platform", extra={"keyfile_dict": "[" * 100_000})],
    "location": [ConnectionFields("google_cloud_platform", extra={"location": 12})],
    "account": [ConnectionFields("snowflake", login="l", extra={"account": 12, "database": "d"})],
    "role": [ConnectionFields("snowflake", login="l", extra={"account": "a", "database": "d", "role": [1]})],
}


@pytest.mark.parametrize(("named", "fields"), [(name, one) for name, group in BAD_FIELDS.items() for one in group])
def test_field_that_cannot_work_is_refused_by_name(named: str, fields: ConnectionFields) -> None:
    with pytest.raises(DSConfigurationError, match=named):
        destination_of(fields)


def test_switch_of_libpq_is_written_as_a_number() -> None:
    assert "keepalives=1" in destination_of(replace(POSTGRES, extra={"keepalives": True})).credentials


@pytest.mark.parametrize("kind", ["aws", "S3", "google_cloud_storage_file", "", "ds", "sqlite", "wasb"])
def test_connection_types_without_tables_are_refused_in_one_line(kind: str) -> None:
    with pytest.raises(DSConfigurationError, match=r"connection type .*(Postgres|postgres)") as failure:
        destination_of(ConnectionFields(kind))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("fields", [POSTGRES, SNOWFLAKE, MYSQL])
def test_destination_shows_no_secret(fields: ConnectionFields) -> None:
    destination = destination_of(fields)
    for text in (repr(fields), repr(destination), destination.name):
        assert not [secret for secret in (*destination.secrets, fields.password) if secret in text]


@pytest.mark.parametrize(
    ("kind", "absent", "message"),
    [
        ("duckdb", "dlt", r"\[warehouse\]"),
        ("postgres", "pyarrow", r"\[warehouse\]"),
        ("postgres", "psycopg2", r"psycopg2: pip install .*\[warehouse-postgres\]"),
        ("snowflake", "snowflake.connector", r"dlt\[snowflake\]"),
        ("sqlalchemy", "pymysql", "pymysql"),
    ],
)
def test_missing_driver_is_named_with_its_package(monkeypatch, kind, absent, message) -> None:
    monkeypatch.setattr(destinations, "_is_installed", lambda module: module != absent)
    with pytest.raises(DSConfigurationError, match=message):
        require_drivers(kind)


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_drivers_of_tested_databases_are_installed(kind: str) -> None:
    require_drivers(kind)


def test_module_of_a_missing_package_is_missing() -> None:
    assert not destinations._is_installed("no_such_package.at.all")
