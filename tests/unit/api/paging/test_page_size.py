"""Pages are as large as the service allows, and what it allows is found with few failures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.page_size import MAX_POISON_ROWS_IN_A_ROW, WHOLE_PAGES_BEFORE_GROWTH, AdaptivePageSize


def read_pages(pace: AdaptivePageSize, count: int, limit: int) -> tuple[int, int]:
    """Rows and failures of so many pages of a service that fails above a limit."""
    rows = failures = 0
    for _ in range(count):
        asked = tried = pace.ask(100)
        while tried > limit:
            failures += 1
            failed, tried = tried, tried // 2
        if tried == asked:
            pace.whole(tried)
        else:
            pace.shrank(asked, failed, tried)
        rows += tried
    return rows, failures


def test_a_failure_that_passes_leaves_the_next_page_as_large():
    pace = AdaptivePageSize(100)
    pace.shrank(100, 100, 50)
    assert pace.rows == 100


def test_a_failure_that_comes_again_is_taken_for_the_size():
    pace = AdaptivePageSize(100)
    pace.shrank(100, 100, 50)
    pace.shrank(100, 100, 50)
    assert pace.rows == 50


def test_a_failure_that_half_the_page_does_not_mend_is_taken_for_the_size():
    pace = AdaptivePageSize(100)
    pace.shrank(100, 50, 25)
    assert pace.rows == 25


def test_what_costs_too_much_is_not_asked_again():
    pace = AdaptivePageSize(100)
    pace.shrank(100, 25, 12, too_dear=True)
    for _ in range(200):
        pace.whole(pace.ask(100))
    assert pace.rows == 24


def test_pages_grow_again_once_the_service_does_better():
    pace = AdaptivePageSize(100)
    read_pages(pace, 4, limit=10)
    read_pages(pace, 80, limit=100)
    assert pace.rows == 100


def test_one_page_tries_a_larger_size_while_the_others_go_on_as_before():
    pace = AdaptivePageSize(100)
    pace.shrank(100, 50, 25)
    for _ in range(WHOLE_PAGES_BEFORE_GROWTH):
        pace.whole(25)
    assert [pace.ask(100) for _ in range(3)] == [37, 25, 25]
    pace.whole(37)
    assert pace.ask(100) == 37


@given(st.integers(1, 99))
def test_the_size_that_works_is_found_with_few_failures(limit):
    pace = AdaptivePageSize(100)
    rows, failures = read_pages(pace, 100, limit)
    assert failures <= 14 + WHOLE_PAGES_BEFORE_GROWTH
    assert rows >= 0.6 * 100 * limit


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans(), st.booleans()), max_size=60))
def test_whatever_happens_a_page_has_rows_and_not_too_many(events):
    pace = AdaptivePageSize(100)
    for size, works, too_dear in events:
        asked = pace.ask(size)
        if works or asked == 1:
            pace.whole(asked)
        else:
            pace.shrank(asked, asked, asked // 2, too_dear=too_dear)
        assert 1 <= pace.rows <= pace.largest <= 100


def test_many_culprits_one_after_another_are_the_services_failure():
    pace = AdaptivePageSize(100)
    assert [pace.record_poison() for _ in range(MAX_POISON_ROWS_IN_A_ROW + 1)] == [True] * MAX_POISON_ROWS_IN_A_ROW + [
        False
    ]
    pace.came()
    assert pace.record_poison()
