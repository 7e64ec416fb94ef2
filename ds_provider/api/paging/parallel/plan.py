"""Range plan: what is known of a selection's rows ahead, so that full pages of them can be read in any order.

Probes ask for number, date and cursor of a hundred rows from each of many dates at once, as aliases of one request.
What a probe does not show up to the next one's date is a gap, and the next probes go there. After each row's cursor a
full page can be read, whatever is read before it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import groupby, pairwise

from ds_provider.api.paging.bounds import Position, UpperBound, density
from ds_provider.api.query.selection import MAX_PAGE_SIZE

# a probe costs about 650 of the 60,000 that a request may cost, and one sorting of the group to the service
MAX_PROBES = 72
# rows expected from one probe to the next: fewer than a probe brings, so that most leave no gap
SPACING = 60
# rows before the frontier from which the density beyond it is estimated
RECENT_ROWS = 500


@dataclass(frozen=True, slots=True)
class RowKey:
    """Key of a row, as a probe shows it."""

    number: int
    date: datetime
    cursor: str


@dataclass(frozen=True)
class ProbeResult:
    """Up to a hundred rows from a probe's position on, and whether more follow."""

    rows: list[RowKey]
    has_next_page: bool


@dataclass(frozen=True)
class Gap:
    """Range of which nothing is known.

    :param position: where it begins.
    :param start: the date of the last row before it.
    :param end: the date before which it ends, or None if it ends with the selection.
    :param density: rows a second, as far as its neighbourhood shows.
    :param max_probes: how many probes it is worth: few where the neighbourhood may mislead.
    """

    position: Position
    start: datetime
    end: datetime | None
    density: float
    max_probes: int = MAX_PROBES


@dataclass(frozen=True)
class Probe:
    """One alias of a request, put into a gap: its rows count up to a date, or as far as they go."""

    gap: Gap
    position: Position
    until: datetime | None


@dataclass
class KnownRange:
    """Consecutive rows without a hole.

    :param position: after which the first of them stands.
    :param detached: rows that are taken or landed stand before the first of them, so that it continues no other range.
    """

    position: Position
    rows: deque[RowKey] = field(default_factory=deque)
    detached: bool = False


@dataclass(frozen=True)
class Chunk:
    """Rows for one full page.

    :param position: where the page begins.
    :param numbers: the dossiers that probes showed there, in order.
    :param last_date: the date of the last of them.
    """

    position: Position
    numbers: tuple[int, ...]
    last_date: datetime


class RangePlan:
    """Plan of what is still to be probed or read of a selection, from a position on.

    :ivar earliest_change: the earliest date of a landed dossier that changed since.
    :param gap: all that lies ahead.
    :param bound: where the selection ends.
    :param landed: the dates of dossiers that are not to be read again.
    """

    def __init__(self, gap: Gap, bound: UpperBound, landed: Mapping[int, datetime]) -> None:
        self.earliest_change: datetime | None = None
        self._ranges: list[Gap | KnownRange] = [gap]
        self._bound = bound
        self._landed = landed
        self._even_page_size: int | None = None
        self._max_probes = MAX_PROBES
        self._start = gap.position

    @property
    def gaps(self) -> list[Gap]:
        """Ranges that are still unknown."""
        return [one for one in self._ranges if isinstance(one, Gap)]

    @property
    def rows(self) -> int:
        """Count of rows that are known and not yet taken."""
        return sum(len(one.rows) for one in self._ranges if isinstance(one, KnownRange))

    @property
    def end(self) -> Position:
        """Position after the last known row, once there are no gaps and all rows are taken."""
        return self._ranges[-1].position if self._ranges else self._start

    @property
    def rest(self) -> Position:
        """Position after which all lies that is not taken."""
        return self._ranges[0].position if self._ranges else self._start

    def reduce(self) -> bool:
        """Send fewer probes at once from now on. Return false if that cannot be."""
        self._max_probes //= 4
        return self._max_probes > 0

    def next_probes(self) -> list[Probe]:
        """Return the probes of the next request, for the first gaps."""
        probes: list[Probe] = []
        for gap in self.gaps:
            if left := self._max_probes - len(probes):
                probes += self._probes(gap, left)
        return probes

    def _probes(self, gap: Gap, limit: int) -> list[Probe]:
        """Return probes from the gap's start on, as far apart as its density says."""
        end = max(gap.end or self._bound.estimated_end, gap.start)
        step = max(1.0, SPACING / gap.density)
        count = min(limit, gap.max_probes, math.ceil((end - gap.start).total_seconds() / step)) or 1
        wanted = (_whole_second(gap.start + timedelta(seconds=step * i)) for i in range(1, count))
        dates = [date for date in dict.fromkeys(wanted) if gap.start < date < end]
        positions = [gap.position, *(Position(since=date.isoformat()) for date in dates)]
        return [Probe(gap, position, until) for position, until in zip(positions, [*dates, gap.end], strict=True)]

    def add_results(self, probes: Sequence[Probe], results: Sequence[ProbeResult]) -> None:
        """Fill the gaps of a request's probes with what these showed."""
        self._max_probes = min(MAX_PROBES, self._max_probes * 2)
        filled = {
            id(gap): list(self._fill(gap, list(shown)))
            for gap, shown in groupby(zip(probes, results, strict=True), key=lambda shown: shown[0].gap)
        }
        self._ranges = _merged(new for one in self._ranges for new in filled.get(id(one), [one]))

    def _fill(self, gap: Gap, results: Sequence[tuple[Probe, ProbeResult]]) -> Iterator[Gap | KnownRange]:
        recent: deque[datetime] = deque(maxlen=RECENT_ROWS)
        for index, (probe, result) in enumerate(results):
            rows = self._in_range(result.rows, probe.until)
            recent.extend(row.date for row in rows)
            yield from self._known_ranges(probe.position, rows)
            # one row past the end proves nothing: it may show a later date than it is sorted by, having just changed
            if rows and result.has_next_page and len(result.rows) - len(rows) < 2:
                is_last = index == len(results) - 1
                dates = list(recent) if is_last else [row.date for row in rows]
                max_probes = min(MAX_PROBES, gap.max_probes * 4) if is_last else 1
                yield Gap(Position(cursor=rows[-1].cursor), rows[-1].date, probe.until, density(dates), max_probes)

    def _in_range(self, rows: list[RowKey], until: datetime | None) -> list[RowKey]:
        if until is not None:
            rows = rows[: bisect_left(rows, until, key=lambda row: row.date)]
        past_end = (i for i, row in enumerate(rows) if self._bound.is_past_end(row.number, row.date))
        return rows[: next(past_end, len(rows))]

    def _known_ranges(self, position: Position, rows: list[RowKey]) -> Iterator[KnownRange]:
        """Yield the rows as one range, or as several around those that are landed."""
        known = KnownRange(position)
        for row in rows:
            landed = self._landed.get(row.number)
            if landed is None:
                known.rows.append(row)
                continue
            if row.date > landed:
                self.earliest_change = min(self.earliest_change or row.date, row.date)
            yield known
            known = KnownRange(Position(cursor=row.cursor), detached=True)
        yield known

    def take(self, readers: int) -> Chunk | None:
        """Take the next page to read, or None where more must be known first.

        :param readers: how many read in parallel. Where it costs hardly a page more, pages are cut so that all readers
            end at the same time.
        """
        rows = self._chunk_size(readers)
        for known, following in pairwise([*self._ranges, None]):
            may_go_on = isinstance(following, Gap)
            if isinstance(known, KnownRange) and known.rows and (len(known.rows) >= rows or not may_go_on):
                return _cut(known, rows)
        return None

    def _chunk_size(self, readers: int) -> int:
        if self.gaps:
            return MAX_PAGE_SIZE
        if self._even_page_size is None:
            pages = math.ceil(self.rows / MAX_PAGE_SIZE)
            even = math.ceil(pages / readers) * readers
            self._even_page_size = math.ceil(self.rows / even) if pages < even <= 1.1 * pages else MAX_PAGE_SIZE
        return self._even_page_size


def _whole_second(date: datetime) -> datetime:
    """Return that instant or the next whole second, in UTC: rows show whole seconds, and compare with it by theirs."""
    return datetime.fromtimestamp(math.ceil(date.timestamp()), timezone.utc)


def _merged(ranges: Iterable[Gap | KnownRange]) -> list[Gap | KnownRange]:
    """Return the same ranges, with those that continue each other made one."""
    merged: list[Gap | KnownRange] = []
    for one in ranges:
        last = merged[-1] if merged else None
        if isinstance(last, KnownRange) and isinstance(one, KnownRange):
            if not one.detached:
                last.rows.extend(one.rows)
                continue
            if not last.rows:
                merged.pop()
        merged.append(one)
    return merged


def _cut(known: KnownRange, size: int) -> Chunk:
    rows = [known.rows.popleft() for _ in range(min(size, len(known.rows)))]
    chunk = Chunk(known.position, tuple(row.number for row in rows), rows[-1].date)
    known.position, known.detached = Position(cursor=rows[-1].cursor), True
    return chunk
