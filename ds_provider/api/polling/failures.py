"""Polls that failed one after another."""

from __future__ import annotations

from typing import Any

from ds_provider.exceptions import DSError

MAX_FAILED_POLLS = 10


class FailedPolls:
    """Counts the polls that failed since the last one that did not."""

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def record(self, error: DSError, log: Any) -> bool:
        """Count one more. Return true to give up: another poll is of no use."""
        self.count += 1
        log.warning("poll failed, %d of %d in a row: %s", self.count, MAX_FAILED_POLLS, error)
        return self.count >= MAX_FAILED_POLLS

    def reset(self) -> None:
        """Count from zero again, after a poll that did not fail."""
        self.count = 0
