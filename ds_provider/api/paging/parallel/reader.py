"""Parallel reader: one group's pages in parallel. Probes show where each begins, so their order does not matter.

A page that is read may hold less than the probes showed of it, since dossiers change, move and hide meanwhile. What had
moved on is met at the end of the connection, which is therefore read last; what is still missing then is looked for
once more where it was shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial

from ds_provider.api.paging.bounds import Position
from ds_provider.api.paging.iterator import PageIterator, read_to_end
from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_page_size
from ds_provider.api.paging.pages import Page, PageFilter
from ds_provider.api.paging.parallel.plan import MAX_PROBES, Chunk, Probe, ProbeResult, RangePlan
from ds_provider.api.paging.parallel.probes import probe_request, read_probe_results
from ds_provider.api.paging.rows import Row
from ds_provider.api.query.selection import MAX_PAGE_SIZE, Selection
from ds_provider.api.transport.flows import ConcurrentFlow, Flow, Join, Joined, Spawn, SubFlow
from ds_provider.api.transport.retry import ATTEMPTS, send_with_retry
from ds_provider.exceptions import DSError, DSIncompletePageError

PROBE_ATTEMPTS = 2
MAX_SEARCHES = 3


class ParallelReader:
    """Reads the rows of a plan.

    :param readers: how many requests are in flight at most.
    """

    def __init__(
        self,
        selection: Selection,
        readers: int,
        page_size: AdaptivePageSize,
        page_filter: PageFilter,
        plan: RangePlan,
    ) -> None:
        self._selection = selection
        self._readers = readers
        self._page_size = page_size
        self._filter = page_filter
        self._plan = plan
        self._jobs: dict[Spawn, Chunk | list[Probe]] = {}
        self._short: list[Chunk] = []
        self._again: deque[Chunk] = deque()
        self._without_probes = False

    def pages(self) -> ConcurrentFlow[Page]:
        """Yield each page, in the order in which they come."""
        yield from self._read_plan()
        if self._without_probes:
            yield from self._read_from(self._plan.rest)
        elif self._selection.changes_move_rows:
            # a row that was there from the first may stand after the last known one by now
            yield from self._read_from(self._plan.end)
        yield from self._search_missing()
        if self._plan.earliest_change:
            yield Page([], earliest_change=self._plan.earliest_change)

    def _read_plan(self) -> ConcurrentFlow[Page]:
        failure: BaseException | None = None
        while True:
            if failure is None:
                yield from self._spawn_jobs()
            if not self._jobs:
                break
            joined: Joined = yield Join()
            job = self._jobs.pop(joined.spawn)
            if isinstance(job, Chunk):
                yield from self._filtered(job, joined)
                failure = failure or joined.error
            else:
                failure = failure or self._add_results(job, joined)
        if failure:
            raise failure

    def _spawn_jobs(self) -> Iterator[Spawn]:
        while len(self._jobs) < self._readers:
            job = self._next_job()
            if job is None:
                return
            spawn = Spawn(self._read_chunk(job) if isinstance(job, Chunk) else self._send_probes(job))
            self._jobs[spawn] = job
            yield spawn

    def _next_job(self) -> Chunk | list[Probe] | None:
        is_probing = any(isinstance(job, list) for job in self._jobs.values())
        knows_enough = self._plan.rows > 2 * self._readers * MAX_PAGE_SIZE
        if self._plan.gaps and not is_probing and not knows_enough and not self._without_probes:
            return self._plan.next_probes()
        return self._again.popleft() if self._again else self._plan.take(self._readers)

    def _send_probes(self, probes: list[Probe]) -> Flow[list[ProbeResult]]:
        yield (yield from self._probe([probe.position for probe in probes], PROBE_ATTEMPTS))

    def _probe(self, positions: list[Position], attempts: int = ATTEMPTS) -> SubFlow[list[ProbeResult]]:
        request = probe_request(self._selection, positions)
        read = partial(read_probe_results, count=len(positions))
        return (yield from send_with_retry(lambda: request, read, attempts=attempts))

    def _add_results(self, probes: list[Probe], joined: Joined) -> BaseException | None:
        if joined.error is None:
            self._plan.add_results(probes, joined.results[0])
            return None
        if not isinstance(joined.error, DSError) or not may_be_page_size(joined.error):
            return joined.error
        # where the service will not show what lies ahead, one page after another still gets there
        self._without_probes = not self._plan.reduce()
        return None

    def _read_chunk(self, chunk: Chunk) -> Flow[list[Row]]:
        pages = PageIterator(self._selection, self._page_size, chunk.position)
        missing = set(chunk.numbers)
        while pages.has_next_page and missing:
            rows = yield from pages.next_page(len(missing))
            yield rows
            missing.difference_update(row.head.number for row in rows)
            if pages.last_date and pages.last_date > chunk.last_date:
                return

    def _filtered(self, chunk: Chunk, joined: Joined) -> Iterator[Page]:
        for rows in joined.results:
            yield self._filter.filter(rows, repeats_are_changes=False)
        if not joined.error and self._missing(chunk):
            self._short.append(chunk)

    def _missing(self, chunk: Chunk) -> list[int]:
        return [number for number in chunk.numbers if not self._filter.has_seen(number)]

    def _read_from(self, position: Position) -> Flow[Page]:
        return read_to_end(PageIterator(self._selection, self._page_size, position), self._filter)

    def _search_missing(self) -> ConcurrentFlow[Page]:
        """Read again where dossiers were shown that did not come. Those that are gone from there are not missing."""
        for _ in range(MAX_SEARCHES):
            self._again.extend((yield from self._still_shown()))
            if not self._again:
                return
            yield from self._read_plan()
        for chunk in (yield from self._still_shown()):
            raise self._selection.add_context(
                DSIncompletePageError(f"the service lists dossier {self._missing(chunk)[0]} and does not give it"),
                chunk.position.cursor,
            )

    def _still_shown(self) -> SubFlow[list[Chunk]]:
        chunks = [chunk for chunk in self._short if self._missing(chunk)]
        self._short = []
        found: list[Chunk] = []
        for first in range(0, len(chunks), MAX_PROBES):
            batch = chunks[first : first + MAX_PROBES]
            results = yield from self._probe([chunk.position for chunk in batch])
            for chunk, result in zip(batch, results, strict=True):
                if {row.number for row in result.rows} & set(self._missing(chunk)):
                    found.append(chunk)
        return found
