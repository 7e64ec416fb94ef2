"""One contract for both drivers: what they send, bear, hide and close."""

from __future__ import annotations

import gzip
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from ds_provider.api.paging.reader import read
from ds_provider.api.query import documents, lookups
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.transport.client import READ_TIMEOUT_SECONDS
from ds_provider.api.transport.messages import Request
from ds_provider.api.transport.retry import ATTEMPTS, Join, Send, Spawn, send_with_retry
from ds_provider.exceptions import (
    DSEndpointError,
    DSError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSMalformedAnswerError,
    DSNotFoundError,
    DSRateLimitedError,
    DSRequestError,
    DSServerError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSTransportError,
)
from tests.support.drivers import AGENT, TOKEN, URL, Async, Service, Sync, says
from tests.support.pauses import cut_short

WHOLE = {"data": {"__typename": "Query"}}


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def driver(request):
    return request.param


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses that were made, without their length."""
    made: list[float] = []

    async def doze(seconds: float) -> None:
        made.append(seconds)

    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", made.append)
    cut_short(monkeypatch, "ds_provider.api.transport.client", "asyncio", doze)
    return made


def test_a_request_carries_what_the_service_asks_for(driver):
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


def test_a_request_carries_the_operation_and_its_variables(driver):
    service = Service({"data": {"dossier": {"id": "x"}}})
    request = Request("query($number: Int!) { dossier(number: $number) { id } }", {"number": 12})
    driver(service).result(lookups.run(request))
    assert json.loads(service.requests[0].content) == {"query": request.query, "variables": {"number": 12}}


def test_the_service_is_waited_for_longer_than_it_takes_to_give_up(driver):
    service = Service(WHOLE)
    driver(service).result(lookups.run(Request(documents.load("ping"))))
    timeout = service.requests[0].extensions["timeout"]
    assert timeout["read"] == READ_TIMEOUT_SECONDS > 60
    assert timeout["connect"] < timeout["read"]


def test_the_wait_for_an_answer_can_be_set(driver):
    service = Service(WHOLE)
    driver(service, read_timeout=200.0).result(lookups.run(Request(documents.load("ping"))))
    assert service.requests[0].extensions["timeout"]["read"] == 200.0


def test_a_compressed_answer_is_read(driver):
    body = gzip.compress(json.dumps(WHOLE).encode())
    service = Service(says(200, content=body, headers={"content-encoding": "gzip"}))
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]


def test_a_compressed_answer_that_is_broken_is_asked_for_again(driver, pauses):
    broken = says(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
    service = Service(broken, WHOLE)
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1


def compressed(body: bytes) -> Callable[[], httpx.Response]:
    return says(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body))


@pytest.mark.parametrize("damage", ["cut", "damaged"])
def test_a_compressed_answer_that_is_not_whole_is_asked_for_again(driver, pauses, damage):
    body = gzip.compress(msgspec.json.encode(WHOLE))
    broken = body[:-9] if damage == "cut" else body[:-8] + bytes(4) + body[-4:]
    service = Service(compressed(broken), WHOLE)
    assert driver(service).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1


def several(count: int, error: Exception | None = None):
    """A schedule that has so many flows driven beside it, and gives what each gave and what ended it."""

    def flow(number: int):
        yield (yield from send_with_retry(lambda: Request(documents.load("ping")), lambda exchange: number))
        if error and number == 1:
            raise error

    for number in range(count):
        yield Spawn(flow(number))
    for _ in range(count):
        outcome = yield Join()
        yield (outcome.given, outcome.error)


def test_started_flows_go_on_beside_each_other_and_hand_back_all_that_they_gave(driver):
    given = driver(Service(WHOLE)).all(several(5))
    assert sorted(given) == [([number], None) for number in range(5)]


def test_a_started_flow_that_fails_hands_back_what_came_before(driver):
    error = ValueError("no")
    given = driver(Service(WHOLE)).all(several(3, error))
    assert ([1], error) in given
    assert len(given) == 3


def test_one_who_stops_listening_waits_for_no_started_flow(driver):
    assert driver(Service(WHOLE)).take(several(5), 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(driver, status):
    service = Service(says(status, headers={"location": "https://elsewhere.test/"}))
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
    httpx.ProxyError: True,
}


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_a_connection_that_stays_broken_is_told_after_all_attempts(driver, pauses, kind):
    service = Service(kind("no"))
    with pytest.raises(DSTransportError) as caught:
        driver(service).result(lookups.run(Request(documents.load("ping"))))
    assert caught.value.sent is TRANSPORT_ERRORS[kind]
    assert kind.__name__ in str(caught.value)
    assert len(service.requests) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_a_connection_that_breaks_once_costs_one_pause(driver, pauses, kind):
    assert driver(Service(kind("no"), WHOLE)).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_a_mutation_goes_out_once_if_it_may_have_arrived(driver, kind):
    service = Service(kind("no"))
    with pytest.raises(DSTransportError):
        driver(service).result(lookups.run(Request("mutation { a }")))
    assert len(service.requests) == (1 if TRANSPORT_ERRORS[kind] else ATTEMPTS)


def test_a_pause_lasts_as_long_as_the_service_says(driver, pauses):
    headers = {"RateLimit-Reset": "1795000030", "Date": "Wed, 18 Nov 2026 11:06:40 GMT"}
    stamp = says(429, text="Calme toi, cowboy !", headers=headers)
    assert driver(Service(stamp, WHOLE)).result(lookups.run(Request(documents.load("ping")))) == WHOLE["data"]
    assert len(pauses) == 1
    assert 30 <= pauses[0] <= 31


def test_a_pause_is_announced_with_its_cause(driver, caplog):
    with caplog.at_level(logging.WARNING, "ds_provider"):
        driver(Service(says(502, text="<html>"), WHOLE)).result(lookups.run(Request(documents.load("ping"))))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "502" in record.getMessage()


FAILURES = {
    "expired": (says(401, json={"errors": [{"message": "Token expired"}]}), DSTokenExpiredError),
    "unknown": (
        says(403, json={"errors": [{"message": "Without a token, only persisted queries are allowed"}]}),
        DSTokenUnknownError,
    ),
    "not found": (
        {"data": None, "errors": [{"message": "Dossier not found", "extensions": {"code": "not_found"}}]},
        DSNotFoundError,
    ),
    "request": ({"errors": [{"message": "no such field"}]}, DSRequestError),
    "rate": (says(429, text="Calme toi"), DSRateLimitedError),
    "server": (says(500, json={"errors": [{"message": "Internal Server Error"}]}), DSServerError),
    "gateway": (says(502, html="<html>"), DSServerError),
    "maintenance": (says(503, json={"error": "maintenance"}), DSMaintenanceError),
    "malformed": (says(200, text="<html>"), DSMalformedAnswerError),
    "null": ({"data": None}, DSIncompletePageError),
    "elsewhere": (says(404, text="nothing"), DSEndpointError),
    "transport": (httpx.ReadError("broken"), DSTransportError),
    "header refused": (httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'"), DSTransportError),
}


@pytest.mark.parametrize(("answer", "expected"), FAILURES.values(), ids=FAILURES)
def test_no_failure_shows_the_token(driver, caplog, answer, expected):
    driven = driver(Service(answer))
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


def test_pages_follow_each_other(driver):
    service = Service(page(1, 2, more=True), page(3, 4, more=True), page(5, more=False))
    assert numbers(driver(service).all(read(select_dossiers(7, page_size=2)))) == [1, 2, 3, 4, 5]
    asked = [json.loads(request.content)["variables"].get("after") for request in service.requests]
    assert asked == [None, "c2", "c4"]


def test_pages_are_asked_for_when_they_are_wanted(driver):
    service = Service(page(1, 2, more=True), page(3, 4, more=True), page(5, more=False))
    assert numbers(driver(service).take(read(select_dossiers(7, page_size=2)), 2)) == [1, 2, 3, 4]
    assert len(service.requests) == 2


def test_stopping_early_closes_the_flow(driver):
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


def test_a_failure_in_the_flow_closes_it_and_comes_through(driver):
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


def test_a_failure_that_is_none_of_the_network_s_is_not_hidden(driver):
    with pytest.raises(ZeroDivisionError):
        driver(Service(ZeroDivisionError())).result(lookups.run(Request(documents.load("ping"))))


def test_the_flow_gets_the_whole_answer_with_its_headers_in_lower_case(driver):
    got: list[Any] = []

    def flow():
        got.append((yield Send(Request("{ a }"))))
        yield None

    driver(Service(says(418, text="short", headers={"X-Thing": "Yes"}))).all(flow())
    (exchange,) = got
    assert (exchange.status, exchange.body, exchange.headers["x-thing"]) == (418, b"short", "Yes")


def test_an_error_of_a_page_says_where_it_happened(driver):
    service = Service(page(1, 2, more=True), says(502))
    with pytest.raises(DSError) as caught:
        driver(service).all(read(select_dossiers(7, page_size=2)))
    assert (caught.value.groupe_instructeur_number, caught.value.cursor) == (7, "c2")


def test_the_connection_is_closed_behind_the_block(driver):
    driven = driver(Service(WHOLE))
    driven.result(lookups.run(Request(documents.load("ping"))))
    with pytest.raises(RuntimeError, match="closed"):
        driven.result(lookups.run(Request(documents.load("ping"))))


def test_a_token_that_the_service_repeats_is_not_shown(driver):
    says_it = says(400, json={"errors": [{"message": f"bad header Authorization: Bearer {TOKEN}"}]})
    with pytest.raises(DSError) as caught:
        driver(Service(says_it)).result(lookups.run(Request(documents.load("ping"))))
    assert TOKEN not in str(caught.value)
    assert "***" in str(caught.value)
