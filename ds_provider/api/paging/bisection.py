"""A request for several dossiers that fails: in how few to ask for them again, and when it is one of them."""

from __future__ import annotations

from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_one_row, may_be_page_size
from ds_provider.exceptions import DSComplexityError, DSError, DSTimeoutError


class PageAttempt:
    """One page asked for, in ever fewer rows while it fails.

    :param tries: failures before it is asked for in fewer rows, or given up where there are none: the first failure
        may be a passing one.
    """

    def __init__(self, rows: int, tries: int) -> None:
        self.asked = self.rows = rows
        self.failed: int | None = None
        self.too_dear = self.of_a_row = False
        self._tries = tries
        self._failures = 0

    def adapt(self, error: DSError) -> bool:
        """Ask for fewer rows at once, if that may help."""
        self._failures += 1
        certain = self.rows > 1 and (self.failed is not None or isinstance(error, DSComplexityError | DSTimeoutError))
        if not may_be_page_size(error) or (self._failures < self._tries and not certain):
            return False
        if self.rows == 1:
            if may_be_one_row(error):
                raise error
            return False
        self.too_dear = isinstance(error, DSComplexityError)
        self.of_a_row = may_be_one_row(error) and not isinstance(error, DSTimeoutError)
        self.failed, self.rows, self._failures = self.rows, self.rows // 2, 0
        return True


class Bisection:
    """The rows ahead of which one may fail, for a reason of its own or since they were too many."""

    def __init__(self, pace: AdaptivePageSize) -> None:
        self.rows = self._asked = self._failed = self._worked = 0
        self._of_a_row = False
        self._pace = pace

    def attempt(self, most: int) -> PageAttempt:
        """The next page: some of the suspects, or what the pace allows where there are none."""
        if not self.rows:
            return PageAttempt(self._pace.ask(most), tries=2)
        return PageAttempt(min(most, -(-self.rows // 2) if self._of_a_row else self.rows), tries=1)

    def came(self, attempt: PageAttempt) -> None:
        """That page is there."""
        self._pace.came()
        if attempt.too_dear:
            self.clear()
            self._pace.shrank(attempt.asked, attempt.failed or 0, attempt.rows, too_dear=True)
        elif attempt.failed is not None:
            # what failed again where half of it had come is not too many rows
            self._of_a_row = attempt.of_a_row or self.rows > 0
            self._asked = self._asked or attempt.asked
            self._failed, self.rows = attempt.failed, attempt.failed - attempt.rows
            self._worked = max(self._worked, attempt.rows)
        elif self.rows:
            self._cleared(attempt.rows)
        else:
            self._pace.whole(attempt.rows)

    def _cleared(self, rows: int) -> None:
        self._worked = max(self._worked, rows)
        self.rows = max(0, self.rows - rows)
        if not self.rows:
            # each row passed in fewer: it was their number
            self._pace.shrank(self._asked, self._failed, self._worked)
            self.clear()

    def clear(self) -> None:
        """The rows ahead are under no suspicion: the cause is known."""
        self.rows = self._asked = self._failed = self._worked = 0
        self._of_a_row = False
