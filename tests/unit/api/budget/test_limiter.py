"""A budget is never exceeded, waits when the service refuses, and raises without its store."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.budget.limiter import (
    MAX_REFUSAL_SECONDS,
    PERIOD_SECONDS,
    RECOVERY_SECONDS,
    STORE_PATIENCE_SECONDS,
    Budget,
    BudgetUsage,
    budget_key,
)
from ds_provider.exceptions import DSBudgetError
from tests.support.budgets import Clock, Memory, budget_in
from tests.support.pauses import cut_short

TOKEN = "MDAwMDAwMDAtMDAwMDtTM2NyM3Q="
MINUTE = 60.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock) -> Memory:
    return Memory(clock)


def spend_async(budget: Budget) -> None:
    asyncio.run(budget.aspend())


@pytest.fixture(params=["thread", "event loop"])
def spend(request, clock, monkeypatch) -> Callable[[Budget], None]:
    async def doze(seconds: float) -> None:
        clock.wait(seconds)

    cut_short(monkeypatch, "ds_provider.api.budget.limiter", "asyncio", doze)
    return Budget.spend if request.param == "thread" else spend_async


def max_within(times: list[float], seconds: float) -> int:
    return max(sum(1 for other in times if 0 <= other - start < seconds) for start in times)


@given(st.integers(1, 12), st.lists(st.floats(0, 40), min_size=1, max_size=60))
def test_budget_is_never_exceeded_in_a_minute(requests, gaps):
    clock = Clock()
    store = Memory(clock)
    spenders = [budget_in(store, requests) for _ in range(3)]
    times = []
    for number, gap in enumerate(gaps):
        clock.wait(gap)
        spenders[number % 3].spend()
        times.append(clock.seconds)
    assert max_within(times, MINUTE) <= requests


@given(st.integers(1, 50))
@settings(max_examples=20)
def test_budget_is_used_to_nine_tenths_at_least(requests):
    clock = Clock()
    budget = budget_in(Memory(clock), requests)
    began = clock.seconds
    for _ in range(10 * requests + 1):
        budget.spend()
    assert 10 * requests / ((clock.seconds - began) / MINUTE) >= 0.9 * requests


def test_budget_that_is_not_spent_does_not_wait(spend, store):
    budget = budget_in(store, 50)
    for _ in range(50):
        spend(budget)
    assert store.clock.waits == []


def test_budget_that_is_spent_waits_until_the_first_request_expires(spend, store):
    budget = budget_in(store, 2)
    spend(budget)
    store.clock.wait(20)
    spend(budget)
    spend(budget)
    assert PERIOD_SECONDS - 20 <= sum(store.clock.waits[1:]) <= PERIOD_SECONDS - 19


def test_budget_says_how_long_it_waited(store):
    budget = budget_in(store, 1)
    assert budget.spend() == 0
    began = store.clock.seconds
    assert budget.spend() == pytest.approx(store.clock.seconds - began)
    assert store.clock.seconds - began >= PERIOD_SECONDS


def test_wait_of_many_threads_is_one_line_a_minute(store, caplog):
    caplog.set_level("INFO")
    budget = budget_in(store, 1)
    for minute in range(2):
        budget.spend()
        waits = [budget._try_spend() for _ in range(16)]
        assert min(waits) > 50
        assert len(caplog.records) == 1 + minute
        store.clock.wait(max(waits))
    assert caplog.records[0].getMessage().startswith("the token's requests for this minute are spent: waiting 1 min")


def test_budgets_of_one_key_share_their_requests(spend, store):
    for _ in range(5):
        spend(budget_in(store, 5))
    spend(budget_in(store, 5))
    assert sum(store.clock.waits) >= PERIOD_SECONDS


def test_budgets_of_two_keys_are_separate(spend, store):
    for key in "ab":
        for _ in range(5):
            spend(budget_in(store, 5, key=key))
    assert store.clock.waits == []


def test_refusal_holds_back_all_budgets_until_the_reset(spend, store):
    budget_in(store).record_refusal(25)
    spend(budget_in(store))
    assert 25 < sum(store.clock.waits) <= 26.5


def test_budgets_resume_at_different_instants_after_a_refusal(store):
    budget_in(store).record_refusal(25)
    returns = set()
    for _ in range(20):
        clock = store.clock.seconds
        budget_in(store).spend()
        returns.add(round(store.clock.seconds - clock, 3))
        store.clock.seconds = clock
    assert len(returns) > 10


@pytest.mark.parametrize("wait", [None, 0.0])
def test_refusal_without_a_reset_makes_a_short_pause(spend, store, wait):
    budget_in(store).record_refusal(wait)
    spend(budget_in(store))
    assert 1 <= sum(store.clock.waits) <= 2.5


def test_refusal_has_a_maximum_length(spend, store):
    budget_in(store).record_refusal(86_400)
    spend(budget_in(store))
    assert sum(store.clock.waits) <= MAX_REFUSAL_SECONDS + 1.5


def rate_of(store: Memory, requests: int = 300) -> int:
    """Return how many requests go out without a wait in the next minute."""
    store.clock.seconds += 2 * PERIOD_SECONDS
    budget, began = budget_in(store, requests), len(store.clock.waits)
    spent = 0
    while len(store.clock.waits) == began:
        budget.spend()
        spent += 1
    return spent - 1


def test_refusal_halves_all_budgets(store):
    budget_in(store).record_refusal(10)
    assert 150 <= rate_of(store) <= 180


def test_refusals_of_one_minute_count_once(store):
    for wait in (10.0, 9.8, 9.1, 10.6):
        budget_in(store).record_refusal(wait)
    assert 150 <= rate_of(store) <= 180


def test_refusal_in_the_next_minute_halves_the_budget_again(store):
    budget_in(store).record_refusal(10)
    store.clock.seconds += 60
    budget_in(store).record_refusal(10)
    assert 75 <= rate_of(store) <= 100


def test_refusals_leave_at_least_a_tenth_of_the_budget(store):
    for _ in range(60):
        budget_in(store).record_refusal(10)
        store.clock.seconds += 60
    assert rate_of(store) >= 30


def test_refusal_leaves_a_budget_of_one(store):
    budget_in(store, 1).record_refusal(10)
    assert rate_of(store, 1) == 1


def test_budget_recovers_from_a_refusal(store):
    budget_in(store).record_refusal(10)
    store.clock.seconds += RECOVERY_SECONDS + 10
    assert rate_of(store) == 300


def test_budget_recovers_slowly(store):
    budget_in(store).record_refusal(10)
    store.clock.seconds += RECOVERY_SECONDS / 2
    assert 200 < rate_of(store) < 260


def test_refusal_is_logged_with_both_rates(store, caplog):
    with caplog.at_level(logging.WARNING, "ds_provider"):
        budget_in(store).record_refusal(10)
    (record,) = caplog.records
    assert "300" in record.getMessage()
    assert "150" in record.getMessage()


@given(st.integers(60, 400), st.integers(50, 300))
@settings(max_examples=8)
def test_service_that_allows_less_than_the_budget_seldom_refuses(allowed, requests):
    """Spend without a break for two hours, of a service that counts by minutes of the epoch."""
    clock = Clock()
    budget = budget_in(Memory(clock), requests)
    accepted = refused = 0
    minute, count, end = 0.0, 0, clock.seconds + 7200
    while clock.seconds < end:
        budget.spend()
        clock.seconds += 0.05
        if clock.seconds // MINUTE != minute:
            minute, count = clock.seconds // MINUTE, 0
        count += 1
        if count > allowed:
            refused += 1
            budget.record_refusal((minute + 1) * MINUTE - clock.seconds)
        else:
            accepted += 1
    assert refused <= 0.01 * (accepted + refused)


def test_clock_that_is_set_back_blocks_no_budget_for_long(spend, store):
    budget = budget_in(store, 2)
    for _ in range(2):
        spend(budget)
    store.clock.seconds -= 86_400
    spend(budget)
    assert sum(store.clock.waits) <= PERIOD_SECONDS + 1


def test_clock_that_is_set_back_after_a_refusal_blocks_no_budget(spend, store):
    budget = budget_in(store)
    budget.record_refusal(30)
    store.clock.seconds -= 86_400
    spend(budget)
    assert store.clock.waits == []


def test_log_of_requests_does_not_grow(store):
    budget = budget_in(store, 5)
    for _ in range(60):
        budget.spend()
    assert max(bucket.count() for bucket in store.buckets.values()) <= 6


def test_log_of_refusals_does_not_grow(store):
    budget = budget_in(store, 5)
    for _ in range(60):
        budget.record_refusal(10)
        store.clock.seconds += 60
    assert max(bucket.count() for bucket in store.buckets.values()) <= 6


def test_budget_logs_a_long_wait(store, caplog):
    budget = budget_in(store, 1)
    with caplog.at_level(logging.INFO, "ds_provider"):
        budget.spend()
        budget.spend()
    assert "waiting 1 min 1 s" in caplog.text


def test_budget_pauses_while_its_store_is_away_for_a_moment(spend, store):
    store.failures = ["restarting"] * 3
    spend(budget_in(store))
    assert len(store.clock.waits) == 3


def test_budget_raises_without_its_store(spend, store, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: store.clock.seconds)
    store.failures = ["no route to host"] * 1000
    with pytest.raises(DSBudgetError) as caught:
        spend(budget_in(store))
    assert STORE_PATIENCE_SECONDS <= sum(store.clock.waits) <= STORE_PATIENCE_SECONDS + 5
    assert "budget_url" in str(caught.value)
    assert "memory" in str(caught.value)
    assert "no route to host" in str(caught.value)


def test_store_error_is_one_line_without_secrets(store):
    store.failures = ["login as u:s3cret@host\n failed"]
    with pytest.raises(DSBudgetError) as caught:
        budget_in(store).check()
    assert "s3cret" not in str(caught.value)
    assert "u:***@host failed" in str(caught.value)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_check_passes_with_a_store_in_reach(store):
    budget_in(store).check()
    assert store.clock.waits == []


def test_refusal_that_cannot_be_shared_is_logged(store, caplog):
    store.failures = ["s3cret"]
    with caplog.at_level(logging.WARNING, "ds_provider"):
        budget_in(store).record_refusal(25)
    assert "not shared" in caplog.text
    assert "s3cret" not in caplog.text


def test_thread_that_waits_for_a_closed_budget_gets_an_error(store):
    budget = Budget(store, "a", 1)
    budget.spend()
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            budget.spend()
        except RuntimeError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    budget.close()
    waiting.join(30)
    assert len(errors) == 1


def test_threads_share_one_budget(store):
    budget = Budget(store, "a", 1000)
    threads = [threading.Thread(target=lambda: [budget.spend() for _ in range(20)]) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.buckets["ds_a_spent"].count() == 320


def test_key_does_not_show_the_token():
    key = budget_key(TOKEN, "demarche.test")
    assert key.isalnum()
    assert len(key) == 16
    assert not any(TOKEN[start : start + 6] in key for start in range(len(TOKEN) - 5))


@given(st.text(), st.text())
def test_keys_of_two_tokens_differ(one, other):
    keys: list[Any] = [budget_key(one, "demarche.test"), budget_key(other, "demarche.test")]
    assert (keys[0] == keys[1]) is (one == other)


def test_keys_of_two_servers_differ():
    assert budget_key(TOKEN, "demarche.test") != budget_key(TOKEN, "127.0.0.1:9999")


def test_usage_counts_the_requests_of_all_tasks_in_the_last_minute(store, clock):
    first, other = budget_in(store, 10), budget_in(store, 10)
    first.spend()
    clock.wait(40)
    other.spend()
    assert first.usage() == BudgetUsage(spent=2, limit=10, refused_seconds=0.0)
    clock.wait(30)
    assert first.usage().spent == 1


def test_usage_spends_nothing(store):
    budget = budget_in(store, 10)
    assert [budget.usage().spent for _ in range(20)] == [0] * 20


def test_usage_shows_a_refusal_and_the_halved_budget(store, clock):
    budget = budget_in(store, 100)
    budget.record_refusal(30)
    assert budget.usage() == BudgetUsage(spent=0, limit=50, refused_seconds=30.0)
    clock.wait(60)
    usage = budget.usage()
    assert usage.refused_seconds == 0.0
    assert 50 <= usage.limit < 100


def test_usage_of_a_store_out_of_reach_is_an_error(store):
    store.failures = ["connection refused by s3cret"]
    with pytest.raises(DSBudgetError, match="out of reach") as raised:
        budget_in(store).usage()
    assert "s3cret" not in str(raised.value)
