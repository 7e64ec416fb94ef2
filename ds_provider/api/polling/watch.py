"""Whether what somebody waits for has happened, for all who wait at once.

A watch is over the lists of some groups. Of each list the newest rows are asked for, and more only where these do not
tell. What is found is the same whoever asks: a task, or a trigger on behalf of many.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec

from ds_provider.api.paging.rows import RowHead
from ds_provider.api.polling.latest import LatestQuery, LatestResults, LatestRows, fetch_latest
from ds_provider.api.polling.seen import BEGINNING, RowVersion, SeenRows, mark, moment, pack, unpack
from ds_provider.api.query.selection import (
    DELETED_DOSSIERS,
    DOSSIERS,
    MAX_PAGE,
    PENDING_DELETED_DOSSIERS,
    Selection,
)
from ds_provider.api.query.windows import Column, Window
from ds_provider.api.transport.retry import Flow, SubFlow
from ds_provider.exceptions import DSConfigurationError, DSError, DSTransientError

K = TypeVar("K", bound=Hashable)

# of dossiers, the newest so many are told; a finding goes through XCom
MAX_NUMBERS = 1_000
# most waits are for a few rows, and these then come with the question itself
MIN_ROWS = 10
# the service dates a change before it commits it, so a row may appear behind one that was seen
LOOKBACK_SECONDS = 5 * 60
# the service dates a deletion back by 14 days and more, its nightly purge being late at times
DELETIONS_REACH_SECONDS = 60 * 24 * 3600

_DATES: tuple[Column, ...] = ("created", "updated", "deleted")


@dataclass(frozen=True)
class WatchedStream:
    """A list that is watched.

    :param memory: the rows of it that are no news; without one all are.
    """

    selection: Selection
    memory: SeenRows | None = None

    @classmethod
    def remembered(cls, selection: Selection, column: Column, memory: SeenRows) -> WatchedStream:
        """What is new in a list, by one of its dates."""
        start = None if memory.since == BEGINNING else moment(memory.since)
        return cls(replace(selection, window=Window(column, start=start)), memory)

    def knows(self, one: RowVersion) -> bool:
        """Whether a row is no news. The service may show one from before: hidden long ago, and again by another."""
        return self.memory is not None and (one[1] < self.memory.since or one in self.memory.marks)


@dataclass(frozen=True, eq=False)
class Watch:
    """Waits for so many new rows in any one of these groups.

    :param groupes: the lists of each group; a dossier counts once, in whichever it is.
    :param min_count: how many.
    """

    groupes: Mapping[int, Sequence[WatchedStream]]
    min_count: int = 1


class Finding(msgspec.Struct, frozen=True):
    """What a watch found, as it travels from a trigger to its task.

    :param groupes: of each group that has enough, the packed marks of the new rows by list.
    :param newest: the newest of their dates, by column, in seconds since the epoch.
    :param more: whether there are more than were counted.
    :param looked_at: when, in seconds since the epoch.
    """

    groupes: dict[int, dict[str, str]]
    newest: dict[str, int]
    more: bool
    looked_at: int

    def marks(self, groupe: int, stream: str) -> list[RowVersion]:
        packed = self.groupes[groupe].get(stream)
        return unpack(packed) if packed else []

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return told

    @classmethod
    def from_json(cls, value: Any) -> Finding:
        """
        :raises DSConfigurationError: if it is none.
        """
        try:
            finding = msgspec.json.decode(msgspec.json.encode(value), type=cls)
        except (msgspec.MsgspecError, TypeError, OverflowError):
            raise DSConfigurationError("the event holds no finding of this provider's triggers") from None
        for seconds in (*finding.newest.values(), finding.looked_at):
            moment(seconds)
        for groupe, streams in finding.groupes.items():
            for stream in streams:
                finding.marks(groupe, stream)
        return finding


Outcome = Finding | DSError | None


@dataclass(frozen=True)
class PollResult:
    """What a look showed of a watch's groups.

    :param finding: of those that have enough; none where none has.
    :param errors: of those that did not answer.
    """

    finding: Finding | None = None
    errors: Mapping[int, DSError] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """For who waits for all of the groups: nothing yet, enough, or why it cannot be told."""
        error = most_severe(self.errors.values())
        # access that is lost is not to hide behind what other groups hold
        if error and not isinstance(error, DSTransientError):
            return error
        return self.finding or error


def most_severe(errors: Iterable[DSError]) -> DSError | None:
    """The first that does not pass by itself, or the first."""
    return min(errors, key=lambda error: isinstance(error, DSTransientError), default=None)


@dataclass(eq=False)
class _Search:
    """One list of one watch, read from its newest row back as far as is needed."""

    watched: WatchedStream
    question: LatestQuery | None
    fresh: list[RowHead] = field(default_factory=list)
    error: DSError | None = None

    @property
    def column(self) -> Column:
        return _column(self.watched.selection)

    @property
    def more(self) -> bool:
        return self.question is not None

    def take(self, answers: LatestResults) -> None:
        if self.question is None or self._is_over():
            return
        answer = answers[self.question]
        if not isinstance(answer, LatestRows):
            self.error, self.question = answer, None
            return
        self.fresh += [row for row in answer.rows if not self.watched.knows(mark(row.number, row.date(self.column)))]
        self.question = _earlier(self.question, answer)

    def next(self) -> LatestQuery | None:
        return None if self._is_over() else self.question

    def _is_over(self) -> bool:
        # a deletion may be dated back to before any that is known, so all of them are looked at
        return self.watched.selection.stream is DOSSIERS and len(self.fresh) >= MAX_NUMBERS

    def numbers(self) -> set[int]:
        return {row.number for row in self.fresh}

    def marks(self) -> Iterable[RowVersion]:
        return (mark(row.number, row.date(self.column)) for row in self.fresh)


def poll(watches: Mapping[K, Watch]) -> Flow[dict[K, PollResult]]:
    """The flow that gives, once, what each watch found."""
    searches = {
        key: {
            groupe: [_Search(watched, _question(watched, watch.min_count)) for watched in lists]
            for groupe, lists in watch.groupes.items()
        }
        for key, watch in watches.items()
    }
    everyone = [search for groupes in searches.values() for lists in groupes.values() for search in lists]
    yield from _run(everyone)
    yield {key: _judge(watch, searches[key]) for key, watch in watches.items()}


def _run(searches: Sequence[_Search]) -> SubFlow[None]:
    while questions := [question for search in searches if (question := search.next())]:
        answers = yield from fetch_latest(questions)
        for search in searches:
            search.take(answers)


def _judge(watch: Watch, groupes: Mapping[int, Sequence[_Search]]) -> PollResult:
    errors = {
        groupe: error
        for groupe, searches in groupes.items()
        if (error := most_severe(search.error for search in searches if search.error))
    }
    enough = {groupe: searches for groupe, searches in groupes.items() if _has_enough(searches, watch.min_count)}
    return PollResult(_finding(enough) if enough else None, errors)


def _has_enough(searches: Sequence[_Search], min_count: int) -> bool:
    if any(search.error for search in searches):
        return False
    return len(set[int]().union(*(search.numbers() for search in searches))) >= min_count


def _finding(groupes: Mapping[int, Sequence[_Search]]) -> Finding:
    every = [search for searches in groupes.values() for search in searches]
    rows = [row for search in every for row in search.fresh]
    dates = {column: [date for row in rows if (date := getattr(row, column))] for column in _DATES}
    return Finding(
        groupes={
            groupe: {search.watched.selection.stream.name: pack(search.marks()) for search in searches}
            for groupe, searches in groupes.items()
        },
        newest={column: int(max(known).timestamp()) for column, known in dates.items() if known},
        more=any(search.more for search in every),
        looked_at=int(time.time()),
    )


def baseline(lists: Mapping[K, WatchedStream]) -> Flow[dict[K, SeenRows | DSError]]:
    """The flow that gives, once, what each list holds by now, so that what comes later is known to be new.

    Of a list that cannot be read it gives the error.
    """
    searches = {key: _Baseline(watched, _question(watched, MAX_PAGE)) for key, watched in lists.items()}
    yield from _run(list(searches.values()))
    yield {key: search.error or search.memory() for key, search in searches.items()}


class _Baseline(_Search):
    """Of dossiers, only the newest can come up again; of deletions, all that the list reaches back to."""

    def _is_over(self) -> bool:
        if self.watched.selection.stream is not DOSSIERS:
            return False
        dates = [date for _, date in self.marks()]
        return bool(dates) and (len(dates) > MAX_NUMBERS or max(dates) - min(dates) > LOOKBACK_SECONDS)

    def memory(self) -> SeenRows:
        return remember(self.watched.memory or SeenRows(), self.watched.selection, self.marks(), int(time.time()))


def remember(memory: SeenRows, selection: Selection, marks: Iterable[RowVersion], looked_at: int) -> SeenRows:
    """A memory with these rows too, no larger than it need be."""
    known = memory.merge(marks)
    if selection.stream is DOSSIERS:
        return known.shorten(LOOKBACK_SECONDS)
    return known.forget(looked_at - DELETIONS_REACH_SECONDS)


def deletions(groupe: int, memories: Mapping[str, SeenRows]) -> list[WatchedStream]:
    """The two lists of a group's deletions, the pending ones first: what is purged meanwhile is then seen in both.

    :param memories: of each list, by its name.
    """
    return [
        WatchedStream.remembered(Selection(stream, groupe), "deleted", memories[stream.name])
        for stream in (PENDING_DELETED_DOSSIERS, DELETED_DOSSIERS)
    ]


def _column(selection: Selection) -> Column:
    return next(column for column in _DATES if column == selection.sort_column)


def _question(watched: WatchedStream, min_count: int) -> LatestQuery:
    known = len(watched.memory.marks) if watched.memory else 0
    return LatestQuery(watched.selection, min(MAX_PAGE, max(MIN_ROWS, min_count + known)))


def _earlier(question: LatestQuery, sighting: LatestRows) -> LatestQuery | None:
    if sighting.earlier is None:
        return None
    return LatestQuery(question.selection, MAX_PAGE, sighting.earlier)
