"""Both clients, under one contract: requests, failures, pauses, flows and the token."""

from __future__ import annotations

import gzip
import json
import logging
import time
import traceback
import zlib
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import msgspec
import pytest

from ds_provider.api.paging.reader import read
from ds_provider.api.query import documents, lookups
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.transport.client import READ_TIMEOUT_SECONDS
from ds_provider.api.transport.flows import Join, Send, Spawn
from ds_provider.api.transport.messages import Request
from ds_provider.api.transport.retry import ATTEMPTS, send_with_retry
from ds_provider.exceptions import (
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSMalformedResponseError,
    DSNotFoundError,
    DSRateLimitedError,
    DSRequestError,
    DSServerError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSTransportError,
)
from tests.support.drivers import AGENT, TOKEN, URL, Async, Service, Sync, respond_with
from tests.support.pauses import cut_short

WHOLE = {"data": {"__typename": "Query"}}


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def driver(request):
    return request.param


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """Pauses that were made, without their length."""
    made: list[float] = []

    async def doze(seconds: float) -> None:
        made.append(seconds)

    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", made.append)
    cut_short(monkeypatch, "ds_provider.api.transport.client", "asyncio", doze)
    return made


def test_request_has_the_headers_that_the_service_needs(driver):
    service = Service(WHOLE)
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    (sent,) = service.requests
    assert sent.method == "POST"
    assert str(sent.url) == URL
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["user-agent"] == AGENT
    assert sent.headers["accept-language"] == "fr"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["accept"] == "application/json"


def test_request_has_the_operation_and_its_variables(driver):
    service = Service({"data": {"dossier": {"id": "x"}}})
    request = Request("query($number: Int!) { dossier(number: $number) { id } }", {"number": 12})
    driver(service).result(lookups.run(request))
    assert json.loads(service.requests[0].content) == {"query": request.query, "variables": {"number": 12}}


def test_read_timeout_is_longer_than_the_service_s_own(driver):
    service = Service(WHOLE)
    driver(service).result(lookups.run(Request(documents.load("ping"))))
    timeout = service.requests[0].extensions["timeout"]
    assert timeout["read"] == READ_TIMEOUT_SECONDS > 60
    assert timeout["connect"] < timeout["read"]


def test_read_timeout_can_be_set(driver):
    service = Service(WHOLE)
    driver(service, read_timeout=200.0).result(lookups.run(Request(documents.load("ping"))))
    assert service.requests[0].extensions["timeout"]["read"] == 200.0


def test_client_decompresses_a_response(driver):
    body = gzip.compress(json.dumps(WHOLE).encode())
    service = Service(respond_with(200, content=body, headers={"content-encoding": "gzip"}))
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]


@pytest.mark.parametrize("encoding", ["deflate", "x-gzip", "gzip, gzip"])
def test_client_decompresses_what_it_did_not_ask_for(driver, encoding):
    body = json.dumps(WHOLE).encode()
    for name in encoding.split(", "):
        body = zlib.compress(body) if name == "deflate" else gzip.compress(body)
    sent = respond_with(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(body))
    assert driver(Service(sent)).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]


def test_error_names_an_encoding_that_was_not_asked_for(driver):
    sent = respond_with(200, headers={"content-encoding": "br"}, stream=httpx.ByteStream(b"\x0b\x02\x80"))
    with pytest.raises(DSMalformedResponseError, match="encoded as br where gzip was asked for"):
        driver(Service(sent)).result(lookups.run(Request(documents.load("ping"))))


def test_client_retries_a_response_that_is_not_gzip(driver, pauses):
    broken = respond_with(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
    service = Service(broken, WHOLE)
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1


def compressed(body: bytes) -> Callable[[], httpx.Response]:
    return respond_with(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body))


@pytest.mark.parametrize("damage", ["cut", "damaged"])
def test_client_retries_a_damaged_gzip_response(driver, pauses, damage):
    body = gzip.compress(msgspec.json.encode(WHOLE))
    broken = body[:-9] if damage == "cut" else body[:-8] + bytes(4) + body[-4:]
    service = Service(compressed(broken), WHOLE)
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1


def spawning(count: int, error: Exception | None = None):
    """Spawn flows, and yield the results and the error of each."""

    def flow(number: int):
        yield (yield from send_with_retry(lambda: Request(documents.load("ping")), lambda exchange: number))
        if error and number == 1:
            raise error

    for number in range(count):
        yield Spawn(flow(number))
    for _ in range(count):
        joined = yield Join()
        yield (joined.results, joined.error)


def test_spawned_flows_run_concurrently_and_return_all_results(driver):
    joined = driver(Service(WHOLE)).all(spawning(5))
    assert sorted(joined) == [([number], None) for number in range(5)]


def test_spawned_flow_that_fails_returns_its_earlier_results(driver):
    error = ValueError("no")
    joined = driver(Service(WHOLE)).all(spawning(3, error))
    assert ([1], error) in joined
    assert len(joined) == 3


def test_client_that_stops_early_waits_for_no_spawned_flow(driver):
    assert driver(Service(WHOLE)).take(spawning(5), 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_client_follows_no_redirect(driver, status):
    service = Service(respond_with(status, headers={"location": "https://elsewhere.test/"}))
    with pytest.raises(DSEndpointError):
        driver(service).result(lookups.run(Request(documents.load("ping"))))
    assert len(service.requests) == 1


TRANSPORT_ERRORS = {
    httpx.ConnectError: False,
    httpx.ConnectTimeout: False,
    httpx.PoolTimeout: False,
    httpx.UnsupportedProtocol: False,
    httpx.ReadTimeout: True,
    httpx.ReadError: True,
    httpx.WriteError: True,
    httpx.WriteTimeout: True,
    httpx.CloseError: True,
    httpx.RemoteProtocolError: True,
    httpx.LocalProtocolError: True,
    httpx.ProxyError: False,
}


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_client_raises_transport_error_after_all_attempts(driver, pauses, kind):
    service = Service(kind("no"))
    with pytest.raises(DSTransportError) as caught:
        driver(service).result(lookups.run(Request(documents.load("ping"))))
    assert caught.value.sent is TRANSPORT_ERRORS[kind]
    assert kind.__name__ in str(caught.value)
    assert len(service.requests) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_client_pauses_once_after_one_transport_failure(driver, pauses, kind):
    assert driver(Service(kind("no"), WHOLE)).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_client_sends_a_mutation_once_if_it_may_have_arrived(driver, kind):
    service = Service(kind("no"))
    with pytest.raises(DSTransportError):
        driver(service).result(lookups.run(Request("mutation { a }")))
    assert len(service.requests) == (1 if TRANSPORT_ERRORS[kind] else ATTEMPTS)


def test_client_pauses_until_the_service_s_reset(driver, pauses):
    headers = {"RateLimit-Reset": "1795000030", "Date": "Wed, 18 Nov 2026 11:06:40 GMT"}
    stamp = respond_with(429, text="Calme toi, cowboy !", headers=headers)
    assert driver(Service(stamp, WHOLE)).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1
    assert 30 <= pauses[0] <= 31


def test_client_logs_a_pause_with_its_cause(driver, caplog):
    with caplog.at_level(logging.WARNING, "ds_provider"):
        driver(Service(respond_with(502, text="<html>"), WHOLE)).result(lookups.run(Request(documents.load("ping"))))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "502" in record.getMessage()


FAILURES = {
    "expired": (respond_with(401, json={"errors": [{"message": "Token expired"}]}), DSTokenExpiredError),
    "unknown": (
        respond_with(403, json={"errors": [{"message": "Without a token, only persisted queries are allowed"}]}),
        DSTokenUnknownError,
    ),
    "not found": (
        {"data": None, "errors": [{"message": "Dossier not found", "extensions": {"code": "not_found"}}]},
        DSNotFoundError,
    ),
    "request": ({"errors": [{"message": "no such field"}]}, DSRequestError),
    "rate": (respond_with(429, text="Calme toi"), DSRateLimitedError),
    "server": (respond_with(500, json={"errors": [{"message": "Internal Server Error"}]}), DSServerError),
    "gateway": (respond_with(502, html="<html>"), DSServerError),
    "maintenance": (respond_with(503, json={"error": "maintenance"}), DSMaintenanceError),
    "malformed": (respond_with(200, text="<html>"), DSMalformedResponseError),
    "null": ({"data": None}, DSIncompletePageError),
    "elsewhere": (respond_with(404, text="nothing"), DSEndpointError),
    "transport": (httpx.ReadError("broken"), DSTransportError),
    "header refused": (httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'"), DSTransportError),
}


@pytest.mark.parametrize(("response", "expected"), FAILURES.values(), ids=FAILURES)
def test_failures_do_not_show_the_token(driver, caplog, response, expected):
    driven = driver(Service(response))
    with caplog.at_level(logging.DEBUG), pytest.raises(expected) as caught:
        driven.result(lookups.run(Request(documents.load("ping"))))
    shown = [
        "".join(traceback.format_exception(caught.value)),
        repr(caught.value),
        repr(vars(caught.value)),
        repr(driven.client),
        str(driven.client),
        caplog.text,
        repr([vars(record) for record in caplog.records]),
    ]
    assert not [text for text in shown if TOKEN in text]


def page(*numbers: int, more: bool) -> dict[str, Any]:
    info = {"hasNextPage": more, "hasPreviousPage": False, "startCursor": "s", "endCursor": f"c{numbers[-1]}"}
    nodes = [{"number": number, "dateDepot": "2026-11-01T08:00:00+01:00"} for number in numbers]
    return {"data": {"groupeInstructeur": {"dossiers": {"pageInfo": info, "nodes": nodes}}}}


def numbers(pages: list[Any]) -> list[int]:
    return [row.head.number for page in pages for row in page.rows]


def test_client_reads_pages_one_after_another(driver):
    service = Service(page(1, 2, more=True), page(3, 4, more=True), page(5, more=False))
    assert numbers(driver(service).all(read(select_dossiers(7, page_size=2)))) == [1, 2, 3, 4, 5]
    asked = [json.loads(request.content)["variables"].get("after") for request in service.requests]
    assert asked == [None, "c2", "c4"]


def test_client_requests_a_page_only_when_it_is_consumed(driver):
    service = Service(page(1, 2, more=True), page(3, 4, more=True), page(5, more=False))
    assert numbers(driver(service).take(read(select_dossiers(7, page_size=2)), 2)) == [1, 2, 3, 4]
    assert len(service.requests) == 2


def test_client_that_stops_early_closes_the_flow(driver):
    closed: list[bool] = []

    def flow():
        try:
            yield Send(Request("{ a }"))
            yield 1
            yield 2
        finally:
            closed.append(True)

    assert driver(Service(WHOLE)).take(flow(), 1) == [1]
    assert closed == [True]


def test_client_closes_a_flow_that_fails_and_passes_on_its_error(driver):
    closed: list[bool] = []

    def flow():
        try:
            yield Send(Request("{ a }"))
            raise DSServerError("failed")
        finally:
            closed.append(True)

    with pytest.raises(DSServerError):
        driver(Service(WHOLE)).all(flow())
    assert closed == [True]


def test_client_does_not_catch_errors_other_than_transport_errors(driver):
    with pytest.raises(ZeroDivisionError):
        driver(Service(ZeroDivisionError())).result(lookups.run(Request(documents.load("ping"))))


def test_flow_receives_the_whole_response_with_lower_case_headers(driver):
    got: list[Any] = []

    def flow():
        got.append((yield Send(Request("{ a }"))))
        yield None

    driver(Service(respond_with(418, text="short", headers={"X-Thing": "Yes"}))).all(flow())
    (exchange,) = got
    assert (exchange.status, exchange.body, exchange.headers["x-thing"]) == (418, b"short", "Yes")


def test_error_of_a_page_names_group_and_cursor(driver):
    service = Service(page(1, 2, more=True), respond_with(502))
    with pytest.raises(DSError) as caught:
        driver(service).all(read(select_dossiers(7, page_size=2)))
    assert (caught.value.groupe_instructeur_number, caught.value.cursor) == (7, "c2")


def test_client_is_closed_after_its_block(driver):
    driven = driver(Service(WHOLE))
    driven.result(lookups.run(Request(documents.load("ping"))))
    with pytest.raises(RuntimeError, match="closed"):
        driven.result(lookups.run(Request(documents.load("ping"))))


def test_client_hides_a_token_that_the_service_repeats(driver):
    repeating = respond_with(400, json={"errors": [{"message": f"bad header Authorization: Bearer {TOKEN}"}]})
    with pytest.raises(DSError) as caught:
        driver(Service(repeating)).result(lookups.run(Request(documents.load("ping"))))
    assert TOKEN not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_client_learns_the_services_time(driver, ahead):
    headers = {"Date": formatdate(time.time() - ahead, usegmt=True)}
    made = driver(Service(respond_with(200, json=WHOLE, headers=headers)))
    made.result(lookups.run(Request(documents.load("ping"))))
    assert abs(made.client.clock.correction + ahead) < 2
