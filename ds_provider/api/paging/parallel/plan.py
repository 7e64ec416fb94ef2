"""What lies ahead in a group, seen at little cost, so that its full pages can be read in any order.

A survey asks for number, date and cursor of a hundred rows from each of many dates at once, as aliases of one request.
What a probe does not see up to the next one's date is a gap, and the next survey puts probes there. Behind each row's
cursor a full page can be read, whatever is read before it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from ds_provider.api.paging.iterator import Position
from ds_provider.api.query.selection import MAX_PAGE

# a probe costs about 650 of the 60,000 that a request may cost, and one sorting of the group to the service
PROBES = 72
# rows expected from one probe to the next: fewer than a probe brings, so that most leave no gap
SPACING = 60
# rows behind the frontier from which the density beyond it is estimated
RECENT = 500


@dataclass(frozen=True, slots=True)
class RowKey:
    """A row as a survey saw it."""

    number: int
    date: datetime
    cursor: str


@dataclass(frozen=True)
class ProbeResult:
    """What a probe saw: up to a hundred rows from its place on, and whether more follow."""

    spots: list[RowKey]
    more: bool


@dataclass(frozen=True)
class Gap:
    """A stretch of which nothing is known.

    :param place: where it begins.
    :param start: the date of the last row before it.
    :param end: the date before which it ends; none where it ends with the selection.
    :param density: rows a second, as far as its neighbourhood tells.
    :param reach: how many probes it is worth: few where the neighbourhood may mislead.
    """

    place: Position
    start: datetime
    end: datetime | None
    density: float
    reach: int = PROBES


@dataclass(frozen=True)
class Probe:
    """One alias of a survey: what it sees counts up to a date, or as far as it goes."""

    place: Position
    until: datetime | None


@dataclass(frozen=True)
class ProbeBatch:
    """The probes of one request, for each gap that they are put into."""

    parts: list[tuple[Gap, list[Probe]]]

    @property
    def places(self) -> list[Position]:
        return [probe.place for _, probes in self.parts for probe in probes]


@dataclass
class KnownRange:
    """Rows known one after another without a hole.

    :param place: behind which the first of them stands.
    :param detached: rows that are taken or landed stand before the first of them, so that it continues no other run.
    """

    place: Position
    spots: deque[RowKey] = field(default_factory=deque)
    detached: bool = False


@dataclass(frozen=True)
class Chunk:
    """Rows for one full page.

    :param place: where the page begins.
    :param numbers: the dossiers that were seen there, in order.
    :param last_date: the date of the last of them.
    """

    place: Position
    numbers: tuple[int, ...]
    last_date: datetime


@dataclass(frozen=True)
class UpperBound:
    """Where a selection's rows end: at a date, at a dossier that is the first behind it, or with the connection.

    :param horizon: a date behind which hardly any row lies, for estimates alone.
    """

    horizon: datetime
    date: datetime | None = None
    fence: int | None = None

    def is_behind(self, number: int, date: datetime) -> bool:
        """Whether a row is no longer of the selection."""
        return number == self.fence or (self.date is not None and date >= self.date)


class RangePlan:
    """What is known of a selection from a place on, and what is still to be asked or read.

    :param gap: all that lies ahead.
    :param edge: where the selection ends.
    :param landed: the dates of dossiers that are not to be read again.
    """

    def __init__(self, gap: Gap, edge: UpperBound, landed: Mapping[int, datetime]) -> None:
        self._pieces: list[Gap | KnownRange] = [gap]
        self._edge = edge
        self._landed = landed
        self._rows_of_a_chunk: int | None = None
        self._most_probes = PROBES
        self._start = gap.place
        #: the earliest date at which a landed dossier stands by now, having changed since
        self.newer: datetime | None = None

    @property
    def gaps(self) -> list[Gap]:
        """What is still unknown."""
        return [piece for piece in self._pieces if isinstance(piece, Gap)]

    @property
    def rows(self) -> int:
        """How many rows are known and not yet taken."""
        return sum(len(piece.spots) for piece in self._pieces if isinstance(piece, KnownRange))

    @property
    def end(self) -> Position:
        """Behind the last row that was seen, once there are no gaps."""
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, KnownRange):
            return Position(cursor=last.spots[-1].cursor) if last.spots else last.place
        return last.place if last else self._start

    @property
    def rest(self) -> Position:
        """Behind which all lies that is not taken."""
        return self._pieces[0].place if self._pieces else self._start

    def narrow(self) -> bool:
        """Ask for less at once from now on; false if that cannot be."""
        self._most_probes //= 4
        return self._most_probes > 0

    def survey(self) -> ProbeBatch:
        """What to ask next: the first gaps, as far as the probes of one request go."""
        parts: list[tuple[Gap, list[Probe]]] = []
        left = self._most_probes
        for gap in self.gaps:
            if left:
                parts.append((gap, self._probes(gap, left)))
                left -= len(parts[-1][1])
        return ProbeBatch(parts)

    def _probes(self, gap: Gap, most: int) -> list[Probe]:
        """From the gap's start on, as far apart as its density says."""
        end = max(gap.end or self._edge.horizon, gap.start)
        step = max(1.0, SPACING / gap.density)
        count = min(most, gap.reach, math.ceil((end - gap.start).total_seconds() / step)) or 1
        wanted = (_whole_second(gap.start + timedelta(seconds=step * i)) for i in range(1, count))
        dates = [date for date in dict.fromkeys(wanted) if gap.start < date < end]
        places = [gap.place, *(Position(since=date.isoformat()) for date in dates)]
        return [Probe(place, until) for place, until in zip(places, [*dates, gap.end], strict=True)]

    def learn(self, survey: ProbeBatch, results: Iterable[ProbeResult]) -> None:
        """Put what a survey saw into its gaps."""
        self._most_probes = min(PROBES, self._most_probes * 2)
        seen = iter(results)
        filled: dict[int, list[Gap | KnownRange]] = {}
        for gap, probes in survey.parts:
            filled[id(gap)] = list(self._fill(gap, [(probe, next(seen)) for probe in probes]))
        pieces = [new for piece in self._pieces for new in filled.get(id(piece), [piece])]
        self._pieces = list(_merged(pieces))

    def _fill(self, gap: Gap, seen: Sequence[tuple[Probe, ProbeResult]]) -> Iterator[Gap | KnownRange]:
        recent: deque[datetime] = deque(maxlen=RECENT)
        for index, (probe, result) in enumerate(seen):
            spots = self._inside(result.spots, probe.until)
            recent.extend(spot.date for spot in spots)
            yield from self._runs(probe.place, spots)
            # one spot behind the end does not tell: it may show a later date than it is sorted by, having just changed
            if spots and result.more and len(result.spots) - len(spots) < 2:
                is_last = index == len(seen) - 1
                dates = list(recent) if is_last else [spot.date for spot in spots]
                reach = min(PROBES, gap.reach * 4) if is_last else 1
                yield Gap(Position(cursor=spots[-1].cursor), spots[-1].date, probe.until, density(dates), reach)

    def _inside(self, spots: list[RowKey], until: datetime | None) -> list[RowKey]:
        if until is not None:
            spots = spots[: bisect_left(spots, until, key=lambda spot: spot.date)]
        behind = (i for i, spot in enumerate(spots) if self._edge.is_behind(spot.number, spot.date))
        return spots[: next(behind, len(spots))]

    def _runs(self, place: Position, spots: list[RowKey]) -> Iterator[KnownRange]:
        """The spots as one run, or as several around those that are landed."""
        run = KnownRange(place)
        for spot in spots:
            landed = self._landed.get(spot.number)
            if landed is None:
                run.spots.append(spot)
                continue
            if spot.date > landed:
                self.newer = min(self.newer or spot.date, spot.date)
            yield run
            run = KnownRange(Position(cursor=spot.cursor), detached=True)
        yield run

    def take(self, at_once: int) -> Chunk | None:
        """The next page to read; none where more must be known first.

        :param at_once: how many are read side by side. Where it costs hardly a page more, pages are cut so that all
            readers end at the same time.
        """
        rows = self._even_pages(at_once)
        for run, behind in pairwise([*self._pieces, None]):
            may_go_on = isinstance(behind, Gap)
            if isinstance(run, KnownRange) and run.spots and (len(run.spots) >= rows or not may_go_on):
                return _cut(run, rows)
        return None

    def _even_pages(self, at_once: int) -> int:
        if self.gaps:
            return MAX_PAGE
        if self._rows_of_a_chunk is None:
            pages = math.ceil(self.rows / MAX_PAGE)
            even = math.ceil(pages / at_once) * at_once
            self._rows_of_a_chunk = math.ceil(self.rows / even) if pages < even <= 1.1 * pages else MAX_PAGE
        return self._rows_of_a_chunk


def density(dates: Sequence[datetime]) -> float:
    """Rows a second, of rows that follow each other."""
    return len(dates) / max(1.0, (dates[-1] - dates[0]).total_seconds())


def _whole_second(date: datetime) -> datetime:
    """That instant or the next whole second, in UTC: rows show whole seconds, and can be told from it by theirs."""
    date = date.astimezone(timezone.utc)
    return date.replace(microsecond=0) + timedelta(seconds=1 if date.microsecond else 0)


def _merged(pieces: Iterable[Gap | KnownRange]) -> Iterator[Gap | KnownRange]:
    """The same with runs that continue each other made one."""
    run: KnownRange | None = None
    for piece in pieces:
        if isinstance(piece, Gap):
            if run and (run.spots or run.detached):
                yield run
            run = None
            yield piece
        elif run and not piece.detached:
            run.spots.extend(piece.spots)
        else:
            if run and run.spots:
                yield run
            run = piece
    if run and (run.spots or run.detached):
        yield run


def _cut(run: KnownRange, rows: int) -> Chunk:
    spots = [run.spots.popleft() for _ in range(min(rows, len(run.spots)))]
    chunk = Chunk(run.place, tuple(spot.number for spot in spots), spots[-1].date)
    run.place, run.detached = Position(cursor=spots[-1].cursor), True
    return chunk
