"""One group's pages read side by side: where each begins is known from a survey, so their order does not matter.

A page that is read may hold less than the survey saw of it, since dossiers change, move and hide meanwhile. What had
moved on is met at the end of the connection, which is therefore read last; what is still missing then is looked for
once more where it was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import pendulum

from ds_provider.api.paging.iterator import PageIterator, Position, RawPage, locate
from ds_provider.api.paging.page_size import AdaptivePageSize, may_be_page_size
from ds_provider.api.paging.pages import Page, PageFilter, to_the_end
from ds_provider.api.paging.parallel.plan import PROBES, Chunk, ProbeBatch, ProbeResult, RangePlan
from ds_provider.api.paging.parallel.probes import probe_request, read_sightings
from ds_provider.api.query.selection import MAX_PAGE, Selection
from ds_provider.api.transport.messages import Request
from ds_provider.api.transport.retry import (
    ATTEMPTS,
    ConcurrentFlow,
    Flow,
    Join,
    Joined,
    Spawn,
    SubFlow,
    send_with_retry,
)
from ds_provider.exceptions import DSError, DSIncompletePageError

ATTEMPTS_OF_A_SURVEY = 2
SEARCHES = 3


@dataclass
class _Look:
    """Places that are looked at in one request, and how many that took."""

    places: list[Position]
    requests: int = 0


@dataclass
class _ProbeJob(_Look):
    survey: ProbeBatch = field(kw_only=True)


class ParallelReader:
    """Reads what a plan is about.

    :param readers: how many requests are in flight at most.
    """

    def __init__(
        self, selection: Selection, readers: int, pace: AdaptivePageSize, sieve: PageFilter, plan: RangePlan
    ) -> None:
        self._selection = selection
        self._readers = readers
        self._pace = pace
        self._sieve = sieve
        self._plan = plan
        self._jobs: dict[Spawn, Chunk | _ProbeJob] = {}
        self._requests = 0
        self._short: list[Chunk] = []
        self._again: deque[Chunk] = deque()
        self._blind = False

    def pages(self) -> ConcurrentFlow[Page]:
        """Each page, in the order in which they come."""
        yield from self._read_plan()
        if self._blind:
            yield from self._walk(self._plan.rest)
        elif self._has_moved_on():
            yield from self._walk(self._plan.end)
        yield from self._search()
        if self._requests or self._plan.newer:
            yield Page([], self._requests, reached=None, newer=self._plan.newer)

    def _read_plan(self) -> ConcurrentFlow[Page]:
        failure: BaseException | None = None
        while True:
            if failure is None:
                yield from self._start_jobs()
            if not self._jobs:
                break
            outcome: Joined = yield Join()
            job = self._jobs.pop(outcome.start)
            if isinstance(job, Chunk):
                yield from self._given(job, outcome)
                failure = failure or outcome.error
            else:
                failure = failure or self._learn(job, outcome)
        if failure:
            raise failure

    def _start_jobs(self) -> Iterator[Spawn]:
        while len(self._jobs) < self._readers:
            job = self._next_job()
            if job is None:
                return
            flow = self._read_chunk(job) if isinstance(job, Chunk) else self._ask(job)
            start = Spawn(flow)
            self._jobs[start] = job
            yield start

    def _next_job(self) -> Chunk | _ProbeJob | None:
        surveying = any(isinstance(job, _ProbeJob) for job in self._jobs.values())
        known_enough = self._plan.rows > 2 * self._readers * MAX_PAGE
        if self._plan.gaps and not surveying and not known_enough and not self._blind:
            survey = self._plan.survey()
            return _ProbeJob(survey.places, survey=survey)
        return self._again.popleft() if self._again else self._plan.take(self._readers)

    def _ask(self, job: _ProbeJob) -> Flow[list[ProbeResult]]:
        yield (yield from self._look(job, ATTEMPTS_OF_A_SURVEY))

    def _look(self, look: _Look, attempts: int = ATTEMPTS) -> SubFlow[list[ProbeResult]]:
        def build() -> Request:
            look.requests += 1
            return probe_request(self._selection, look.places)

        read = partial(read_sightings, places=look.places)
        return (yield from send_with_retry(build, read, self._locate, attempts))

    def _locate(self, error: DSError) -> bool:
        locate(error, self._selection, self._plan.end.cursor)
        return False

    def _learn(self, job: _ProbeJob, outcome: Joined) -> BaseException | None:
        self._requests += job.requests
        if outcome.error is None:
            self._plan.learn(job.survey, outcome.given[0])
            return None
        if not isinstance(outcome.error, DSError) or not may_be_page_size(outcome.error):
            return outcome.error
        # where the service will not show what lies ahead, one page after another still gets there
        self._blind = not self._plan.narrow()
        return None

    def _read_chunk(self, chunk: Chunk) -> Flow[RawPage]:
        walk = PageIterator(self._selection, self._pace, chunk.place)
        missing = set(chunk.numbers)
        while walk.more and missing:
            received = yield from walk.page(len(missing))
            yield received
            missing.difference_update(row.head.number for row in received.rows)
            missing.difference_update(poison.head.number for poison in received.poison_rows)
            if walk.reached and walk.reached > chunk.last_date:
                return

    def _given(self, chunk: Chunk, outcome: Joined) -> Iterator[Page]:
        for received in outcome.given:
            yield self._page(received)
        if not outcome.error and self._missing(chunk):
            self._short.append(chunk)

    def _page(self, received: RawPage) -> Page:
        requests, self._requests = self._requests, 0
        return self._sieve.page(received, requests=requests)

    def _missing(self, chunk: Chunk) -> list[int]:
        return [number for number in chunk.numbers if not self._sieve.has_seen(number)]

    def _has_moved_on(self) -> bool:
        """Whether a row that was there from the first may stand behind the last that was seen, having changed since."""
        end = self._sieve.edge.date
        return self._selection.sort_column == "updated" and (end is None or end > pendulum.now("UTC"))

    def _walk(self, place: Position) -> Flow[Page]:
        requests, self._requests = self._requests, 0
        return to_the_end(PageIterator(self._selection, self._pace, place), self._sieve, requests)

    def _search(self) -> ConcurrentFlow[Page]:
        """Look again where dossiers were seen that did not come: those that are gone from there are not missing."""
        for _ in range(SEARCHES):
            self._again.extend((yield from self._still_seen()))
            if not self._again:
                return
            yield from self._read_plan()
        for chunk in (yield from self._still_seen()):
            raise locate(
                DSIncompletePageError(f"the service lists dossier {self._missing(chunk)[0]} and does not give it"),
                self._selection,
                chunk.place.cursor,
            )

    def _still_seen(self) -> SubFlow[list[Chunk]]:
        chunks = [chunk for chunk in self._short if self._missing(chunk)]
        self._short = []
        found: list[Chunk] = []
        for first in range(0, len(chunks), PROBES):
            batch = chunks[first : first + PROBES]
            look = _Look([chunk.place for chunk in batch])
            results = yield from self._look(look)
            self._requests += look.requests
            for chunk, result in zip(batch, results, strict=True):
                if {spot.number for spot in result.spots} & set(self._missing(chunk)):
                    found.append(chunk)
        return found
