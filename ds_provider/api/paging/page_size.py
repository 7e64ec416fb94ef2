"""How many rows to ask for: as many as may be, fewer where the service fails, more again after a while."""

from __future__ import annotations

from ds_provider.exceptions import (
    DSComplexityError,
    DSError,
    DSIncompletePageError,
    DSMalformedAnswerError,
    DSServerError,
    DSTimeoutError,
    DSTransportError,
)

WHOLE_PAGES_BEFORE_GROWTH = 3
MAX_POISON_ROWS_IN_A_ROW = 5


def may_be_page_size(error: DSError) -> bool:
    """Whether a smaller page may pass where this one did not."""
    if isinstance(error, DSTransportError):
        return error.sent
    return isinstance(
        error, DSComplexityError | DSTimeoutError | DSServerError | DSIncompletePageError | DSMalformedAnswerError
    )


def may_be_one_row(error: DSError) -> bool:
    """Whether one dossier alone can be the cause: an internal error, a value that must not be null, its slowness."""
    return isinstance(error, DSServerError | DSTimeoutError) or error.code == "invalid_null"


class AdaptivePageSize:
    """What was learnt of one group's pages, shared by all that read it at the same time.

    :param largest: rows a page, at most.
    """

    def __init__(self, largest: int) -> None:
        self.rows = self.largest = largest
        self._smallest_failed: int | None = None
        self._patience = WHOLE_PAGES_BEFORE_GROWTH
        self._whole_pages = 0
        self._strikes = 0
        self._trial: int | None = None
        self._culprits = 0

    def ask(self, most: int) -> int:
        """The rows to ask for, at most so many.

        Now and then it is more than what is known to work. One page tries, while the others go on as before.
        """
        if self._whole_pages < self._patience or most <= self.rows or self._trial or self.rows == self.largest:
            return min(most, self.rows)
        self._whole_pages = 0
        self._trial = self._larger()
        return min(most, self._trial or self.rows)

    def came(self) -> None:
        """Some page came: what could not be read before it is not the service's failure."""
        self._culprits = 0

    def whole(self, rows: int) -> None:
        """A page of so many rows came at the first asking."""
        if rows < self.rows:
            return
        self._strikes = 0
        self._whole_pages += 1
        if rows > self.rows:
            self.rows, self._trial = rows, None

    def shrank(self, asked: int, failed: int, worked: int, *, too_dear: bool = False) -> None:
        """A page came only in fewer rows than were asked for.

        One failure may be a passing one and says nothing of the next page; one that comes again is the size's, and so
        is one that half the page does not mend.

        :param failed: the fewest that failed.
        :param worked: the rows that came.
        """
        if too_dear:
            self.largest = min(self.largest, failed - 1)
        if asked > self.rows:
            self._trial, self._smallest_failed = None, failed
            self._patience *= 2
            return
        self._strikes += 1
        if worked < self.rows and (too_dear or self._strikes > 1 or failed < asked):
            self.rows, self._smallest_failed = worked, failed
            self._whole_pages = self._strikes = 0

    def record_poison(self) -> bool:
        """A dossier could not be read; false if so many could not, one after another, that it is the service."""
        self._culprits += 1
        self._trial = None
        return self._culprits <= MAX_POISON_ROWS_IN_A_ROW

    def _larger(self) -> int | None:
        """The next size to try: between what works and what failed."""
        target = min(self.largest, self.rows * 2)
        if self._smallest_failed is not None:
            target = min(target, (self.rows + self._smallest_failed) // 2)
        if target > self.rows:
            return target
        # as close as can be: in a while, see whether the service does better by then
        self._smallest_failed = None
        self._patience *= 2
        return None
