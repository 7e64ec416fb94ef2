"""The API's rate limit: a number of requests per minute of the epoch for each `Authorization` header."""

from __future__ import annotations

import threading
import time

WINDOW = 60


class RateLimit:
    """Count requests by real time, whatever the sandbox's clock says: clients wait in real time.

    :param limit: requests per minute; 0 for no limit
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def exceeds(self, authorization: str | None) -> bool:
        """Count a request, and return whether it is above the limit. Without a header there is no limit."""
        if not self.limit or not authorization:
            return False
        with self._lock:
            window = int(time.time()) // WINDOW
            if window != self._window:
                self._window, self._counts = window, {}
            self._counts[authorization] = self._counts.get(authorization, 0) + 1
            return self._counts[authorization] > self.limit

    @staticmethod
    def reset_at() -> int:
        """Return when the current minute ends, in seconds since the epoch."""
        return (int(time.time()) // WINDOW + 1) * WINDOW
