"""Each fault: its form, and the requests that it hits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http import answers
from ds_provider.sandbox.http.faults import NAMES, Fault, Faults
from tests.support.sandbox_client import HTTP, Client, page_query
from tests.support.sandbox_documents import FULL_PAGE

NUMBERS = page_query("dossiers")


@pytest.fixture(autouse=True)
def _no_faults_left(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


def post_with(client: Client, fault: dict[str, Any], query: str = NUMBERS, **variables: Any) -> httpx.Response:
    client.sandbox.faults.set(fault)
    return client.post(query, number=client.sandbox.groupes[0], **variables)


def nodes_of(response: httpx.Response) -> list[Any]:
    nodes: list[Any] = response.json()["data"]["groupeInstructeur"]["dossiers"]["nodes"]
    return nodes


def test_sandbox_has_no_faults_by_default(client: Client) -> None:
    assert all("errors" not in client.post(NUMBERS, number=client.sandbox.groupes[0]).json() for _ in range(20))


def timeouts(client: Client) -> list[httpx.Response]:
    client.sandbox.faults.set({"timeout_partial": 1})
    return [client.post(FULL_PAGE, number=client.sandbox.groupes[0], first=20) for _ in range(8)]


def test_partial_timeout_leaves_part_of_the_page(client: Client) -> None:
    for response in timeouts(client):
        assert response.status_code == 200
        errors = response.json()["errors"]
        assert all(error["message"].startswith("Timeout on ") for error in errors)
        assert [error.get("extensions", {}).get("code") for error in errors] == ["timeout"] + [None] * (len(errors) - 1)
        assert len(nodes_of(response)) == 20


def test_partial_timeout_loses_rows_or_fields_of_rows(client: Client) -> None:
    whole = client.ask(FULL_PAGE, number=client.sandbox.groupes[0], first=20)["groupeInstructeur"]["dossiers"]["nodes"]
    pages = [nodes_of(response) for response in timeouts(client)]
    assert any(None in nodes for nodes in pages)
    lost = [
        (node, row)
        for nodes in pages
        for node, row in zip(nodes, whole, strict=True)
        if node is not None and node["pdf"] is None and row["pdf"] is not None
    ]
    assert lost


def test_timeout_before_the_first_row_leaves_no_data(client: Client) -> None:
    response = post_with(client, {"timeout_null_root": 1})
    assert response.status_code == 200
    assert response.json()["data"] is None
    (error,) = response.json()["errors"]
    assert error["message"] == "Timeout on GroupeInstructeurWithDossiers.dossiers"
    assert error["extensions"]["code"] == "timeout"


@pytest.mark.parametrize("connection", ["dossiers", "deletedDossiers"])
def test_bad_data_costs_one_row(client: Client, connection: str) -> None:
    response = post_with(client, {"null_node": 1}, page_query(connection), first=5)
    assert response.status_code == 200
    nodes = response.json()["data"]["groupeInstructeur"][connection]["nodes"]
    assert nodes.count(None) == 1
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "invalid_null"
    assert error["path"][:-1] == ["groupeInstructeur", connection, "nodes", nodes.index(None)]


def test_server_errors_have_unique_ids(client: Client) -> None:
    ids = set()
    for _ in range(2):
        response = post_with(client, {"server_error": 1})
        assert response.status_code == 500
        ids.add(uuid.UUID(response.json()["errors"][0]["extensions"]["exception_id"]))
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("fault", "status"), [("bad_gateway", 502), ("unavailable", 503), ("gateway_timeout", 504), ("not_json", 200)]
)
def test_proxy_faults_answer_with_html(client: Client, fault: str, status: int) -> None:
    response = post_with(client, {fault: 1})
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_maintenance_answers_with_another_form_of_json(client: Client) -> None:
    response = post_with(client, {"maintenance": 1})
    assert response.status_code == 503
    assert set(response.json()) == {"error"}


def test_rate_limit_fault_lasts_for_two_seconds(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "time", SimpleNamespace(time=lambda: 1_795_521_630.5))
    response = post_with(client, {"rate_limited": 1})
    assert response.status_code == 429
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["RateLimit-Remaining"] == "0"
    assert response.headers["RateLimit-Reset"] == "1795521632"


def test_empty_body_fault_sends_no_body(client: Client) -> None:
    response = post_with(client, {"empty_body": 1})
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_cut_body_breaks_off(client: Client, encoding: str) -> None:
    client.sandbox.faults.set({"cut_body": 1})
    body = {"query": NUMBERS, "variables": {"number": client.sandbox.groupes[0]}}
    headers = {**client.headers, "Accept-Encoding": encoding}
    with HTTP.stream("POST", client.sandbox.url, json=body, headers=headers) as response:
        assert response.status_code == 200
        assert int(response.headers["Content-Length"]) > 0
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()


def test_dropped_connection_has_no_answer(client: Client) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post_with(client, {"dropped": 1})


def test_pages_above_a_size_are_too_complex(client: Client) -> None:
    fault = {"complexity": {"page_size": 10}}
    assert "exceeds max complexity of 60000" in post_with(client, fault, first=11).text
    assert len(nodes_of(post_with(client, fault, first=10))) == 10


def test_poisoned_dossier_fails_each_page_that_holds_it(client: Client) -> None:
    numbers = [row["number"] for row in client.page("dossiers", first=10)["nodes"]]
    fault = {"poison": {"numbers": [numbers[6]]}}
    whole = page_query("dossiers", "demandeur { __typename }")
    assert post_with(client, fault, whole, first=7).status_code == 500
    assert post_with(client, fault, whole, first=6).status_code == 200
    assert post_with(client, fault, first=7).status_code == 200, "its light fields do no harm"
    query = "query($number: Int!) { dossier(number: $number) { demandeur { __typename } } }"
    assert client.post(query, number=numbers[6]).status_code == 500
    assert client.post(query, number=numbers[5]).status_code == 200


def test_slow_answers_are_complete(client: Client) -> None:
    response = post_with(client, {"slow": {"seconds": 0.001, "seconds_per_row": 0.0001}}, first=10)
    assert len(nodes_of(response)) == 10


def test_faults_begin_and_end_at_given_requests(client: Client) -> None:
    client.sandbox.faults.set({"server_error": {"from": 3, "times": 2}})
    statuses = [client.post("{ __typename }").status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]


def test_draws_follow_the_probability_and_the_seed() -> None:
    def draws(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.set({"server_error": 0.3, "slow": Fault(probability=0.9)})
        return ["server_error" in faults.draw() for _ in range(500)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert 100 < sum(draws(1)) < 200


def test_faults_hit_independently() -> None:
    faults = Faults(1)
    faults.set({"server_error": 0.5, "slow": 0.5})
    seen = {faults.draw().names() for _ in range(100)}
    assert seen == {(), ("server_error",), ("slow",), ("server_error", "slow")}


@pytest.mark.parametrize(
    "wrong", [{"nope": 1}, {"slow": 2}, {"slow": {"nope": 1}}, {"slow": "often"}, {"slow": {"probability": -1}}]
)
def test_invalid_faults_are_refused(client: Client, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        client.sandbox.faults.set(wrong)
    response = client.control("faults", wrong)
    assert response.status_code == 400
    assert response.json()["error"]


def test_requests_are_recorded_with_their_faults(client: Client) -> None:
    for name in NAMES:
        client.sandbox.faults.set({name: {"numbers": [], "seconds": 0.001}})
        try:
            client.post(NUMBERS, number=client.sandbox.groupes[0])
        except httpx.TransportError:
            assert name in ("dropped", "cut_body")
        assert client.sandbox.requests[-1].faults == (name,)
