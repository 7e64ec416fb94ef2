"""Responses: each is either whole or a typed error. Partial data is never handed on.

The API sends HTTP 200 with most failures, partial data included; a page counts only without any root error. There is
one exception. A champ that links to a dossier outside the token's rights adds an ``unauthorized`` error to a page that
is otherwise whole, with a path that ends in that champ's ``dossier``.
"""

from __future__ import annotations

import codecs
import logging
import math
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from ds_provider.api.transport.clock import date_in
from ds_provider.api.transport.failures import proxy_login_message
from ds_provider.api.transport.messages import Exchange, Response, TransportFailure
from ds_provider.api.transport.remedies import remedy
from ds_provider.api.transport.repair import Repair
from ds_provider.exceptions import (
    DSComplexityError,
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSMalformedResponseError,
    DSNetworkForbiddenError,
    DSNotFoundError,
    DSProxyError,
    DSRateLimitedError,
    DSRequestError,
    DSServerError,
    DSTimeoutError,
    DSTokenError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSUnauthorizedError,
    DSUnreadableValueError,
)
from ds_provider.wording import counted

T = TypeVar("T")

log = logging.getLogger(__name__)

# a body may be nested deeper than the decoder goes
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

MAX_MESSAGE, MAX_ENCODING = 300, 40

_utf8 = codecs.getincrementaldecoder("utf-8")
_PIECE_BYTES = 64 * 1024

# codes of errors about one field, not about the token, the request or the service
_OF_ONE_FIELD = ("not_found", "unauthorized", "invalid_null")

# by the code of an error of the whole response; others depend on the data
_KINDS: dict[str | None, type[DSError]] = {
    "not_found": DSNotFoundError,
    "unauthorized": DSUnauthorizedError,
    "forbidden": DSTokenError,
    "deprecated_token": DSTokenError,
    "internal_server_error": DSServerError,
    "bad_request": DSRequestError,
    "graphql_parse_failed": DSRequestError,
}

_WITHOUT_TOKEN = re.compile(r"\s*without a token\b", re.IGNORECASE)
_IP = re.compile(r"\bAdd (\S+) to\b")


class GraphQLError(msgspec.Struct):
    """Entry of ``errors``, its message cut to one line for logs."""

    message: str = ""
    path: list[str | int] | None = None
    extensions: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.message = " ".join(self.message.split())[:MAX_MESSAGE]

    @property
    def code(self) -> str | None:
        """The API's error code."""
        code = (self.extensions or {}).get("code")
        return code if isinstance(code, str) else None

    @property
    def exception_id(self) -> str | None:
        """The API's reference of an internal error."""
        exception_id = (self.extensions or {}).get("exception_id")
        return exception_id if isinstance(exception_id, str) else None


class Body(msgspec.Struct, Generic[T]):
    """Body of a GraphQL response whose ``data`` has the shape ``T``."""

    data: T | msgspec.UnsetType | None = msgspec.UNSET
    errors: list[GraphQLError] | None = None


fields_decoder = msgspec.json.Decoder(Body[dict[str, msgspec.Raw]])


class _ErrorBody(msgspec.Struct):
    errors: list[GraphQLError] = []
    error: str | None = None


def read_response(exchange: Exchange, decoder: msgspec.json.Decoder[Body[T]]) -> T:
    """Return the decoded data of a whole response, in which texts that are no JSON are repaired.

    :raises DSUnreadableValueError: if another value is no JSON.
    :raises DSError: of the subclass that stands for the failure, if the response is not whole.
    """
    repair = Repair()
    data = _whole(_body(exchange, decoder, repair))
    if repair.unreadable:
        raise DSUnreadableValueError(
            f"the response is whole, but holds {repair.unreadable[0]!r} where JSON has a value: report it to the "
            "service's support, and leave out the field that holds it",
            http_status=200,
        )
    if repair.repaired:
        texts = counted(repair.repaired, "text")
        log.warning("%s of a response held characters that are none: U+FFFD stands for each now", texts)
    return data


def read_nodes(exchange: Exchange, decoder: msgspec.json.Decoder[Body[T]]) -> T:
    """Return the same, for a shape that keeps each dossier's node undecoded.

    What was repaired in a node, or could not be, is marked in it: see
    :func:`~ds_provider.api.transport.repair.take_marks`.
    """
    return _whole(_body(exchange, decoder, Repair(decodes_numbers=False)))


def read_fields(exchange: Exchange) -> tuple[dict[str, msgspec.Raw] | None, dict[str, GraphQLError]]:
    """Return the root fields of a response, and the error of each that failed for a reason of its own.

    Nodes are marked as by :func:`read_nodes`.

    A root field cannot be null: one that fails without any data takes the others' data with it, which is then None.

    :raises DSError: if the response as a whole cannot be relied on.
    """
    body = _body(exchange, fields_decoder, Repair(decodes_numbers=False))
    failed = [(_failed_field(error), error) for error in _fatal(body.errors)]
    alone = {field: error for field, error in failed if field}
    if not failed or any(field is None for field, _ in failed):
        return _whole(body), {}
    return body.data if isinstance(body.data, dict) else None, alone


def _whole(body: Body[T]) -> T:
    if fatal := _fatal(body.errors):
        raise _graphql_error(fatal, has_data=body.data is not msgspec.UNSET)
    if isinstance(body.data, msgspec.UnsetType):
        raise DSMalformedResponseError("the response holds neither data nor errors", http_status=200)
    if body.data is None:
        raise DSIncompletePageError("the response's data is null and no error says why", http_status=200)
    return body.data


def _failed_field(error: GraphQLError) -> str | None:
    """Return the root field that an error is about, if it says nothing of the others."""
    match error.path:
        case [str(field), *_] if error.code in _OF_ONE_FIELD:
            return field
    return None


def _body(exchange: Exchange, decoder: msgspec.json.Decoder[Body[T]], repair: Repair) -> Body[T]:
    if isinstance(exchange, TransportFailure):
        raise exchange.error()
    if exchange.status != 200:
        raise _status_error(exchange)
    with suppress(*_UNREADABLE):
        _check_text(exchange.body)
        return decoder.decode(exchange.body)
    try:
        return decoder.decode(repair.run(exchange.body))
    except _UNREADABLE:
        raise _unreadable(exchange) from None


def _check_text(body: bytes) -> None:
    """Raise if a body is not text as a whole. Rows are handed on as bytes, and little of them is decoded here.

    In pieces: a copy of the whole would cost more in fresh memory than the reading of it.

    :raises UnicodeDecodeError: if it is not.
    """
    decoder, view = _utf8(), memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        decoder.decode(view[start : start + _PIECE_BYTES])
    decoder.decode(b"", final=True)


def _fatal(errors: Sequence[GraphQLError] | None) -> list[GraphQLError]:
    return [error for error in errors or () if not _is_unauthorized_link(error)]


def _is_unauthorized_link(error: GraphQLError) -> bool:
    match error.path:
        case [_, *_, "champs" | "annotations", int(), "dossier"]:
            return error.code == "unauthorized"
    return False


def _unreadable(response: Response) -> DSError:
    """Return the error of a body that cannot be decoded: the API's own, if its ``errors`` can still be read."""
    if fatal := _fatal(_lenient(response.body).errors):
        return _graphql_error(fatal, has_data=True)
    kind = response.headers.get("content-type", "no content type")
    if encoding := response.headers.get("content-encoding"):
        kind += f", encoded as {encoding[:MAX_ENCODING]} where gzip was asked for"
    return DSMalformedResponseError(
        f"the response of {len(response.body)} bytes ({kind}) is not one of the API's: cut, or not from the API",
        http_status=response.status,
    )


def _graphql_error(errors: Sequence[GraphQLError], *, has_data: bool) -> DSError:
    if any(error.code == "timeout" or error.message.startswith("Timeout on ") for error in errors):
        return DSTimeoutError("the service ran out of time and sent partial data", code="timeout", http_status=200)
    error = errors[0]
    kind = _KINDS.get(error.code, DSIncompletePageError if has_data else DSRequestError)
    if "exceeds max complexity" in error.message:
        kind = DSComplexityError
    return kind(
        f"the API answered: {error.message.strip() or 'an error without a message'}{remedy(error.code, error.message)}",
        code=error.code,
        exception_id=error.exception_id,
        http_status=200,
    )


def _status_error(response: Response) -> DSError:
    """Return the error that an HTTP status other than 200 stands for."""
    status = response.status
    if status == 429:
        wait_seconds = seconds_to_reset(response)
        message = "the token's requests for this minute are spent"
        return DSRateLimitedError(message, wait_seconds=wait_seconds, http_status=status)
    body = _lenient(response.body)
    error = body.errors[0] if body.errors else GraphQLError()
    if status in (401, 403):
        return _access_error(status, error)
    if status == 407:
        return DSProxyError(proxy_login_message("http"), http_status=status)
    if status == 503 and body.error:
        return DSMaintenanceError(f"the service is closed: {body.error[:200]}", http_status=status)
    if status >= 500 or status in (408, 425):
        return DSServerError(
            f"the service failed: {error.message or 'no reason given'}",
            code=error.code,
            exception_id=error.exception_id,
            http_status=status,
        )
    if 300 <= status < 400 or status in (404, 405, 410):
        return DSEndpointError(
            f"there is no API at this address (HTTP {status}): check the host of the connection", http_status=status
        )
    if status < 300:
        return DSMalformedResponseError(f"the API never responds with HTTP {status}", http_status=status)
    message = error.message or "the request is refused and no reason is given"
    return DSRequestError(f"the API answered: {message}", code=error.code, http_status=status)


def _access_error(status: int, error: GraphQLError) -> DSError:
    """Return the error of a refused access. Only the message distinguishes a bad token from a forbidden address."""
    facts: dict[str, Any] = {"code": error.code, "http_status": status}
    if "forbidden network" in error.message:
        found = _IP.search(error.message)
        ip = found[1] if found else None
        return DSNetworkForbiddenError(
            f"the token is refused from this machine's address {ip or '(not named)'}: "
            "add it to the token's allowed networks in the profile page of its owner",
            ip=ip,
            **facts,
        )
    if "expired" in error.message.lower():
        return DSTokenExpiredError(
            "the token has expired: create a new one on the service and put it in the connection's password", **facts
        )
    # the service goes on to say what it allows without one, in words that change
    if _WITHOUT_TOKEN.match(error.message):
        return DSTokenUnknownError(
            "the service does not know this token: put the whole token, with its trailing '=' if any, "
            "in the connection's password",
            **facts,
        )
    return DSTokenError(f"access is refused: {error.message or 'no reason given'}", **facts)


def seconds_to_reset(response: Response) -> float | None:
    """Return how long a refusal for too many requests lasts, in seconds; None if it does not say.

    The reset is an epoch on the server's clock, so it is compared with the server's own ``Date``.
    """
    with suppress(KeyError, ValueError):
        reset = float(response.headers["ratelimit-reset"])
        return max(0.0, reset - _server_time(response)) if math.isfinite(reset) else None
    return None


def _server_time(response: Response) -> float:
    date = date_in(response.headers)
    return time.time() if date is None else date


def _lenient(body: bytes) -> _ErrorBody:
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except _UNREADABLE:
        return _ErrorBody()
