"""Lines in the log about extractions: one a page if there are several, one a group, one at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ds_provider.api.query.selection import DELETED_DOSSIERS, PENDING_DELETED_DOSSIERS, Stream
from ds_provider.wording import counted, lasted

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from ds_provider.api.paging.pages import Page
    from ds_provider.api.query.selection import Selection
    from ds_provider.landing.writer import LandingWriter

_NOUNS = {DELETED_DOSSIERS: "deletion", PENDING_DELETED_DOSSIERS: "pending deletion"}


def noun_of(stream: Stream) -> str:
    """Return what a row of a stream is, in a word of the log."""
    return _NOUNS.get(stream, "dossier")


class GroupProgress:
    """Lines about the extraction of one group.

    :param number: the group's.
    """

    def __init__(self, log: Logger, number: int) -> None:
        self._log = log
        self._number = number
        self._label: str | None = None
        self._began = time.monotonic()

    def __str__(self) -> str:
        return f"group {self._number}" + (f" ({self._label})" if self._label else "")

    def pages(self, writer: LandingWriter, pages: Iterable[Page]) -> Iterator[Page]:
        """Yield pages, and log each once it is written. Of a single page, the line about the group says all."""
        noun, first = noun_of(writer.selection.stream), ""
        for page in pages:
            yield page
            self._label = writer.groupe_label
            share = _share_read(writer.selection, page)
            line = f"page {writer.pages}: {counted(len(page.rows), noun)}, {writer.rows} in all{share}"
            if writer.pages == 1:
                first = line
                continue
            for one in filter(None, (first, line)):
                self._log.info("%s: %s", self, one)
            first = ""

    def landed_line(self, writers: Sequence[LandingWriter], requests: int) -> str:
        """Return the line about the group: how much of what was landed, and where.

        :param writers: one for each stream.
        :param requests: how many this try has sent for the group.
        """
        rows = ", ".join(counted(one.rows, noun_of(one.selection.stream)) for one in writers)
        pages = counted(sum(one.pages for one in writers), "page")
        work = f"{pages}, {counted(requests, 'request')}, {lasted(time.monotonic() - self._began)}"
        last = writers[-1]
        return f"{self}: {rows}{_lacking(writers)}; {_scope(last.selection)}; {work}; landed at {last.manifest_url}"


class Totals:
    """Counts of all groups of one task, for its last line.

    :ivar rows: by group and stream.
    :ivar quarantined: dossiers that could not be read, in the same way.
    """

    def __init__(self) -> None:
        self.rows: Counter[tuple[int, Stream]] = Counter()
        self.quarantined: Counter[tuple[int, Stream]] = Counter()
        self._groups = self._idle = 0
        self._began = time.monotonic()

    def add(self, writers: Sequence[LandingWriter], *, is_idle: bool) -> None:
        """Add a group that was landed.

        :param is_idle: true if it was not read, since it holds nothing in its window.
        """
        self._groups += 1
        self._idle += is_idle
        for one in writers:
            key = one.selection.groupe_instructeur_number, one.selection.stream
            self.rows[key] += one.rows
            self.quarantined[key] += len(one.quarantined)

    def line(self, requests: int) -> str:
        """Return the last line of a task.

        :param requests: how many it sent.
        """
        streams: Counter[Stream] = Counter()
        for (_, stream), count in self.rows.items():
            streams[stream] += count
        rows = ", ".join(counted(count, noun_of(stream)) for stream, count in streams.items()) or "nothing"
        idle = f" ({self._idle} without anything new)" if self._idle else ""
        quarantined = self.quarantined.total()
        lacking = f", {counted(quarantined, 'dossier')} could not be read" if quarantined else ""
        work = f"{counted(requests, 'request')}, {lasted(time.monotonic() - self._began)}"
        return f"landed {rows} of {counted(self._groups, 'group')}{idle}{lacking}; {work}"


def _lacking(writers: Sequence[LandingWriter]) -> str:
    """Return what of the group's rows did not come."""
    counts = {
        "not found": sum(len(one.not_found) for one in writers),
        "unauthorized": sum(len(one.unauthorized) for one in writers),
        "could not be read": sum(len(one.quarantined) for one in writers),
    }
    return "".join(f", {count} {what}" for what, count in counts.items() if count)


def _scope(selection: Selection) -> str:
    """Return which of a group's rows were read."""
    if selection.numbers:
        return f"{counted(len(selection.numbers), 'dossier')} by number"
    filters = [f"{name}={value}" for name, value in selection.row_filters().items()]
    span = f"window {selection.window}" if selection.window else "of any date" if filters else "the full group"
    return ", ".join([span, *filters])


def _share_read(selection: Selection, page: Page) -> str:
    """Return how much of the window's time is read, if anything says when it begins."""
    window = selection.window
    if page.last_date is None or window is None or window.read_from is None:
        return ""
    bounds = (window.read_from, window.end or datetime.now(timezone.utc))
    start, end = reversed(bounds) if selection.is_descending else bounds
    share = (page.last_date - start).total_seconds() / (end - start).total_seconds()
    return f", {min(1.0, max(0.0, share)):.0%} of the window"
