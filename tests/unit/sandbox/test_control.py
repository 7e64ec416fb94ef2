"""The sandbox's own controls over HTTP, and the requests it records."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.sandbox_client import NOW, Client


@pytest.fixture
def client() -> Iterator[Client]:
    with Sandbox(seed=4, groupes=3, dossiers=20, now=NOW, rate_limit=0) as sandbox:
        yield Client(sandbox)


def test_state_shows_time_groups_tokens_and_requests(client: Client) -> None:
    client.post("{ __typename }")
    client.post("{ ... @include(if: true) { __typename } }")
    state = client.control("state").json()
    assert state["now"] == "2026-11-24T12:00:00+00:00"
    assert state["running"] is False
    assert state["demarche"] == client.sandbox.demarche
    assert [group["number"] for group in state["groupes"]] == client.sandbox.groupes
    assert all(group[name] > 0 for group in state["groupes"] for name in ("dossiers", "pending", "deleted"))
    assert set(state["tokens"]) == {"main", "expired", "ip_locked", "without_rights"}
    assert (state["requests"], state["refusals"]) == (2, 1)


def test_clock_moves_to_an_instant_and_stops(client: Client) -> None:
    state = client.control("clock", {"now": "2026-11-25T00:00:00+01:00"}).json()
    assert (state["now"], state["running"]) == ("2026-11-24T23:00:00+00:00", False)


def test_clock_advances_by_seconds(client: Client) -> None:
    state = client.control("clock", {"advance_seconds": 90}).json()
    assert state["now"] == "2026-11-24T12:01:30+00:00"


def test_clock_starts_and_stops(client: Client) -> None:
    assert client.control("clock", {"running": True}).json()["running"] is True
    assert client.control("clock", {"running": False}).json()["running"] is False


@pytest.mark.parametrize(
    "settings",
    [
        {"now": "2020-01-01T00:00:00Z"},
        {"now": "noon"},
        {"advance_seconds": -1},
        {"advance_seconds": "x"},
        {"when": 1},
        [],
    ],
)
def test_clock_refuses_impossible_settings(client: Client, settings: object) -> None:
    response = client.control("clock", settings)
    assert response.status_code == 400
    assert response.json()["error"]
    assert client.control("state").json()["now"] == "2026-11-24T12:00:00+00:00"


def test_faults_are_set_and_replaced(client: Client) -> None:
    client.control("faults", {"slow": {"probability": 0.5, "seconds": 2}})
    state = client.control("faults", {"poison": {"numbers": [1, 2], "from": 4}}).json()
    assert set(state["faults"]) == {"poison"}
    assert state["faults"]["poison"]["numbers"] == [1, 2]
    assert state["faults"]["poison"]["first"] == 4
    assert client.control("faults", {}).json()["faults"] == {}


def test_truth_matches_the_lists_of_the_api(client: Client) -> None:
    client.sandbox.clock.advance(40 * 86_400)
    for group in client.control("truth").json()["groupes"]:
        shown = [
            client.rows(name, number=group["number"])
            for name in ("dossiers", "pendingDeletedDossiers", "deletedDossiers")
        ]
        for rows, name in zip(shown, ("dossiers", "pending", "deleted"), strict=True):
            assert sorted(row["number"] for row in rows) == sorted(row["number"] for row in group[name])


def test_world_moves_with_the_clock(client: Client) -> None:
    before = client.control("truth").json()
    client.sandbox.clock.advance(20 * 86_400)
    assert client.control("truth").json()["groupes"] != before["groupes"]
    assert client.sandbox.world.now == client.sandbox.clock.now_micros


def test_requests_are_recorded(client: Client) -> None:
    query = "query numbers($n: Int!) { groupeInstructeur(number: $n) { number } }"
    client.ask(query, n=client.sandbox.groupes[0])
    client.post("{", n=1)
    client.post("{ __typename }")
    recorded = [(one.operation, one.variables, one.status) for one in client.sandbox.requests]
    assert recorded == [("numbers", {"n": client.sandbox.groupes[0]}, 200), (None, {"n": 1}, 200), (None, {}, 200)]


def test_url_exists_only_inside_a_with_block() -> None:
    sandbox = Sandbox(seed=4, groupes=1, dossiers=3, now=NOW)
    with pytest.raises(RuntimeError, match="with"):
        _ = sandbox.url


def test_answers_are_compressed_for_clients_that_accept_it(client: Client) -> None:
    client.headers["Accept-Encoding"] = "gzip"
    query = "{ __schema { types { name fields { name } } } }"
    assert client.post(query).headers["Content-Encoding"] == "gzip"
    client.headers["Accept-Encoding"] = "identity"
    assert "Content-Encoding" not in client.post(query).headers
