"""Both clients spend each request from the budget, and record in it the service's refusals."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.query import lookups
from ds_provider.api.transport.messages import Request
from ds_provider.api.transport.usage import Usage
from ds_provider.exceptions import DSBudgetError
from tests.support.drivers import Async, Service, Sync, respond_with
from tests.support.pauses import skip_pauses_of_clients

WHOLE = {"data": {"__typename": "Query"}}
REFUSAL = respond_with(
    429,
    text="Calme toi, cowboy !",
    headers={"RateLimit-Reset": "1795000030", "Date": "Wed, 18 Nov 2026 11:06:40 GMT"},
)


class CountingBudget:
    """Budget that only records its calls."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: Exception | None = None

    def spend(self) -> float:
        self.events.append("spent")
        if self.error:
            raise self.error
        return 1.5

    async def aspend(self) -> float:
        return self.spend()

    def record_refusal(self, wait_seconds: float | None) -> None:
        self.events.append(wait_seconds)

    def close(self) -> None:
        self.events.append("closed")


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def driver(request):
    return request.param


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch) -> None:
    skip_pauses_of_clients(monkeypatch)


def run(driver: Any, service: Service, budget: CountingBudget) -> None:
    driver(service, budget=cast("Budget", budget)).result(lookups.run(Request("{ a }")))


def test_client_spends_a_request_and_closes_the_budget(driver):
    budget = CountingBudget()
    run(driver, Service(WHOLE), budget)
    assert budget.events == ["spent", "closed"]


@pytest.mark.parametrize(
    "failure", [respond_with(502, text="<html>"), httpx.ReadError("broken")], ids=["502", "no response"]
)
def test_client_spends_a_request_for_each_attempt(driver, failure):
    budget = CountingBudget()
    run(driver, Service(failure, failure, WHOLE), budget)
    assert budget.events == ["spent", "spent", "spent", "closed"]


def test_client_records_a_refusal_with_the_seconds_to_its_reset(driver):
    budget = CountingBudget()
    run(driver, Service(REFUSAL, WHOLE), budget)
    assert budget.events == ["spent", 30.0, "spent", "closed"]


def test_client_records_a_refusal_without_a_reset(driver):
    budget = CountingBudget()
    run(driver, Service(respond_with(429, text="Calme toi"), WHOLE), budget)
    assert budget.events == ["spent", None, "spent", "closed"]


def test_client_sends_nothing_without_its_budget(driver):
    budget, service = CountingBudget(), Service(WHOLE)
    budget.error = DSBudgetError("out of reach")
    with pytest.raises(DSBudgetError):
        run(driver, service, budget)
    assert service.requests == []
    assert budget.events == ["spent", "closed"]


def test_client_counts_requests_refusals_and_its_waiting_for_the_budget(driver):
    made = driver(Service(REFUSAL, WHOLE), budget=cast("Budget", CountingBudget()))
    made.result(lookups.run(Request("{ a }")))
    assert made.client.usage == Usage(requests=2, refusals=1, budget_wait=3.0)
