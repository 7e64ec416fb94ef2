"""Pages are as large as the service allows, and what it allows is found with few failures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.paging.page_size import FULL_PAGES_BEFORE_GROWTH, MAX_POISON_ROWS_IN_A_ROW, AdaptivePageSize


def read_pages(page_size: AdaptivePageSize, count: int, limit: int) -> tuple[int, int]:
    """Read pages of a service that fails above a limit, and return the rows and failures."""
    rows = failures = 0
    for _ in range(count):
        asked = tried = page_size.next_size(100)
        while tried > limit:
            failures += 1
            failed, tried = tried, tried // 2
        if tried == asked:
            page_size.on_full_page(tried)
        else:
            page_size.on_reduced(asked, failed, tried)
        rows += tried
    return rows, failures


def test_passing_failure_leaves_the_next_page_as_large():
    page_size = AdaptivePageSize(100)
    page_size.on_reduced(100, 100, 50)
    assert page_size.rows == 100


def test_repeated_failure_reduces_the_page_size():
    page_size = AdaptivePageSize(100)
    page_size.on_reduced(100, 100, 50)
    page_size.on_reduced(100, 100, 50)
    assert page_size.rows == 50


def test_failure_of_half_the_page_reduces_the_page_size():
    page_size = AdaptivePageSize(100)
    page_size.on_reduced(100, 50, 25)
    assert page_size.rows == 25


def test_page_size_stays_below_one_that_was_too_complex():
    page_size = AdaptivePageSize(100)
    page_size.on_reduced(100, 25, 12, too_complex=True)
    for _ in range(200):
        page_size.on_full_page(page_size.next_size(100))
    assert page_size.rows == 24


def test_page_size_grows_again_once_the_service_does_better():
    page_size = AdaptivePageSize(100)
    read_pages(page_size, 4, limit=10)
    read_pages(page_size, 80, limit=100)
    assert page_size.rows == 100


def test_one_page_tries_a_larger_size_while_the_others_go_on_as_before():
    page_size = AdaptivePageSize(100)
    page_size.on_reduced(100, 50, 25)
    for _ in range(FULL_PAGES_BEFORE_GROWTH):
        page_size.on_full_page(25)
    assert [page_size.next_size(100) for _ in range(3)] == [37, 25, 25]
    page_size.on_full_page(37)
    assert page_size.next_size(100) == 37


@given(st.integers(1, 99))
def test_page_size_that_works_is_found_with_few_failures(limit):
    page_size = AdaptivePageSize(100)
    rows, failures = read_pages(page_size, 100, limit)
    assert failures <= 14 + FULL_PAGES_BEFORE_GROWTH
    assert rows >= 0.6 * 100 * limit


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans(), st.booleans()), max_size=60))
def test_page_size_stays_within_its_bounds_whatever_happens(events):
    page_size = AdaptivePageSize(100)
    for size, works, too_complex in events:
        asked = page_size.next_size(size)
        if works or asked == 1:
            page_size.on_full_page(asked)
        else:
            page_size.on_reduced(asked, asked, asked // 2, too_complex=too_complex)
        assert 1 <= page_size.rows <= page_size.largest <= 100


def test_many_poison_rows_in_a_row_are_the_services_failure():
    page_size = AdaptivePageSize(100)
    assert [page_size.record_poison() for _ in range(MAX_POISON_ROWS_IN_A_ROW + 1)] == [
        True
    ] * MAX_POISON_ROWS_IN_A_ROW + [False]
    page_size.on_success()
    assert page_size.record_poison()
