"""Bisection of a failing page: is it the page's size, or one row?"""

from __future__ import annotations

from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_one_row, may_be_page_size
from ds_provider.exceptions import DSComplexityError, DSError, DSTimeoutError


class PageAttempt:
    """One page that is asked for, in ever fewer rows while it fails.

    :param tries: failures before it is asked for in fewer rows, or given up at one row: the first failure may be a
        passing one.
    """

    def __init__(self, rows: int, tries: int) -> None:
        self.asked = self.rows = rows
        self.failed: int | None = None
        self.too_complex = self.one_row = False
        self._tries = tries
        self._failures = 0

    def reduce(self, error: DSError) -> bool:
        """Ask for fewer rows at once if that may help. Return true if it does."""
        self._failures += 1
        certain = self.rows > 1 and (self.failed is not None or isinstance(error, DSComplexityError | DSTimeoutError))
        if not may_be_page_size(error) or (self._failures < self._tries and not certain):
            return False
        if self.rows == 1:
            if may_be_one_row(error):
                raise error
            return False
        self.too_complex = isinstance(error, DSComplexityError)
        self.one_row = may_be_one_row(error) and not isinstance(error, DSTimeoutError)
        self.failed, self.rows, self._failures = self.rows, self.rows // 2, 0
        return True


class Bisection:
    """Bisects a failed page: the rows ahead of which one may be the cause, or which were too many."""

    def __init__(self, page_size: AdaptivePageSize) -> None:
        self.rows = self._asked = self._failed = self._worked = 0
        self._one_row = False
        self._page_size = page_size

    def next_attempt(self, limit: int) -> PageAttempt:
        """Return the next page to ask for: half of the suspected rows, or what the page size allows without any."""
        if not self.rows:
            return PageAttempt(self._page_size.next_size(limit), tries=2)
        return PageAttempt(min(limit, -(-self.rows // 2) if self._one_row else self.rows), tries=1)

    def on_success(self, attempt: PageAttempt) -> None:
        """Record that the page came."""
        self._page_size.on_success()
        if attempt.too_complex:
            self._end()
            self._page_size.on_reduced(attempt.asked, attempt.failed or 0, attempt.rows, too_complex=True)
        elif attempt.failed is not None:
            # what failed again where half of it had come is not too many rows
            self._one_row = attempt.one_row or self.rows > 0
            self._asked = self._asked or attempt.asked
            self._failed, self.rows = attempt.failed, attempt.failed - attempt.rows
            self._worked = max(self._worked, attempt.rows)
        elif self.rows:
            self._worked = max(self._worked, attempt.rows)
            self.rows = max(0, self.rows - attempt.rows)
            if not self.rows:
                # each row passed in fewer: it was their number
                self._page_size.on_reduced(self._asked, self._failed, self._worked)
                self._end()
        else:
            self._page_size.on_full_page(attempt.rows)

    def record_poison(self) -> bool:
        """Record that one row is the cause. Return false after several in a row: then it is the service."""
        is_one_row = self._page_size.record_poison()
        if is_one_row:
            self._end()
        return is_one_row

    def _end(self) -> None:
        self.rows = self._asked = self._failed = self._worked = 0
        self._one_row = False
