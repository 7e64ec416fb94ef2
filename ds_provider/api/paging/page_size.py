"""Page size: as large as may be, smaller where the service fails, larger again after a while."""

from __future__ import annotations

from ds_provider.exceptions import (
    DSComplexityError,
    DSError,
    DSIncompletePageError,
    DSMalformedResponseError,
    DSServerError,
    DSTimeoutError,
    DSTransportError,
)

FULL_PAGES_BEFORE_GROWTH = 3
MAX_POISON_ROWS_IN_A_ROW = 5


def may_be_page_size(error: DSError) -> bool:
    """Return true if a smaller page may pass where this one did not."""
    if isinstance(error, DSTransportError):
        return error.sent
    return isinstance(
        error, DSComplexityError | DSTimeoutError | DSServerError | DSIncompletePageError | DSMalformedResponseError
    )


def may_be_one_row(error: DSError) -> bool:
    """Return true if one dossier alone can be the cause: an internal error, a null that must not be, its slowness."""
    return isinstance(error, DSServerError | DSTimeoutError) or error.code == "invalid_null"


class AdaptivePageSize:
    """Page size that works for one group, shared by all readers of it.

    :param largest: rows a page, at most.
    """

    def __init__(self, largest: int) -> None:
        self.rows = self.largest = largest
        self._smallest_failed: int | None = None
        self._pages_before_growth = FULL_PAGES_BEFORE_GROWTH
        self._full_pages = 0
        self._reductions = 0
        self._trial: int | None = None
        self._poison_rows = 0

    def next_size(self, limit: int) -> int:
        """Return the rows to ask for, at most ``limit``.

        Now and then it is more than what is known to work. One page tries, while the others go on as before.
        """
        if (
            self._full_pages < self._pages_before_growth
            or limit <= self.rows
            or self._trial
            or self.rows == self.largest
        ):
            return min(limit, self.rows)
        self._full_pages = 0
        self._trial = self._larger()
        return min(limit, self._trial or self.rows)

    def on_success(self) -> None:
        """Record that some page came: what could not be read before it is not the service's failure."""
        self._poison_rows = 0

    def on_full_page(self, rows: int) -> None:
        """Record that a page of that many rows came at the first attempt."""
        if rows < self.rows:
            return
        self._reductions = 0
        self._full_pages += 1
        if rows > self.rows:
            self.rows, self._trial = rows, None

    def on_reduced(self, asked: int, failed: int, worked: int, *, too_complex: bool = False) -> None:
        """Record that a page came only in fewer rows than were asked for.

        One failure may be a passing one and says nothing of the next page; a failure that comes again is the size's,
        and so is one that half the page does not mend.

        :param failed: the fewest rows that failed.
        :param worked: the rows that came.
        """
        if too_complex:
            self.largest = min(self.largest, failed - 1)
        if asked > self.rows:
            self._trial, self._smallest_failed = None, failed
            self._pages_before_growth *= 2
            return
        self._reductions += 1
        if worked < self.rows and (too_complex or self._reductions > 1 or failed < asked):
            self.rows, self._smallest_failed = worked, failed
            self._full_pages = self._reductions = 0

    def record_poison(self) -> bool:
        """Record that a dossier could not be read. Return false after several in a row: then it is the service."""
        self._poison_rows += 1
        self._trial = None
        return self._poison_rows <= MAX_POISON_ROWS_IN_A_ROW

    def _larger(self) -> int | None:
        """Return the next size to try, between what works and what failed."""
        target = min(self.largest, self.rows * 2)
        if self._smallest_failed is not None:
            target = min(target, (self.rows + self._smallest_failed) // 2)
        if target > self.rows:
            return target
        # as close as can be: in a while, see whether the service does better by then
        self._smallest_failed = None
        self._pages_before_growth *= 2
        return None
