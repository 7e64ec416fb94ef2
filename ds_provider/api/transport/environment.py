"""Environment: the proxy and the certification authorities that the machine's variables name.

httpx reads the same variables, but for some of their values it raises errors of any type, or knows no remedy.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import httpx

from ds_provider.exceptions import DSConfigurationError

CA_FILE, CA_FOLDER, KEY_LOG = "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"

# the names by which OpenSSL finds certificates in a folder
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_NO_PROXY_ENTRY = re.compile(r"(?:(?P<scheme>\w+)://)?(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]+))?")


def http_options(url: str) -> dict[str, Any]:
    """Return the arguments of httpx's clients that stand for the environment.

    :param url: the only URL that is called.
    :raises DSConfigurationError: naming the variable that cannot work.
    """
    context = _ssl_context()
    return {"verify": context, "proxy": _proxy_for(httpx.URL(url), context), "trust_env": False}


def proxy_variable(scheme: str) -> str:
    """Return the variable that names the proxy of a scheme, as it is set."""
    names = (f"{kind}_proxy" for kind in (scheme, "all"))
    found = (name for lower in names for name in (lower, lower.upper()) if os.environ.get(name))
    return next(found, f"{scheme}_proxy".upper())


def _ssl_context() -> ssl.SSLContext:
    _check_key_log()
    if file := os.environ.get(CA_FILE):
        return _context_of(CA_FILE, partial(ssl.create_default_context, cafile=file))
    if folder := os.environ.get(CA_FOLDER):
        if not any(_holds_certificates(Path(one)) for one in folder.split(os.pathsep)):
            raise _no_authorities(CA_FOLDER, "a folder of them, under the names that 'openssl rehash' gives")
        return _context_of(CA_FOLDER, partial(ssl.create_default_context, capath=folder))
    return httpx.create_ssl_context(trust_env=False)


def _context_of(variable: str, create: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    try:
        return create()
    except (OSError, ValueError):
        raise _no_authorities(variable, "a file of them in PEM form, which this process may read") from None


def _no_authorities(variable: str, needed: str) -> DSConfigurationError:
    return DSConfigurationError(
        f"{variable} names no certificates ({os.environ[variable]!r}): give {needed}, or unset the variable: then the "
        "authorities of the package certifi are trusted"
    )


def _holds_certificates(folder: Path) -> bool:
    with suppress(OSError):
        return any(_HASHED.fullmatch(file.name) for file in folder.iterdir())
    return False


def _check_key_log() -> None:
    if path := os.environ.get(KEY_LOG):
        try:
            Path(path).open("ab").close()
        except OSError:
            raise DSConfigurationError(f"{KEY_LOG} names a file that cannot be written ({path!r}): unset it") from None


def _proxy_for(url: httpx.URL, context: ssl.SSLContext) -> httpx.Proxy | None:
    """Return the proxy through which a URL is called, if there is one."""
    proxies = getproxies()
    given = proxies.get(url.scheme) or proxies.get("all")
    if not given or _is_direct(url, proxies.get("no", "")):
        return None
    variable = proxy_variable(url.scheme)
    proxy = _parse_proxy(given.strip(), variable)
    if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
        raise DSConfigurationError(
            f"{variable} names a SOCKS proxy, which needs the package socksio: pip install 'httpx[socks]', or give the "
            "address of an HTTP proxy, such as http://proxy:3128"
        )
    if proxy.url.scheme == "https":
        proxy.ssl_context = context
    return proxy


def _parse_proxy(given: str, variable: str) -> httpx.Proxy:
    """Return a proxy. An error does not show its address, which may hold a password."""
    try:
        proxy = httpx.Proxy(given if "://" in given else f"http://{given}")
    except (httpx.InvalidURL, ValueError):
        proxy = None
    # a password with a slash makes the rest of it a path
    if proxy is None or not proxy.url.host or proxy.url.path not in ("", "/"):
        raise DSConfigurationError(
            f"{variable} is not the address of a proxy: give one such as http://proxy:3128 or "
            "http://user:password@proxy:3128, with the password's special characters percent-encoded, or unset it"
        )
    return proxy


def _is_direct(url: httpx.URL, no_proxy: str) -> bool:
    """Return true if ``NO_PROXY`` excepts a URL. An entry that cannot be read excepts nothing."""
    entries = [entry for entry in re.split(r"[,\s]+", no_proxy) if entry]
    return any(_excepts(entry, url) for entry in entries)


def _excepts(entry: str, url: httpx.URL) -> bool:
    if entry == "*":
        return True
    # an IPv6 address has colons; only one in brackets has a port
    if (network := _network(entry)) and "]:" not in entry:
        return _is_in(url.host, network)
    found = _NO_PROXY_ENTRY.fullmatch(entry.lower())
    if not found or found["scheme"] not in (None, "all", url.scheme) or found["port"] not in (None, str(_port_of(url))):
        return False
    if network := _network(found["host"]):
        return _is_in(url.host, network)
    name = found["host"].lstrip("*").lstrip(".")
    return bool(name) and (url.host == name or url.host.endswith(f".{name}"))


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    with suppress(ValueError):
        return ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    return None


def _is_in(host: str, network: IPv4Network | IPv6Network) -> bool:
    with suppress(ValueError):
        return ip_address(host) in network
    return False


def _port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
