"""The sandbox's own controls over HTTP, and what a test can see from within."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.sandbox_client import NOW, Client


@pytest.fixture
def asking() -> Iterator[Client]:
    with Sandbox(seed=4, groupes=3, dossiers=20, now=NOW, rate_limit=0) as sandbox:
        client = Client(sandbox)
        yield client


def test_the_state_tells_time_groups_tokens_and_requests(asking: Client) -> None:
    asking.post("{ __typename }")
    asking.post("{")
    state = asking.control("state").json()
    assert state["now"] == "2026-11-24T12:00:00+00:00"
    assert state["running"] is False
    assert state["demarche"] == asking.sandbox.demarche
    assert [group["number"] for group in state["groupes"]] == asking.sandbox.groupes
    assert all(group[name] > 0 for group in state["groupes"] for name in ("dossiers", "pending", "deleted"))
    assert set(state["tokens"]) == {"main", "expired", "ip_locked", "without_rights"}
    assert (state["requests"], state["refusals"]) == (2, 1)


def test_the_clock_is_moved_and_stands_still(asking: Client) -> None:
    state = asking.control("clock", {"now": "2026-11-25T00:00:00+01:00"}).json()
    assert (state["now"], state["running"]) == ("2026-11-24T23:00:00+00:00", False)


def test_the_clock_is_moved_on_by_seconds(asking: Client) -> None:
    state = asking.control("clock", {"advance_seconds": 90}).json()
    assert state["now"] == "2026-11-24T12:01:30+00:00"


def test_the_clock_runs_and_stops(asking: Client) -> None:
    assert asking.control("clock", {"running": True}).json()["running"] is True
    assert asking.control("clock", {"running": False}).json()["running"] is False


@pytest.mark.parametrize(
    "orders",
    [
        {"now": "2020-01-01T00:00:00Z"},
        {"now": "noon"},
        {"advance_seconds": -1},
        {"advance_seconds": "x"},
        {"when": 1},
        [],
    ],
)
def test_an_order_that_cannot_be_followed_is_refused(asking: Client, orders: object) -> None:
    response = asking.control("clock", orders)
    assert response.status_code == 400
    assert response.json()["error"]
    assert asking.control("state").json()["now"] == "2026-11-24T12:00:00+00:00"


def test_faults_are_set_and_replaced(asking: Client) -> None:
    asking.control("faults", {"slow": {"probability": 0.5, "seconds": 2}})
    state = asking.control("faults", {"poison": {"numbers": [1, 2], "from": 4}}).json()
    assert set(state["faults"]) == {"poison"}
    assert state["faults"]["poison"]["numbers"] == [1, 2]
    assert state["faults"]["poison"]["first"] == 4
    assert asking.control("faults", {}).json()["faults"] == {}


def test_the_truth_is_what_the_api_shows(asking: Client) -> None:
    asking.sandbox.clock.advance(40 * 86_400)
    told = asking.control("truth").json()
    for group in told["groupes"]:
        shown = [
            asking.walk(name, number=group["number"])
            for name in ("dossiers", "pendingDeletedDossiers", "deletedDossiers")
        ]
        for rows, name in zip(shown, ("dossiers", "pending", "deleted"), strict=True):
            assert sorted(row["number"] for row in rows) == sorted(row["number"] for row in group[name])


def test_the_world_moves_with_the_clock(asking: Client) -> None:
    before = asking.control("truth").json()
    asking.sandbox.clock.advance(20 * 86_400)
    assert asking.control("truth").json()["groupes"] != before["groupes"]
    assert asking.sandbox.world.now == asking.sandbox.clock.now_micros


def test_requests_are_noted(asking: Client) -> None:
    query = "query numbers($n: Int!) { groupeInstructeur(number: $n) { number } }"
    asking.ask(query, n=asking.sandbox.groupes[0])
    asking.post("{", n=1)
    asking.post("{ __typename }")
    noted = [(one.operation, one.variables, one.status) for one in asking.sandbox.requests]
    assert noted == [("numbers", {"n": asking.sandbox.groupes[0]}, 200), (None, {"n": 1}, 400), (None, {}, 200)]


def test_it_is_served_within_with_only() -> None:
    sandbox = Sandbox(seed=4, groupes=1, dossiers=3, now=NOW)
    with pytest.raises(RuntimeError, match="with"):
        _ = sandbox.url


def test_answers_are_compressed_for_those_who_take_it(asking: Client) -> None:
    asking.headers["Accept-Encoding"] = "gzip"
    query = "{ __schema { types { name fields { name } } } }"
    assert asking.post(query).headers["Content-Encoding"] == "gzip"
    asking.headers["Accept-Encoding"] = "identity"
    assert "Content-Encoding" not in asking.post(query).headers
