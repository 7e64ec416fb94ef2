"""A plan says about how many requests an extraction sends, and never fewer than its pages."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ds_provider.api.paging.reader import read
from ds_provider.api.query.parameters import explicit_window, select_dossiers
from ds_provider.api.transport.messages import Request
from ds_provider.sync.plan import plan_groups, read_sample, shared_requests, stored_bytes
from tests.support.connection_model import Stored
from tests.support.flows import Drive
from tests.support.group import Group

START = datetime(2024, 3, 1, 8, tzinfo=timezone.utc)
SINCE = explicit_window(updated_since="2026-11-01T00:00:00Z")


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("dossiers", [0, 1, 100, 101, 299, 301, 1_000, 4_321, 9_000])
def test_requests_are_about_those_that_a_read_sends(dossiers, concurrency):
    selection = select_dossiers(7)
    rows = [Stored(n + 1, START + timedelta(seconds=3_600 * n)) for n in range(dossiers)]
    sent = len(Drive(read(selection, concurrency=concurrency), Group(rows)).requests)

    (planned,) = plan_groups([selection], {7: dossiers}, concurrency)

    assert abs(planned.requests - sent) <= 2 + sent * 0.1, (planned.requests, sent)


def test_pages_that_are_read_in_parallel_are_waited_for_together():
    (one,) = plan_groups([select_dossiers(7)], {7: 4_000}, 1)
    (four,) = plan_groups([select_dossiers(7)], {7: 4_000}, 4)
    assert (one.rounds, four.rounds) == (40, 10)


def test_groups_with_nothing_in_their_window_cost_a_shared_request_only():
    selections = [select_dossiers(number, window=SINCE) for number in range(1, 151)]
    plans = plan_groups(selections, dict.fromkeys(range(1, 151), 0) | {7: 30}, 4)
    assert sum(plan.requests for plan in plans) == 1
    assert shared_requests(selections) == 2


def test_group_without_a_window_costs_a_request_though_it_is_empty():
    assert [plan.requests for plan in plan_groups([select_dossiers(7), select_dossiers(8)], {7: 0, 8: 0}, 4)] == [1, 1]
    assert shared_requests([select_dossiers(7), select_dossiers(8)]) == 0


def test_sample_is_a_full_page_without_what_cannot_be_read():
    group = Group([Stored(n + 1, START + timedelta(seconds=n)) for n in range(150)])
    drive = Drive(read_sample(select_dossiers(7)), group)
    (rows,) = drive.results
    assert len(rows) == 100
    assert all(isinstance(request, Request) for request in drive.requests)
    assert 0 < stored_bytes(rows) < sum(map(len, rows))
    assert stored_bytes([]) == 0
