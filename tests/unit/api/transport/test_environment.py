"""The environment's proxies and certificates work, or are refused by the variable's name."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport import environment
from ds_provider.api.transport.client import AsyncDSClient, DSClient
from ds_provider.api.transport.environment import http_options
from ds_provider.exceptions import DSConfigurationError
from tests.support.network import self_signed

URL = "https://demarche.test/api/v2/graphql"
PROXY = "http://proxy.test:3128"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def proxy_of(url: str) -> str | None:
    proxy = http_options(url)["proxy"]
    return proxy and str(proxy.url)


def test_no_variable_is_no_proxy_and_the_usual_authorities():
    options = http_options(URL)
    assert options["proxy"] is None
    assert options["verify"].verify_mode is ssl.CERT_REQUIRED


PROXIES = {
    "of the scheme": ({"HTTPS_PROXY": PROXY}, PROXY),
    "in small letters": ({"https_proxy": PROXY}, PROXY),
    "of all schemes": ({"ALL_PROXY": PROXY}, PROXY),
    "of the scheme first": ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other.test"}, PROXY),
    "without a scheme": ({"HTTPS_PROXY": "proxy.test:3128"}, PROXY),
    "with blanks": ({"HTTPS_PROXY": f" {PROXY} "}, PROXY),
    "of another scheme": ({"HTTP_PROXY": PROXY}, None),
    "empty": ({"HTTPS_PROXY": ""}, None),
    "with a password": ({"HTTPS_PROXY": "http://u:p%40ss@proxy.test:3128"}, PROXY),
}


@pytest.mark.parametrize(("variables", "expected"), PROXIES.values(), ids=PROXIES)
def test_proxy_is_the_environment_s(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(URL) == expected


DIRECT = {
    URL: ["*", "demarche.test", ".test", "*.test", "DEMARCHE.test", "demarche.test:443", "a, demarche.test", "x ,test"],
    "http://[::1]:9999/": ["::1", "[::1]", "::1/128", "[::1]:9999", "::/0"],
    "https://[fe80::12]/": ["fe80::/10", "[fe80::]/10", "fe80::12"],
    "https://10.1.2.3/": ["10.0.0.0/8", "10.1.2.3", "https://10.1.2.3", "all://10.1.2.3:443"],
}
PROXIED = {
    URL: [
        "",
        "emarche.test",
        "demarche.test.org",
        "demarche.test:8443",
        "::1",
        "[::1]",
        "fe80::/10",
        "[",
        "10.0.0.0/8",
    ],
    "http://[::1]:9999/": ["::2", "[::1]:80", "127.0.0.1", "localhost"],
    "https://10.1.2.3/": ["10.1.2.4", "11.0.0.0/8", "http://10.1.2.3", "10.1.2.3/99"],
}


@pytest.mark.parametrize(("url", "entry"), [(url, entry) for url, entries in DIRECT.items() for entry in entries])
def test_no_proxy_excepts_names_addresses_and_networks(monkeypatch, url, entry):
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entry)
    assert proxy_of(url) is None


@pytest.mark.parametrize(("url", "entry"), [(url, entry) for url, entries in PROXIED.items() for entry in entries])
def test_no_proxy_excepts_nothing_else(monkeypatch, url, entry):
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entry)
    assert proxy_of(url) == PROXY


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(proxy=TEXTS, no_proxy=TEXTS, url=st.sampled_from([URL, "http://[::1]:9999/", "https://10.1.2.3/"]))
def test_any_environment_works_or_is_refused_by_name(proxy, no_proxy, url):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALL_PROXY", proxy)
        patch.setenv("NO_PROXY", no_proxy)
        try:
            httpx.Client(**http_options(url)).close()
        except DSConfigurationError as error:
            refused = str(error)
        else:
            return
    assert "ALL_PROXY" in refused
    assert "\n" not in refused


def open_blocking() -> None:
    with DSClient(URL, "token", user_agent="tests"):
        pass


def open_on_a_loop() -> None:
    async def enter() -> None:
        async with AsyncDSClient(URL, "token", user_agent="tests"):
            pass

    asyncio.run(enter())


@pytest.fixture(params=[open_blocking, open_on_a_loop], ids=["sync", "async"])
def open_client(request) -> Any:
    return request.param


@pytest.mark.parametrize(
    "value",
    ["ftp://proxy.test", "http://", "http://proxy.test:port", "http://s3cret:p@ss/w@proxy.test", "socks://x", "[::1"],
)
def test_address_that_is_no_proxy_s_is_refused_and_not_shown(monkeypatch, open_client, value):
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(DSConfigurationError, match="HTTPS_PROXY is not the address of a proxy") as caught:
        open_client()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_proxy_names_the_package_that_it_needs(monkeypatch, open_client, scheme):
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://proxy.test:1080")
    with pytest.raises(DSConfigurationError, match=r"ALL_PROXY .* SOCKS .*pip install 'httpx\[socks\]'"):
        open_client()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "folder").mkdir()
    return {name: str(tmp_path / name) for name in ("nowhere", "empty", "text", "folder")}


@pytest.mark.parametrize("name", ["nowhere", "empty", "text", "folder"])
def test_file_without_certificates_is_refused_by_its_variable(monkeypatch, open_client, files, name):
    monkeypatch.setenv("SSL_CERT_FILE", files[name])
    with pytest.raises(DSConfigurationError, match=rf"SSL_CERT_FILE names no certificates \('{files[name]}'\)"):
        open_client()


@pytest.mark.parametrize("name", ["nowhere", "text", "folder"])
def test_folder_without_certificates_is_refused_by_its_variable(monkeypatch, open_client, files, name):
    monkeypatch.setenv("SSL_CERT_DIR", files[name])
    with pytest.raises(DSConfigurationError, match=r"SSL_CERT_DIR names no certificates .*rehash"):
        open_client()


def test_folder_of_hashed_certificates_is_read(monkeypatch, tmp_path):
    self_signed(tmp_path).rename(tmp_path / "0a1b2c3d.0")
    monkeypatch.setenv("SSL_CERT_DIR", f"/nowhere:{tmp_path}")
    assert http_options(URL)["verify"].verify_mode is ssl.CERT_REQUIRED


def test_key_log_that_cannot_be_written_is_refused_by_its_variable(monkeypatch, open_client, files):
    monkeypatch.setenv("SSLKEYLOGFILE", f"{files['nowhere']}/log")
    with pytest.raises(DSConfigurationError, match="SSLKEYLOGFILE"):
        open_client()
