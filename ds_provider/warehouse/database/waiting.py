"""Waits for others who use the warehouse: the reason is in the log, and no lock is held meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from ds_provider.exceptions import DSWarehouseLockedError

T = TypeVar("T")

log = logging.getLogger(__name__)

# longer than most queries of people; a task's own retries come after it
PATIENCE_SECONDS = 600.0
PAUSE_SECONDS = 20.0


def wait_out(action: Callable[[], T]) -> T:
    """Run an action, again and again as long as others lock it out.

    :param action: it can be run again after a failure, and holds no lock then.
    :raises DSWarehouseLockedError: if others do not end within ten minutes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return action()
        except DSWarehouseLockedError as error:
            if time.monotonic() + PAUSE_SECONDS > deadline:
                raise
            log.warning("%s; waiting, with no lock held: the next attempt is in %.0f s", error, PAUSE_SECONDS)
        time.sleep(PAUSE_SECONDS)
