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
CULPRITS_IN_A_ROW = 5


def may_be_the_size(error: DSError) -> bool:
    """Whether a smaller page may pass where this one did not."""
    if isinstance(error, DSTransportError):
        return error.sent
    return isinstance(
        error, DSComplexityError | DSTimeoutError | DSServerError | DSIncompletePageError | DSMalformedAnswerError
    )


def is_of_a_row(error: DSError) -> bool:
    """Whether one dossier alone can be the cause: an internal error, a value that must not be null, its slowness."""
    return isinstance(error, DSServerError | DSTimeoutError) or error.code == "invalid_null"


class Pace:
    """What was learnt of one group's pages, shared by all that read it at the same time.

    :param largest: rows a page, at most.
    """

    def __init__(self, largest: int) -> None:
        self.rows = self.largest = largest
        self._smallest_failed: int | None = None
        self._patience = WHOLE_PAGES_BEFORE_GROWTH
        self._whole_pages = 0
        self._strikes = 0
        self._on_trial: int | None = None
        self._culprits = 0

    def whole(self, rows: int) -> None:
        """A page of so many rows came at the first asking."""
        self._culprits = 0
        if rows < self.rows:
            return
        self._strikes = 0
        self._on_trial = None
        self._whole_pages += 1
        if self.rows < self.largest and self._whole_pages >= self._patience:
            self._grow()

    def shrank(self, asked: int, failed: int, worked: int, *, too_dear: bool = False) -> None:
        """A page came only in fewer rows than were asked for.

        One failure may be a passing one and says nothing of the next page; one that comes again is the size's, and so
        is one that half the page does not mend.

        :param failed: the fewest that failed.
        :param worked: the rows that came.
        """
        self._culprits = 0
        if too_dear:
            self.largest = min(self.largest, failed - 1)
        self._strikes += 1
        lasting = too_dear or self._on_trial or self._strikes > 1 or failed < asked
        if worked < self.rows and lasting:
            self._settle_on(worked, failed)

    def culprit(self) -> bool:
        """A dossier could not be read; false if so many could not, one after another, that it is the service."""
        self._culprits += 1
        return self._culprits <= CULPRITS_IN_A_ROW

    def _settle_on(self, worked: int, failed: int) -> None:
        if self._on_trial:
            self._patience *= 2
            worked = max(worked, self._on_trial)
        self.rows = min(worked, self.largest)
        self._smallest_failed = failed
        self._whole_pages = self._strikes = 0
        self._on_trial = None

    def _grow(self) -> None:
        self._whole_pages = 0
        target = min(self.largest, self.rows * 2)
        if self._smallest_failed is not None:
            target = min(target, (self.rows + self._smallest_failed) // 2)
        if target <= self.rows:
            # as close as can be: in a while, see whether the service does better by then
            self._smallest_failed = None
            self._patience *= 2
            return
        self._on_trial, self.rows = self.rows, target
