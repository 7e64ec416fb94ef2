"""One selection read into the landing zone, and many groups read one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pendulum

from ds_provider.api.paging.by_number import fetch_by_number, fetch_by_numbers
from ds_provider.api.paging.iterator import locate
from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import quarantined_error
from ds_provider.api.paging.reader import read
from ds_provider.api.query.selection import DOSSIERS, PENDING_DELETED_DOSSIERS
from ds_provider.exceptions import (
    DSAccessError,
    DSBudgetError,
    DSEndpointError,
    DSError,
    DSGroupesFailedError,
    DSGroupesRefusedError,
    DSQuarantinedError,
    DSRequestError,
    DSTokenError,
)
from ds_provider.landing.writer import LandingWriter

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.types import Logger

    from ds_provider.api.query.selection import Selection
    from ds_provider.api.transport.client import DSClient
    from ds_provider.state.checkpoints import TaskCheckpoints

T = TypeVar("T")

# what fails for one group for these reasons fails for all: asking on would only add refusals
_SAME_FOR_ALL = (DSTokenError, DSEndpointError, DSBudgetError)
_LASTING = (DSAccessError, DSRequestError)


@dataclass(frozen=True)
class GroupExtractor:
    """How the groups of one task are read.

    :param concurrency: requests in flight at most.
    :param checkpoints: where readings say how far they came.
    :param accepts_quarantine: whether a dossier that cannot be read lets the task succeed.
    """

    client: DSClient
    zone: ObjectStoragePath
    log: Logger
    checkpoints: TaskCheckpoints
    concurrency: int = 1
    accepts_quarantine: bool = False

    def land(self, selection: Selection) -> LandingWriter:
        """Read a selection into the landing zone and publish it.

        :raises DSError: with nothing published: what an earlier reading landed stays as it was.
        """
        # a snapshot of two moments is none
        resumable = selection.stream is not PENDING_DELETED_DOSSIERS
        landing = LandingWriter(self.zone, selection, self.checkpoints.of(selection) if resumable else None)
        progress = _Progress(selection, self.log)
        try:
            for page in self._pages(selection, landing):
                landing.add(page)
                for record in page.quarantined:
                    landing.quarantine(record)
                progress.page(page)
            landing.publish()
        except BaseException:
            landing.suspend()
            raise
        progress.done(landing)
        return landing

    def _pages(self, selection: Selection, landing: LandingWriter) -> Iterator[Page]:
        """Those of the selection, then the dossiers that earlier runs could not read and this one has not met."""
        if selection.numbers:
            missing = [number for number in selection.numbers if number not in landing.landed]
            yield from self.client.iterate(fetch_by_numbers(selection, missing))
            return
        waiting = set(landing.pending)
        schedule = read(selection, concurrency=self.concurrency, landed=landing.landed)
        for page in self.client.iterate(schedule):
            waiting.difference_update(row.head.number for row in page.rows)
            waiting.difference_update(record.number for record in page.quarantined)
            yield page
        for number in sorted(waiting.difference(landing.landed)) if selection.stream is DOSSIERS else ():
            yield self.client.result(fetch_by_number(selection, number))

    def told(self, summary: dict[str, Any], *landings: LandingWriter) -> dict[str, Any]:
        """The summary, once nothing is wrong with it.

        :raises DSQuarantinedError: if dossiers could not be read and nobody said that this is accepted.
        """
        records = [record for landing in landings for record in landing.quarantined]
        if not records or self.accepts_quarantine:
            return summary
        what_becomes = "all others are landed; the next run tries again, and on_dossier_error='quarantine' accepts it"
        raise locate(quarantined_error(records, what_becomes, [summary]), landings[0].selection, None)


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
            results += error.landed if isinstance(error, DSQuarantinedError) else []
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

    def done(self, landing: LandingWriter) -> None:
        selection = self._selection
        self._log.info(
            "%s: %d rows in %d pages and %d requests, %.1f s, %s, landed at %s",
            self._name,
            landing.rows,
            landing.pages,
            landing.requests,
            time.monotonic() - self._began,
            _what_was_asked(selection),
            landing.manifest_url,
        )
        if landing.gone or landing.foreign:
            hidden, foreign = len(landing.gone), len(landing.foreign)
            self._log.info("%s: %d dossiers are hidden or deleted, %d out of reach", self._name, hidden, foreign)
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


def _what_was_asked(selection: Selection) -> str:
    if selection.numbers:
        return f"{len(selection.numbers)} dossiers by number"
    return f"window {selection.window or 'none: the whole group'}"


def summary_of(landing: LandingWriter, **more: Any) -> dict[str, Any]:
    """What goes through XCom: where it is and how much. Never rows."""
    window = landing.selection.window
    return {
        "manifest": landing.manifest_url,
        "groupe_instructeur_number": landing.selection.groupe_instructeur_number,
        "rows": landing.rows,
        "quarantined": len(landing.quarantined),
        "window": list(window.iso_bounds) if window else None,
        **more,
    }
