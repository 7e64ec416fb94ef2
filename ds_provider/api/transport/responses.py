"""Every answer is either whole or a typed error: what is not whole is never handed on.

The API answers HTTP 200 to most failures, partial data included; a page counts only without any root error. One
exception: a champ that links to a dossier outside the token's rights adds an ``unauthorized`` error to a page that is
otherwise whole, with a path that ends in that champ's ``dossier``.
"""

from __future__ import annotations

import codecs
import math
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import msgspec

from ds_provider.api.transport.messages import Exchange, Response, TransportFailure
from ds_provider.exceptions import (
    DSComplexityError,
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSMalformedAnswerError,
    DSNetworkForbiddenError,
    DSNotFoundError,
    DSRateLimitedError,
    DSRequestError,
    DSServerError,
    DSTimeoutError,
    DSTokenError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSTransportError,
    DSUnauthorizedError,
)

T = TypeVar("T")

# a body may be nested deeper than the decoder goes
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

MAX_MESSAGE = 300

_utf8 = codecs.getincrementaldecoder("utf-8")
_PIECE_BYTES = 64 * 1024

# such an error is about what it names, not about the token, the request or the service
_OF_ONE_FIELD = ("not_found", "unauthorized", "invalid_null")

_IP = re.compile(r"\bAdd (\S+) to\b")


class GraphQLError(msgspec.Struct):
    """One entry of ``errors``, its message on one line that a log can hold."""

    message: str = ""
    path: list[str | int] | None = None
    extensions: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.message = " ".join(self.message.split())[:MAX_MESSAGE]

    @property
    def code(self) -> str | None:
        code = (self.extensions or {}).get("code")
        return code if isinstance(code, str) else None

    @property
    def exception_id(self) -> str | None:
        exception_id = (self.extensions or {}).get("exception_id")
        return exception_id if isinstance(exception_id, str) else None


class Body(msgspec.Struct, Generic[T]):
    """A GraphQL answer whose ``data`` has the shape ``T``."""

    data: T | msgspec.UnsetType | None = msgspec.UNSET
    errors: list[GraphQLError] | None = None


class _Refusal(msgspec.Struct):
    errors: list[GraphQLError] = []
    error: str | None = None


def read_answer(exchange: Exchange, decoder: msgspec.json.Decoder[Body[T]]) -> T:
    """The data of a whole answer, decoded.

    :raises DSError: the subclass that tells what the answer is instead.
    """
    return _whole(_body(exchange, decoder))


def read_fields(
    exchange: Exchange, decoder: msgspec.json.Decoder[Body[dict[str, msgspec.Raw]]]
) -> tuple[dict[str, msgspec.Raw] | None, set[str]]:
    """The root fields of an answer to several questions, and the names of those that failed for reasons of their own.

    A root field may not be null: one that fails without any data takes the others' data with it, which is then none.

    :raises DSError: where the answer as a whole is not to be relied on.
    """
    data, failed = read_fields_and_failures(exchange, decoder)
    return data, set(failed)


def read_fields_and_failures(
    exchange: Exchange, decoder: msgspec.json.Decoder[Body[dict[str, msgspec.Raw]]]
) -> tuple[dict[str, msgspec.Raw] | None, dict[str, GraphQLError]]:
    """The same, with the error of each field that failed."""
    body = _body(exchange, decoder)
    failed = [(_field_that_failed_alone(error), error) for error in _fatal(body.errors)]
    alone = {field: error for field, error in failed if field}
    if not failed or any(field is None for field, _ in failed):
        return _whole(body), {}
    return body.data if isinstance(body.data, dict) else None, alone


def _whole(body: Body[T]) -> T:
    if fatal := _fatal(body.errors):
        raise _graphql_error(fatal, has_data=body.data is not msgspec.UNSET)
    if isinstance(body.data, msgspec.UnsetType):
        raise DSMalformedAnswerError("the answer holds neither data nor errors", http_status=200)
    if body.data is None:
        raise DSIncompletePageError("the answer's data is null and no error says why", http_status=200)
    return body.data


def _field_that_failed_alone(error: GraphQLError) -> str | None:
    """The root field that an error is about, where it says nothing of the others."""
    match error.path:
        case [str(field), *_] if error.code in _OF_ONE_FIELD:
            return field
    return None


def _body(exchange: Exchange, decoder: msgspec.json.Decoder[Body[T]]) -> Body[T]:
    if isinstance(exchange, TransportFailure):
        raise DSTransportError(exchange.reason, sent=exchange.sent)
    if exchange.status != 200:
        raise _refusal(exchange)
    try:
        _check_text(exchange.body)
        return decoder.decode(exchange.body)
    except _UNREADABLE:
        raise _unreadable(exchange) from None


def _check_text(body: bytes) -> None:
    """Rows are handed on as bytes of which little is decoded here, but all of it must be text.

    In pieces: a copy of the whole would cost more in fresh memory than the reading of it.

    :raises UnicodeDecodeError: if it is not.
    """
    decoder, view = _utf8(), memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        decoder.decode(view[start : start + _PIECE_BYTES])
    decoder.decode(b"", final=True)


def _fatal(errors: Sequence[GraphQLError] | None) -> list[GraphQLError]:
    return [error for error in errors or () if not _is_foreign_link(error)]


def _is_foreign_link(error: GraphQLError) -> bool:
    match error.path:
        case [_, *_, "champs" | "annotations", int(), "dossier"]:
            return error.code == "unauthorized"
    return False


def _unreadable(reply: Response) -> DSError:
    """Tell a body that is JSON of another shape, errors included, from one that is no JSON at all."""
    if fatal := _fatal(_lenient(reply.body).errors):
        return _graphql_error(fatal, has_data=True)
    kind = reply.headers.get("content-type", "no content type")
    return DSMalformedAnswerError(
        f"the answer of {len(reply.body)} bytes ({kind}) is not one of the API's: cut, or not from the API",
        http_status=reply.status,
    )


def _graphql_error(errors: Sequence[GraphQLError], *, has_data: bool) -> DSError:
    if any(error.code == "timeout" or error.message.startswith("Timeout on ") for error in errors):
        return DSTimeoutError("the service ran out of time and sent partial data", code="timeout", http_status=200)
    error = errors[0]
    kind = _kind(error, has_data=has_data)
    return kind(
        f"the API answered: {error.message.strip() or 'an error without a message'}",
        code=error.code,
        exception_id=error.exception_id,
        http_status=200,
    )


def _kind(error: GraphQLError, *, has_data: bool) -> type[DSError]:
    if "exceeds max complexity" in error.message:
        return DSComplexityError
    match error.code:
        case "not_found":
            return DSNotFoundError
        case "unauthorized":
            return DSUnauthorizedError
        case "forbidden" | "deprecated_token":
            return DSTokenError
        case "internal_server_error":
            return DSServerError
        case "bad_request" | "graphql_parse_failed":
            return DSRequestError
    return DSIncompletePageError if has_data else DSRequestError


def _refusal(reply: Response) -> DSError:
    """The error that an HTTP status other than 200 stands for."""
    status = reply.status
    if status == 429:
        return _rate_limited(reply)
    refusal = _lenient(reply.body)
    error = refusal.errors[0] if refusal.errors else GraphQLError()
    if status in (401, 403):
        return _access_refused(status, error)
    if status == 503 and refusal.error:
        return DSMaintenanceError(f"the service is closed: {refusal.error[:200]}", http_status=status)
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
        return DSMalformedAnswerError(f"the API never answers with HTTP {status}", http_status=status)
    message = error.message or "the request is refused and no reason is given"
    return DSRequestError(f"the API answered: {message}", code=error.code, http_status=status)


def _access_refused(status: int, error: GraphQLError) -> DSError:
    """Three refusals share two statuses, and only the message tells a bad token from a forbidden address."""
    facts: dict[str, Any] = {"code": error.code, "http_status": status}
    if "forbidden network" in error.message:
        found = _IP.search(error.message)
        ip = found.group(1) if found else None
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
    if "persisted queries" in error.message:
        return DSTokenUnknownError(
            "the service does not know this token: put the whole token, with its trailing '=' if any, "
            "in the connection's password",
            **facts,
        )
    return DSTokenError(f"access is refused: {error.message or 'no reason given'}", **facts)


def _rate_limited(reply: Response) -> DSRateLimitedError:
    return DSRateLimitedError(
        "the token's requests for this minute are spent",
        wait_seconds=seconds_to_reset(reply),
        http_status=reply.status,
    )


def seconds_to_reset(reply: Response) -> float | None:
    """How long a refusal for too many requests lasts, if it says so.

    The reset is an epoch on the server's clock, so it is compared with the server's own ``Date``.
    """
    with suppress(KeyError, ValueError):
        reset = float(reply.headers["ratelimit-reset"])
        return max(0.0, reset - _server_time(reply)) if math.isfinite(reset) else None
    return None


def _server_time(reply: Response) -> float:
    try:
        return parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return time.time()


def _lenient(body: bytes) -> _Refusal:
    try:
        return msgspec.json.decode(body, type=_Refusal)
    except _UNREADABLE:
        return _Refusal()
