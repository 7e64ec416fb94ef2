"""Both drivers take each request that goes out from the budget, and tell it what the service refuses."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.query import lookups
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSBudgetError
from tests.support.drivers import Async, Service, Sync, says
from tests.support.pauses import cut_short

WHOLE = {"data": {"__typename": "Query"}}
REFUSAL = says(
    429,
    text="Calme toi, cowboy !",
    headers={"RateLimit-Reset": "1795000030", "Date": "Wed, 18 Nov 2026 11:06:40 GMT"},
)


class Account:
    """A budget that only keeps count."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: Exception | None = None

    def spend(self) -> None:
        self.events.append("spent")
        if self.error:
            raise self.error

    async def aspend(self) -> None:
        self.spend()

    def refused(self, wait_seconds: float | None) -> None:
        self.events.append(wait_seconds)

    def close(self) -> None:
        self.events.append("closed")


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def driver(request):
    return request.param


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch) -> None:
    async def doze(seconds: float) -> None:
        pass

    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", lambda seconds: None)
    cut_short(monkeypatch, "ds_provider.api.transport.client", "asyncio", doze)


def run(driver: Any, service: Service, account: Account) -> None:
    driver(service, budget=cast("Budget", account)).result(lookups.run(Request("{ a }")))


def test_a_request_is_taken_from_the_budget_and_the_budget_closed_with_the_client(driver):
    account = Account()
    run(driver, Service(WHOLE), account)
    assert account.events == ["spent", "closed"]


@pytest.mark.parametrize("failure", [says(502, text="<html>"), httpx.ReadError("broken")], ids=["502", "no answer"])
def test_each_attempt_is_taken_from_it(driver, failure):
    account = Account()
    run(driver, Service(failure, failure, WHOLE), account)
    assert account.events == ["spent", "spent", "spent", "closed"]


def test_a_refusal_is_told_with_the_seconds_to_its_reset(driver):
    account = Account()
    run(driver, Service(REFUSAL, WHOLE), account)
    assert account.events == ["spent", 30.0, "spent", "closed"]


def test_a_refusal_without_a_reset_is_told_too(driver):
    account = Account()
    run(driver, Service(says(429, text="Calme toi"), WHOLE), account)
    assert account.events == ["spent", None, "spent", "closed"]


def test_nothing_goes_out_that_the_budget_does_not_give(driver):
    account, service = Account(), Service(WHOLE)
    account.error = DSBudgetError("out of reach")
    with pytest.raises(DSBudgetError):
        run(driver, service, account)
    assert service.requests == []
    assert account.events == ["spent", "closed"]
