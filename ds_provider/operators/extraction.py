"""One selection read into the landing zone, and many groups read one after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pendulum

from ds_provider.api.reading import Page, read
from ds_provider.exceptions import (
    DSAccessError,
    DSEndpointError,
    DSError,
    DSGroupesFailedError,
    DSGroupesRefusedError,
    DSRequestError,
    DSTokenError,
)
from ds_provider.landing.writing import Landing

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.types import Logger

    from ds_provider.api.client import DSClient
    from ds_provider.api.streams import Selection

T = TypeVar("T")

# what fails for one group for these reasons fails for all: asking on would only add refusals
_SAME_FOR_ALL = (DSTokenError, DSEndpointError)
_LASTING = (DSAccessError, DSRequestError)


def land(client: DSClient, selection: Selection, zone: ObjectStoragePath, log: Logger) -> Landing:
    """Read a selection into the landing zone and publish it.

    :raises DSError: with nothing published: what an earlier reading landed stays as it was.
    """
    landing = Landing(zone, selection)
    progress = _Progress(selection, log)
    try:
        for page in client.iterate(read(selection)):
            landing.add(page)
            progress.page(page)
        landing.publish()
    except DSError:
        landing.abort()
        raise
    progress.done(landing)
    return landing


def each_groupe(numbers: list[int], extract: Callable[[int], T], log: Logger) -> list[T]:
    """What each group gives. One that fails does not stop the others; the failures are told at the end.

    :raises DSGroupesFailedError: naming the groups that failed, after all others were read.
    """
    results: list[T] = []
    failures: dict[int, DSError] = {}
    for number in numbers:
        try:
            results.append(extract(number))
        except _SAME_FOR_ALL:
            raise
        except DSError as error:
            log.error("groupe instructeur %s failed, going on with the others: %s", number, error)
            failures[number] = error
    if failures:
        reasons = "; ".join(f"{number}: {error}" for number, error in failures.items())
        refused = all(isinstance(error, _LASTING) for error in failures.values())
        kind = DSGroupesRefusedError if refused else DSGroupesFailedError
        raise kind(
            f"{len(failures)} of {len(numbers)} groupes instructeurs failed, the others are landed: {reasons}",
            failures,
            results,
        )
    return results


class _Progress:
    """A line per page and one at the end."""

    def __init__(self, selection: Selection, log: Logger) -> None:
        self._selection = selection
        self._log = log
        self._began = time.monotonic()
        self._pages = self._rows = 0
        self._name = f"groupe instructeur {selection.groupe_instructeur_number}, {selection.stream.name}"

    def page(self, page: Page) -> None:
        self._pages += 1
        self._rows += len(page.rows)
        share = self._share(page)
        covered = "" if share is None else f", {share:.0%} of the window"
        rate = self._rows / max(time.monotonic() - self._began, 0.001)
        self._log.info("%s: page %d, %d rows, %.0f rows/s%s", self._name, self._pages, self._rows, rate, covered)

    def done(self, landing: Landing) -> None:
        selection = self._selection
        self._log.info(
            "%s: %d rows in %d pages and %d requests, %.1f s, window %s, landed at %s",
            self._name,
            landing.rows,
            landing.pages,
            landing.requests,
            time.monotonic() - self._began,
            selection.window or "none: the whole group",
            landing.manifest_url,
        )
        if selection.revision and not landing.rows:
            self._log.warning("%s: no row is on revision %s", self._name, selection.revision)

    def _share(self, page: Page) -> float | None:
        """How much of the window's time lies behind the last row; none where nothing says when it begins."""
        window = self._selection.window
        if page.reached is None or window is None or window.read_from is None:
            return None
        start, end = window.read_from, window.end or pendulum.now("UTC")
        if self._selection.order == "DESC":
            start, end = end, start
        covered = (pendulum.instance(page.reached) - start).total_seconds() / (end - start).total_seconds()
        return min(1.0, max(0.0, covered))


def summary_of(landing: Landing, **more: Any) -> dict[str, Any]:
    """What goes through XCom: where it is and how much. Never rows."""
    window = landing.selection.window
    return {
        "manifest": landing.manifest_url,
        "groupe_instructeur_number": landing.selection.groupe_instructeur_number,
        "rows": landing.rows,
        "quarantined": 0,
        "window": list(window.iso_bounds) if window else None,
        **more,
    }
