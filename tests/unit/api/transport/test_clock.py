"""The service's time is known by the dates of its answers, whatever the worker's clock shows."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport.clock import MIN_ERROR_SECONDS, ServiceClock, date_in

NOW = 1_795_000_000.0


class Worker:
    """Worker whose clock is wrong, and the true time."""

    def __init__(self, ahead: float = 0.0, now: float = NOW) -> None:
        self.ahead, self.now = ahead, now
        self.clock = ServiceClock(lambda: self.now + self.ahead)

    def ask(self, seconds: float = 0.1, *, status: int = 200, date: float | None = None, **headers: str) -> None:
        sent = self.clock.read()
        self.now += seconds
        shown = self.now if date is None else date
        self.clock.observe(status, {"date": formatdate(int(shown), usegmt=True), **headers}, sent)

    @property
    def error(self) -> float:
        return self.clock.now().timestamp() - self.now


offsets = st.floats(-1e7, 1e7)


@given(offsets, st.lists(st.floats(0.01, 5.0), min_size=1, max_size=20))
def test_clock_is_right_to_about_a_second_after_any_answers(ahead, pauses):
    worker = Worker(ahead)
    for seconds in pauses:
        worker.ask(seconds)
    assert abs(worker.error) <= MIN_ERROR_SECONDS + 1 + min(pauses)


@given(st.floats(-1, 1), st.lists(st.floats(0.01, 2.0), max_size=20))
def test_clock_that_may_be_right_is_taken_as_it_is(ahead, pauses):
    worker = Worker(ahead)
    for seconds in pauses:
        worker.ask(seconds)
    assert worker.clock.correction == 0


@given(offsets, st.lists(st.floats(0.001, 3.0), min_size=2, max_size=20))
def test_later_reading_is_never_earlier(ahead, pauses):
    worker = Worker(ahead)
    times = []
    for seconds in pauses:
        times.append(worker.clock.now())
        worker.ask(seconds)
    assert times == sorted(times)


@given(offsets, offsets)
def test_workers_agree_on_the_order_of_what_lies_seconds_apart(one, other):
    first, second = Worker(one), Worker(other, now=NOW + 10)
    first.ask()
    second.ask()
    assert first.clock.now() < second.clock.now()


def test_earlier_reading_is_translated_once_the_service_has_answered():
    worker = Worker(ahead=3600)
    began = worker.clock.read()
    worker.ask(5)
    assert abs(worker.clock.at(began).timestamp() - NOW) < 6


def test_clock_that_is_set_meanwhile_is_learnt_anew():
    worker = Worker(ahead=3600)
    worker.ask()
    worker.ahead = -7200
    worker.ask()
    worker.ask()
    assert abs(worker.clock.correction - 7200) < 2


@pytest.mark.parametrize("wrong", [3 * 86_400, -300])
def test_one_answer_with_another_date_says_nothing(wrong):
    worker = Worker(ahead=3600)
    worker.ask()
    worker.ask(date=worker.now + wrong)
    assert abs(worker.error) < 2
    worker.ask()
    assert abs(worker.error) < 2


def test_date_without_a_zone_is_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        for zone in ("GMT", "-0000", ""):
            assert date_in({"date": f"Sat, 28 Nov 2026 05:00:00 {zone}".strip()}) == 1795842000
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": ""}, {"date": "Wed, 99 Nov 2026"}])
def test_answer_without_a_date_says_nothing(headers):
    clock = ServiceClock(lambda: NOW)
    clock.observe(200, headers, NOW)
    assert clock.correction == 0


@pytest.mark.parametrize("asked", [{"status": 502}, {"status": 403}, {"age": "30"}], ids=repr)
def test_proxys_own_answer_says_nothing(asked):
    worker = Worker()
    worker.ask(date=NOW - 9000, **asked)
    assert worker.clock.correction == 0


@pytest.mark.parametrize(("ahead", "words"), [(3600, "1 h ahead of"), (-90, "1 min 30 s before")])
def test_clock_that_is_far_off_is_a_warning_once(ahead, words, caplog):
    worker = Worker(ahead)
    for _ in range(3):
        worker.ask(0.0)
    (record,) = caplog.records
    assert f"this worker's clock is {words} the service's" in record.getMessage()


@pytest.mark.parametrize("ahead", [0, 30, -55])
def test_clock_that_is_off_by_less_than_a_minute_is_no_warning(ahead, caplog):
    Worker(ahead).ask()
    assert caplog.records == []
