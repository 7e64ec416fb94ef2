"""Certificates and proxies that stand in the way are errors with a remedy, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ds_provider.api.query import documents, lookups
from ds_provider.api.transport.client import AsyncDSClient, DSClient
from ds_provider.api.transport.messages import Request, Response
from ds_provider.api.transport.responses import read_fields
from ds_provider.api.transport.retry import PROXY_ATTEMPTS
from ds_provider.exceptions import DSCertificateError, DSError, DSProxyError, DSProxyUnavailableError
from ds_provider.retry_policy import PERMANENT_ERRORS
from tests.support.network import proxy, self_signed, serve
from tests.support.pauses import skip_pauses_of_clients

Ask = Callable[[str], tuple[Any, int]]
WHOLE = {"__typename": "Query"}


def ask_blocking(url: str) -> tuple[Any, int]:
    """Return the result or the error, and how many requests were sent."""
    with DSClient(url, "token", user_agent="tests") as client:
        try:
            return client.result(lookups.run(Request(documents.load("ping")))), client.usage.requests
        except DSError as error:
            return error, client.usage.requests


def ask_on_a_loop(url: str) -> tuple[Any, int]:
    async def ask() -> tuple[Any, int]:
        async with AsyncDSClient(url, "token", user_agent="tests") as client:
            try:
                return await client.result(lookups.run(Request(documents.load("ping")))), client.usage.requests
            except DSError as error:
                return error, client.usage.requests

    return asyncio.run(ask())


@pytest.fixture(params=[ask_blocking, ask_on_a_loop], ids=["sync", "async"])
def ask(request) -> Ask:
    return request.param


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch) -> None:
    skip_pauses_of_clients(monkeypatch)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


CERTIFICATES = {
    "self-signed": ({}, False, ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "not read"]),
    "expired": ({"days": (-3, -2)}, True, ["expired", "renew"]),
    "not yet valid": ({"days": (2, 3)}, True, ["not yet valid", "clock"]),
    "of another host": ({"address": "10.0.0.1"}, True, ["another host", "host of the connection"]),
}


@pytest.mark.parametrize(("made", "trusted", "words"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_refused_certificate_is_an_error_with_its_remedy(ask, tmp_path: Path, monkeypatch, made, trusted, words):
    certificate = self_signed(tmp_path, **made)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(certificate) as port:
        error, requests = ask(f"https://127.0.0.1:{port}/")
    assert isinstance(error, DSCertificateError)
    assert [word for word in (*words, f"127.0.0.1:{port}") if word not in str(error)] == []
    assert requests == 1


def test_server_that_wants_a_certificate_of_the_client_is_an_error_at_once(ask, tmp_path: Path, monkeypatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(certificate, wants_client=True) as port:
        error, requests = ask(f"https://127.0.0.1:{port}/")
    assert isinstance(error, DSCertificateError)
    assert "certificate of the client" in str(error)
    assert requests == 1


def test_server_without_tls_is_an_error_at_once(ask):
    with serve() as port:
        error, requests = ask(f"https://127.0.0.1:{port}/")
    assert isinstance(error, DSCertificateError)
    assert "does not speak TLS" in str(error)
    assert requests == 1


def test_certificate_in_ssl_cert_file_is_trusted(ask, tmp_path: Path, monkeypatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(certificate) as port:
        assert ask(f"https://127.0.0.1:{port}/") == (WHOLE, 1)


@pytest.mark.parametrize(("status", "words"), [(407, ["user", "password"]), (403, ["403", "NO_PROXY"]), (451, ["451"])])
def test_refusal_of_a_proxy_is_an_error_with_its_remedy(ask, monkeypatch, status, words):
    with proxy(status) as running:
        monkeypatch.setenv("HTTPS_PROXY", running.url)
        error, requests = ask("https://demarche.test/")
    assert isinstance(error, DSProxyError)
    assert [word for word in (*words, "HTTPS_PROXY") if word not in str(error)] == []
    assert running.asked == ["CONNECT demarche.test:443 HTTP/1.1"]
    assert requests == 1


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_proxy_that_cannot_connect_is_asked_a_few_times(ask, monkeypatch, status):
    with proxy(status) as running:
        monkeypatch.setenv("ALL_PROXY", running.url)
        error, requests = ask("https://demarche.test/")
    assert isinstance(error, DSProxyUnavailableError)
    assert [word for word in (str(status), "ALL_PROXY", "NO_PROXY") if word not in str(error)] == []
    assert error.sent is False
    assert requests == len(running.asked) == PROXY_ATTEMPTS


def test_proxy_passes_requests_on(ask, tmp_path: Path, monkeypatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(certificate) as port, proxy() as running:
        monkeypatch.setenv("https_proxy", running.url.removeprefix("http://"))
        assert ask(f"https://127.0.0.1:{port}/") == (WHOLE, 1)
        assert running.asked == [f"CONNECT 127.0.0.1:{port} HTTP/1.1"]


def test_excepted_host_is_called_without_the_proxy(ask, tmp_path: Path, monkeypatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve(certificate) as port, proxy(403) as running:
        monkeypatch.setenv("HTTPS_PROXY", running.url)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.0/8,::1")
        assert ask(f"https://127.0.0.1:{port}/") == (WHOLE, 1)
        assert running.asked == []


def test_proxy_of_a_service_without_tls_wants_a_password():
    with pytest.raises(DSProxyError, match="wants a user and a password"):
        read_fields(Response(407, {}, b"<html>"))


@pytest.mark.parametrize("kind", [DSCertificateError, DSProxyError])
def test_refusals_on_the_way_last_until_a_person_acts(kind):
    assert issubclass(kind, PERMANENT_ERRORS)
