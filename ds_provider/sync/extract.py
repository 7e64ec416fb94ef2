"""Extraction: groups read into the landing zone, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ds_provider.api.paging.by_number import fetch_by_number, fetch_by_numbers
from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import quarantined_error
from ds_provider.api.paging.reader import read
from ds_provider.api.paging.rows import repaired_message
from ds_provider.api.polling.idle_groups import find_idle_groups
from ds_provider.api.query.selection import DOSSIERS, PENDING_DELETED_DOSSIERS
from ds_provider.exceptions import (
    DSAccessError,
    DSBudgetError,
    DSEndpointError,
    DSError,
    DSGroupesFailedError,
    DSGroupesRefusedError,
    DSMaintenanceError,
    DSRequestError,
    DSTokenError,
)
from ds_provider.landing.layout import LandingTarget
from ds_provider.landing.writer import LandingWriter
from ds_provider.sync.progress import GroupProgress, Totals
from ds_provider.wording import counted

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.types import Logger

    from ds_provider.api.query.selection import Selection
    from ds_provider.api.transport.client import DSClient
    from ds_provider.state.checkpoints import TaskCheckpoints
    from ds_provider.state.watermark import Watermark

Summary = dict[str, Any]

# what fails for one group for these reasons fails for all: asking on would only add refusals
_SAME_FOR_ALL = (DSTokenError, DSEndpointError, DSBudgetError, DSMaintenanceError)
_PERMANENT = (DSAccessError, DSRequestError)


class Idle(NamedTuple):
    """Group that held nothing in its window.

    :param asked_at: the reading of the clock when the service was asked.
    :param groupe_label: the group's label.
    """

    asked_at: float
    groupe_label: str | None


@dataclass
class GroupExtractor:
    """Extracts the groups of one task over one connection.

    :ivar landed: the summaries of the groups that were landed so far.
    :ivar not_found: the dossiers asked for by number that the service does not show.
    :ivar unreadable: the dossiers that the service lists but could not give.
    :ivar totals: counts of the groups that were landed so far.
    :param zone: the landing zone.
    :param checkpoints: where extractions save how far they came.
    :param concurrency: requests in flight at most.
    :param accepts_quarantine: true if a dossier that cannot be read lets the task succeed.
    """

    client: DSClient
    zone: ObjectStoragePath
    log: Logger
    checkpoints: TaskCheckpoints
    concurrency: int = 1
    accepts_quarantine: bool = False
    landed: list[Summary] = field(default_factory=list, init=False)
    not_found: set[int] = field(default_factory=set, init=False)
    unreadable: set[int] = field(default_factory=set, init=False)
    totals: Totals = field(default_factory=Totals, init=False)
    _warned: bool = field(default=False, init=False)

    def extract(
        self,
        selections: Sequence[Selection],
        *,
        several: bool = True,
        watermarks: Mapping[int, Watermark] | None = None,
    ) -> list[Summary]:
        """Extract groups, and return their summaries.

        :param selections: a group may have several: the last is what its summary is about.
        :param several: true for a list of groups: one that fails does not stop the others, and those that hold nothing
            in their windows are landed without being read. One request asks about many of them.
        :param watermarks: by group; each is advanced to the last date once its group is landed.
        :raises DSGroupesFailedError: naming the groups of a list that failed, after all others were read.
        :raises DSError: if the one group fails, or for a reason that is the same for all groups.
        """
        asked_at = self.client.clock.read()
        idle = self.client.result(find_idle_groups(selections)) if several else {}
        groups: dict[int, list[Selection]] = {}
        for selection in selections:
            groups.setdefault(selection.groupe_instructeur_number, []).append(selection)
        landed_before = len(self.landed)
        failures: dict[int, DSError] = {}
        for number, chosen in groups.items():
            try:
                writer = self._extract_group(chosen, Idle(asked_at, idle[number]) if number in idle else None)
                if watermarks and number in watermarks and writer.last_date:
                    watermarks[number].advance(writer.last_date)
            except _SAME_FOR_ALL:
                raise
            except DSError as error:
                if not several:
                    raise
                self.log.error("group %s failed, going on with the others: %s", number, error)
                failures[number] = error
        summaries = self.landed[landed_before:]
        if failures:
            reasons = "; ".join(f"{number}: {error}" for number, error in failures.items())
            others = "the others are landed" if len(failures) < len(groups) else "no other is left"
            message = f"{len(failures)} of {counted(len(groups), 'group')} failed, {others}: {reasons}"
            refused = all(isinstance(error, _PERMANENT) for error in failures.values())
            raise (DSGroupesRefusedError if refused else DSGroupesFailedError)(message, failures, summaries)
        return summaries

    def _extract_group(self, selections: Sequence[Selection], idle: Idle | None) -> LandingWriter:
        """Land a group's selections, and return the writer of the last.

        :raises DSQuarantinedError: if dossiers could not be read and the task does not accept that.
        """
        requests_before = self.client.usage.requests
        progress = GroupProgress(self.log, selections[-1].groupe_instructeur_number)
        writers = [self.land(selection, progress, idle) for selection in selections]
        *pending, writer = writers
        is_idle = bool(idle) and not writer.pages
        self.totals.add(writers, is_idle=is_idle)
        # those that hold nothing are counted, and may be thousands
        if not is_idle:
            self.log.info("%s", progress.landed_line(writers, self.client.usage.requests - requests_before))
        self._warn_of(writer)
        self.landed.append(_summarize(writer, pending))
        self.not_found |= writer.not_found
        records = [record for one in (writer, *pending) for record in one.quarantined]
        self.unreadable.update(record.number for record in records)
        if records and not self.accepts_quarantine:
            outcome = "all others are landed; the next run tries again, and on_dossier_error='quarantine' accepts it"
            raise writer.selection.add_context(quarantined_error(records, outcome, self.landed[-1:]))
        return writer

    def land(self, selection: Selection, progress: GroupProgress, idle: Idle | None = None) -> LandingWriter:
        """Read a selection into the landing zone and publish it.

        :param progress: logs the pages.
        :param idle: the service held nothing in the selection when it was asked: it is then not read.
        :raises DSError: with nothing published: what an earlier extraction landed stays as it was.
        """
        target = LandingTarget.of(self.zone, selection)
        clock = self.client.clock
        if idle:
            writer = LandingWriter(target, started=idle.asked_at, clock=clock)
            writer.groupe_label = idle.groupe_label
            # dossiers that earlier runs could not read are tried again, in whichever window they are
            if not writer.pending and not selection.unread:
                writer.publish()
                return writer
        # a snapshot of two moments is none
        resumable = selection.stream is not PENDING_DELETED_DOSSIERS
        store = self.checkpoints.store_for(target.key) if resumable else None
        writer = LandingWriter(target, store, clock=clock, requests=lambda: self.client.usage.requests)
        repaired: dict[int, int] = {}
        try:
            for page in progress.pages(writer, self._pages(selection, writer)):
                writer.add(page)
                repaired |= page.repaired
            writer.publish()
        except BaseException:
            writer.suspend()
            raise
        if repaired:
            self.log.warning("%s: %s", progress, repaired_message(repaired))
        return writer

    def _pages(self, selection: Selection, writer: LandingWriter) -> Iterator[Page]:
        """Yield the selection's pages, then the dossiers that earlier runs could not read and this one has not met."""
        if selection.numbers:
            missing = [number for number in selection.numbers if number not in writer.landed]
            yield from self.client.iterate(fetch_by_numbers(selection, missing))
            return
        waiting = {*writer.pending, *selection.unread}
        for page in self.client.iterate(read(selection, concurrency=self.concurrency, landed=writer.landed)):
            waiting.difference_update(row.head.number for row in page.rows)
            waiting.difference_update(record.number for record in page.quarantined)
            yield page
        for number in sorted(waiting.difference(writer.landed)) if selection.stream is DOSSIERS else ():
            yield self.client.result(fetch_by_number(selection, number))

    def _warn_of(self, writer: LandingWriter) -> None:
        """Warn of a revision without rows; once, if the service's clock was before the window's end.

        The scheduler's clock may be ahead of it.
        """
        selection, window = writer.selection, writer.selection.window
        if selection.revision and not writer.rows:
            number, revision = selection.groupe_instructeur_number, selection.revision
            self.log.warning("group %d: no row is on revision %s", number, revision)
        if window and window.end and writer.started < window.end and not self._warned:
            self._warned = True
            self.log.warning(
                "the window %s was not over when it was read, by the service's clock: what comes into it later needs "
                "another run",
                window,
            )


def _summarize(writer: LandingWriter, pending: Sequence[LandingWriter]) -> Summary:
    """Return what goes through XCom: where a group's extract is and how much it holds. Never rows.

    :param pending: of the pending deletions, if there are any: an extract of their own.
    """
    window = writer.selection.window
    summary: Summary = {
        "manifest": writer.manifest_url,
        "groupe_instructeur_number": writer.selection.groupe_instructeur_number,
        "groupe_instructeur_label": writer.groupe_label,
        "demarche_number": writer.demarche_number,
        "rows": writer.rows,
        "quarantined": len(writer.quarantined),
        "window": list(window.iso_bounds) if window else None,
    }
    for one in pending:
        summary |= {"manifest_pending": one.manifest_url, "rows_pending": one.rows}
    if writer.selection.numbers:
        summary |= {"not_found": len(writer.not_found), "unauthorized": len(writer.unauthorized)}
    return summary
