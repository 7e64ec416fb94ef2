"""Failures of the transport: httpx's errors as exchanges, with what a person can do about them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import httpx

from ds_provider.api.transport.environment import CA_FILE, CA_FOLDER, proxy_variable
from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import DSCertificateError, DSProxyError, DSProxyUnavailableError

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
# a proxy's other refusals last until somebody changes its rules
_PASSING = (408, 425, 429)
_STATUS = re.compile(r"([1-5][0-9][0-9])\b[ -~]{0,80}")

# OpenSSL's names of what no other try will change
_CLIENT_CERTIFICATE = "it wants a certificate of the client, which this provider has none of: ask its operator"
_WRONG_TALK = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"it refuses the TLS handshake; perhaps {_CLIENT_CERTIFICATE}",
    "WRONG_VERSION_NUMBER": "it does not speak TLS there: check the host's port, or whether it is http",
}
# OpenSSL's reasons to refuse a certificate
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64


def failure_of(error: httpx.TransportError, url: httpx.URL) -> TransportFailure:
    """Return the exchange that ended in an error.

    :param url: the URL that was called.
    """
    server = url.netloc.decode()
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TransportFailure(_certificate_refused(server, cause), sent=False, kind=DSCertificateError)
        if isinstance(cause, ssl.SSLError) and cause.reason in _WRONG_TALK:
            return TransportFailure(f"{server}: {_WRONG_TALK[cause.reason]}", sent=False, kind=DSCertificateError)
    if isinstance(error, httpx.ProxyError) and (found := _STATUS.match(str(error))):
        return _proxy_failure(found, url)
    why = type(error).__name__
    if isinstance(error, _NOT_SENT):
        # the text of other errors may quote what was sent, the token included
        why += f" {error}: check the host of the connection, the proxy and the firewall"
    return TransportFailure(f"no whole response from {server}, {why}", sent=not isinstance(error, _NOT_SENT))


def proxy_login_message(scheme: str) -> str:
    """Return the message of a proxy that wants a user and a password."""
    return (
        f"the proxy in {proxy_variable(scheme)} wants a user and a password: write it as "
        "http://user:password@proxy:port, with the password's special characters percent-encoded"
    )


def _proxy_failure(found: re.Match[str], url: httpx.URL) -> TransportFailure:
    status, answer = int(found[1]), " ".join(found[0].split())
    server, variable = url.netloc.decode(), proxy_variable(url.scheme)
    direct = f"or name {url.host} in NO_PROXY if it can be reached without a proxy"
    if status == 407:
        return TransportFailure(proxy_login_message(url.scheme), sent=False, kind=DSProxyError)
    if status < 500 and status not in _PASSING:
        message = f"the proxy in {variable} refuses to connect to {server} ({answer}): have it allowed there, {direct}"
        return TransportFailure(message, sent=False, kind=DSProxyError)
    message = f"the proxy in {variable} cannot connect to {server} ({answer}): ask for its administrator, {direct}"
    return TransportFailure(message, sent=False, kind=DSProxyUnavailableError)


def _certificate_refused(server: str, error: ssl.SSLCertVerificationError) -> str:
    reason = f"the certificate of {server} is refused ({error.verify_message.rstrip('.')})"
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return f"{reason}: its operator must renew it, if the clock of this machine is right"
    if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        return f"{reason}: it is of another host; check the host of the connection"
    return (
        f"{reason}: if it is your network's own, put the certificate of the authority that signed it into a PEM file, "
        f"beside all others that are needed, and name the file in {CA_FILE} (or its folder in {CA_FOLDER}); "
        "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are not read"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
