"""Each response of the service is whole, or its own error with the facts that a person needs."""

from __future__ import annotations

import json
import logging
from typing import Any

import msgspec
import pytest

from ds_provider.api.transport.messages import Response, TransportFailure
from ds_provider.api.transport.responses import Body, read_response
from ds_provider.exceptions import (
    DSComplexityError,
    DSEndpointError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSMalformedResponseError,
    DSNetworkForbiddenError,
    DSNotFoundError,
    DSRequestError,
    DSServerError,
    DSTimeoutError,
    DSTokenError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSTransportError,
    DSUnauthorizedError,
    DSUnreadableValueError,
)
from tests.support.flows import response

decoder = msgspec.json.Decoder(Body[dict[str, Any]])

HTML = b"<!DOCTYPE html><html><body><h1>Erreur</h1></body></html>"
OUT_OF_TIME = "Timeout on Dossier.champs"
TOO_COMPLEX = "Query has complexity of 94000, which exceeds max complexity of 60000"
NO_TOKEN_NEWER = (
    "Without a token, only the public getDemarcheDescriptor and getDemarcheDescriptors queries and introspection "
    "are allowed"
)
NETWORK = "Request issued from a forbidden network. Add 203.0.113.7/32 to your allowed adresses in your /profil"
NETWORK_V6 = "Request issued from a forbidden network. Add 2001:db8::7/128 to your allowed adresses in your /profil"
NO_TOKEN = "Without a token, only persisted queries are allowed"
CLOSED = "Le site est actuellement en maintenance. Il sera de nouveau disponible dans quelques minutes."


def failed(*errors: dict[str, Any], status: int = 200, **data: Any) -> Response:
    return response({"errors": list(errors), **data}, status=status, content_type="application/json; charset=utf-8")


def error(message: str, code: str | None = None, **facts: Any) -> dict[str, Any]:
    extensions = {"code": code, **facts} if code or facts else None
    return {"message": message, **({"extensions": extensions} if extensions else {})}


def html(status: int) -> Response:
    return response(status=status, body=HTML, content_type="text/html; charset=utf-8")


def error_of(exchange: Response | TransportFailure) -> Any:
    """Return the error that a response raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        read_response(exchange, decoder)
    return caught.value


ACCESS = {
    "expired": (failed(error("Token expired", "unauthorized"), status=401, data=None), DSTokenExpiredError),
    "unknown token": (failed(error(NO_TOKEN, "forbidden"), status=403, data=None), DSTokenUnknownError),
    "unknown token, in newer words": (
        failed(error(NO_TOKEN_NEWER, "forbidden"), status=403, data=None),
        DSTokenUnknownError,
    ),
    "forbidden network": (failed(error(NETWORK, "forbidden"), status=403, data=None), DSNetworkForbiddenError),
    "another refusal": (failed(error("Not today", "forbidden"), status=403, data=None), DSTokenError),
    "refused by a proxy": (html(403), DSTokenError),
    "refused without a word": (response(status=401, body=b""), DSTokenError),
    "no right on the démarche": (
        failed(error("An object of type Demarche was hidden due to permissions", "unauthorized"), data=None),
        DSUnauthorizedError,
    ),
    "unknown group": (
        failed(error("GroupeInstructeurWithDossiers not found", "not_found"), data=None),
        DSNotFoundError,
    ),
    "forbidden without a status": (failed(error("Forbidden", "forbidden"), data=None), DSTokenError),
    "token of an old version": (failed(error("Deprecated", "deprecated_token"), data=None), DSTokenError),
}

REQUEST = {
    "exclusive arguments": (
        failed(error('Arguments "first" and "last" are exclusive', "bad_request"), data=None),
        DSRequestError,
    ),
    "validation": (
        failed(error("Field 'champz' doesn't exist on type 'Dossier'", "undefinedField")),
        DSRequestError,
    ),
    "validation without a code": (failed(error("Variable $number of type Int! was given null")), DSRequestError),
    "complexity": (failed(error(TOO_COMPLEX)), DSComplexityError),
    "complexity with null data": (failed(error(TOO_COMPLEX), data=None), DSComplexityError),
    "bad cursor": (failed(error("invalid base64", "bad_request"), status=400, data=None), DSRequestError),
    "parse failed": (failed(error("Expected NAME", "graphql_parse_failed"), status=400), DSRequestError),
    "parse failed with 200": (failed(error("Expected NAME", "graphql_parse_failed")), DSRequestError),
    "bad request in HTML": (html(400), DSRequestError),
    "too large": (html(413), DSRequestError),
    "unprocessable": (html(422), DSRequestError),
}

ADDRESS = {
    "moved": (response(status=301, body=b"", location="https://elsewhere.test/"), DSEndpointError),
    "found elsewhere": (html(302), DSEndpointError),
    "permanently elsewhere": (html(308), DSEndpointError),
    "not found": (html(404), DSEndpointError),
    "method not allowed": (html(405), DSEndpointError),
    "gone": (html(410), DSEndpointError),
}

PASSING = {
    "timeout by code": (failed(error(OUT_OF_TIME, "timeout"), data={"dossier": None}), DSTimeoutError),
    "timeout by message": (failed(error(OUT_OF_TIME), data={"dossier": {}}), DSTimeoutError),
    "timeout after another error": (
        failed(error("Cannot return null", "invalid_null"), error(OUT_OF_TIME), data={"dossier": None}),
        DSTimeoutError,
    ),
    "timeout of everything": (failed(error("Timeout on Query.dossier", "timeout"), data=None), DSTimeoutError),
    "invalid null": (
        failed(error("Cannot return null for DeletedDossier.reason", "invalid_null"), data={"dossier": {}}),
        DSIncompletePageError,
    ),
    "unknown code with data": (
        failed(error("Something new", "brand_new"), data={"dossier": {}}),
        DSIncompletePageError,
    ),
    "internal error with 200": (
        failed(error("Internal Server Error", "internal_server_error", exception_id="e-200"), data=None),
        DSServerError,
    ),
    "internal error": (
        failed(error("Internal Server Error", "internal_server_error", exception_id="e-500"), status=500, data=None),
        DSServerError,
    ),
    "500 in HTML": (html(500), DSServerError),
    "502": (html(502), DSServerError),
    "503 in HTML": (html(503), DSServerError),
    "504": (html(504), DSServerError),
    "500 without a body": (response(status=500, body=b""), DSServerError),
    "request timeout of a proxy": (html(408), DSServerError),
    "maintenance": (response({"error": CLOSED}, status=503, content_type="application/json"), DSMaintenanceError),
    "no body": (response(body=b""), DSMalformedResponseError),
    "cut": (response(body=b'{"data":{"dossier":{"number":1'), DSMalformedResponseError),
    "HTML with 200": (html(200), DSMalformedResponseError),
    "cut in a broken text": (response(body=b'{"data":{"dossier":"\xff\xfe'), DSMalformedResponseError),
    "a value that is no JSON": (response(body=b'{"data":{"dossier":NaN}}'), DSUnreadableValueError),
    "a number out of range": (response(body=b'{"data":{"dossier":1e999}}'), DSUnreadableValueError),
    "a list": (response([]), DSMalformedResponseError),
    "a number": (response(12), DSMalformedResponseError),
    "a text": (response("ok"), DSMalformedResponseError),
    "null": (response(None), DSMalformedResponseError),
    "nothing in it": (response({}), DSMalformedResponseError),
    "data of another shape": (response({"data": [1]}), DSMalformedResponseError),
    "errors of another shape": (response({"data": {}, "errors": {"message": "no list"}}), DSMalformedResponseError),
    "empty errors and no data": (response({"errors": []}), DSMalformedResponseError),
    "no content": (response(status=204, body=b""), DSMalformedResponseError),
    "accepted": (response({"data": {"dossier": {}}}, status=202), DSMalformedResponseError),
    "data is null": (response({"data": None}), DSIncompletePageError),
    "data is null, errors empty": (response({"data": None, "errors": []}), DSIncompletePageError),
    "broken off": (TransportFailure("no whole response from the service: ReadError", sent=True), DSTransportError),
}

TABLE = {**ACCESS, **REQUEST, **ADDRESS, **PASSING}


@pytest.mark.parametrize(("exchange", "expected"), TABLE.values(), ids=TABLE)
def test_response_raises_its_own_error(exchange, expected):
    assert type(error_of(exchange)) is expected


@pytest.mark.parametrize(("exchange", "expected"), TABLE.values(), ids=TABLE)
def test_error_message_is_one_line_of_text(exchange, expected):
    text = str(error_of(exchange))
    assert text.strip()
    assert "\n" not in text
    assert "<html" not in text.lower()


@pytest.mark.parametrize("body", [{"data": {"a": 1}}, {"data": {"a": 1}, "errors": []}, {"data": {}, "errors": None}])
def test_whole_response_returns_its_data(body):
    assert read_response(response(body), decoder) == body["data"]


def test_texts_that_are_no_json_are_repaired_and_counted_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        data = read_response(response(body=b'{"data":{"a":"\xff","b":["\\ud800"]}}'), decoder)
    assert data == {"a": "\ufffd", "b": ["\ufffd"]}
    assert "2 texts" in caplog.text


def test_unknown_keys_of_a_response_are_ignored():
    body = {"data": {"a": 1}, "extensions": {"trace": [1]}, "meta": None}
    assert read_response(response(body), decoder) == {"a": 1}


@pytest.mark.parametrize(("message", "ip"), [(NETWORK, "203.0.113.7/32"), (NETWORK_V6, "2001:db8::7/128")])
def test_forbidden_network_error_names_the_address_to_allow(message, ip):
    refused = error_of(failed(error(message, "forbidden"), status=403))
    assert refused.ip == ip
    assert ip in str(refused)


def test_forbidden_network_error_needs_no_address():
    refused = error_of(failed(error("Request issued from a forbidden network.", "forbidden"), status=403))
    assert type(refused) is DSNetworkForbiddenError
    assert refused.ip is None


@pytest.mark.parametrize("name", ["expired", "unknown token", "forbidden network", "another refusal"])
def test_access_error_keeps_code_and_status(name):
    exchange, _ = ACCESS[name]
    refused = error_of(exchange)
    assert refused.http_status == exchange.status
    assert refused.code == json.loads(exchange.body)["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("name", ["expired", "unknown token"])
def test_token_error_names_the_connection_s_password(name):
    assert "connection's password" in str(error_of(ACCESS[name][0]))


@pytest.mark.parametrize(("name", "reference"), [("internal error", "e-500"), ("internal error with 200", "e-200")])
def test_server_error_keeps_the_reference_for_support(name, reference):
    exchange, _ = PASSING[name]
    internal = error_of(exchange)
    assert internal.exception_id == reference
    assert internal.http_status == exchange.status
    assert internal.code == "internal_server_error"
    assert reference in str(internal)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 301, 404, 405, 400, 204])
def test_error_keeps_the_status(status):
    assert error_of(html(status)).http_status == status


def test_maintenance_error_quotes_the_service():
    assert CLOSED in str(error_of(PASSING["maintenance"][0]))


@pytest.mark.parametrize("name", ["unknown group", "no right on the démarche"])
def test_error_of_a_number_says_to_check_it(name):
    assert ": check the number, and that " in str(error_of(ACCESS[name][0]))


def test_error_quotes_the_service():
    assert "GroupeInstructeurWithDossiers not found" in str(error_of(ACCESS["unknown group"][0]))
    assert TOO_COMPLEX in str(error_of(REQUEST["complexity"][0]))


@pytest.mark.parametrize("sent", [True, False])
def test_transport_error_keeps_whether_the_request_was_sent(sent):
    broken = error_of(TransportFailure("no whole response from the service: ReadError", sent=sent))
    assert broken.sent is sent
    assert "ReadError" in str(broken)


def test_first_of_several_errors_is_raised():
    two = failed(error("Dossier not found", "not_found"), error("later", "unauthorized"), data=None)
    assert type(error_of(two)) is DSNotFoundError
