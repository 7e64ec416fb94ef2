"""Poll once on behalf of every waiting sensor and trigger.

A watch is over the streams of some groups. The newest rows of each stream are asked for, and older ones only if these
do not decide. A sensor finds the same as a trigger that polls for many.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec

from ds_provider.api.paging.rows import RowHead
from ds_provider.api.polling.latest import LatestQuery, LatestRows, fetch_latest
from ds_provider.api.polling.seen import BEGINNING, RowVersion, SeenRows, instant, pack, row_version, unpack
from ds_provider.api.query.selection import (
    DELETED_DOSSIERS,
    DOSSIERS,
    MAX_PAGE_SIZE,
    PENDING_DELETED_DOSSIERS,
    Selection,
)
from ds_provider.api.query.windows import DateColumn, Window
from ds_provider.api.transport.flows import Flow, SubFlow
from ds_provider.exceptions import DSConfigurationError, DSError, DSTransientError

K = TypeVar("K", bound=Hashable)

# dossiers that a finding holds of a group before reading stops; a finding goes through XCom
MAX_NUMBERS = 1_000
# most waits are for a few rows, and these then come with the first query
MIN_ROWS = 10
# the service dates a change before it commits it, so a row may appear with an earlier date than one that was seen
LOOKBACK_SECONDS = 5 * 60
# the service dates a deletion back by 14 days and more, its nightly purge being late at times
DELETIONS_LOOKBACK_SECONDS = 60 * 24 * 3600

_DATE_COLUMNS: tuple[DateColumn, ...] = ("created", "updated", "deleted")


@dataclass(frozen=True)
class WatchedStream:
    """Stream that is watched.

    :param seen: the rows of it that are not new; without it all rows are.
    """

    selection: Selection
    seen: SeenRows | None = None

    @classmethod
    def unseen(cls, selection: Selection, date_column: DateColumn, seen: SeenRows) -> WatchedStream:
        """Return the stream of a selection's new rows, by one of its dates."""
        start = None if seen.since == BEGINNING else instant(seen.since)
        return cls(replace(selection, window=Window(date_column, start=start)), seen)

    def has_seen(self, version: RowVersion) -> bool:
        """Return true if a row is not new. The service may show one from before: hidden long ago, and again since."""
        return self.seen is not None and (version[1] < self.seen.since or version in self.seen.versions)


@dataclass(frozen=True, eq=False)
class Watch:
    """Wait for new rows in any one of some groups.

    :param groups: the streams of each group; a dossier counts once, in whichever it is.
    :param min_count: how many dossiers one group must have.
    """

    groups: Mapping[int, Sequence[WatchedStream]]
    min_count: int = 1


class Finding(msgspec.Struct, frozen=True):
    """New rows that a watch found, as they travel from a trigger to its task.

    :param groups: of each group that has enough, the packed versions of the new rows by stream.
    :param newest: the newest of their dates, by date column, in seconds since the epoch.
    :param more: true if there are more than were counted.
    :param polled_at: when the service was asked, in seconds since the epoch.
    """

    groups: dict[int, dict[str, str]]
    newest: dict[str, int]
    more: bool
    polled_at: int

    def versions(self, group: int, stream: str) -> list[RowVersion]:
        """Return the new rows of a group's stream."""
        packed = self.groups[group].get(stream)
        return unpack(packed) if packed else []

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, for an event."""
        value: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return value

    @classmethod
    def from_json(cls, value: Any) -> Finding:
        """Return the finding of :meth:`to_json`.

        :raises DSConfigurationError: if it is none.
        """
        try:
            finding = msgspec.json.decode(msgspec.json.encode(value), type=cls)
        except (msgspec.MsgspecError, TypeError, OverflowError):
            raise DSConfigurationError("the event holds no finding of this provider's triggers") from None
        for seconds in (*finding.newest.values(), finding.polled_at):
            instant(seconds)
        for group, streams in finding.groups.items():
            for stream in streams:
                finding.versions(group, stream)
        return finding


Outcome = Finding | DSError | None


@dataclass(frozen=True)
class PollResult:
    """Result of a poll for one watch.

    :param finding: the new rows of the groups that have enough, or None if no group has.
    :param errors: of the groups that could not be read.
    :param counts: how many new rows each of the others has.
    """

    finding: Finding | None = None
    errors: Mapping[int, DSError] = field(default_factory=dict)
    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """Outcome for a task that waits for all of the groups: None to wait on, the finding, or the error."""
        error = most_severe(self.errors.values())
        # what other groups hold must not hide that access is lost
        if error and not isinstance(error, DSTransientError):
            return error
        return self.finding or error


def most_severe(errors: Iterable[DSError]) -> DSError | None:
    """Return the first error that does not pass by itself, or else the first."""
    return min(errors, key=lambda error: isinstance(error, DSTransientError), default=None)


@dataclass(eq=False)
class _Search:
    """New rows of one watched stream, read from the newest back as far as is needed."""

    watched: WatchedStream
    query: LatestQuery | None
    new_rows: list[RowHead] = field(default_factory=list)
    error: DSError | None = None

    def next_query(self) -> LatestQuery | None:
        return None if self._is_complete() else self.query

    def add(self, query: LatestQuery, result: LatestRows | DSError) -> None:
        if isinstance(result, DSError):
            self.error, self.query = result, None
            return
        self.new_rows += [row for row in result.rows if not self.watched.has_seen(self._version(row))]
        self.query = query._replace(last=MAX_PAGE_SIZE, before=result.earlier) if result.earlier else None

    def versions(self) -> Iterable[RowVersion]:
        return map(self._version, self.new_rows)

    def _version(self, row: RowHead) -> RowVersion:
        return row_version(row.number, row.date(self.watched.selection.date_column))

    def _is_complete(self) -> bool:
        # a deletion may be dated back to before any that was seen, so all of them are read
        return self.watched.selection.stream is DOSSIERS and len(self.new_rows) >= MAX_NUMBERS


def poll(watches: Mapping[K, Watch]) -> Flow[dict[K, PollResult]]:
    """Yield, once, the result of each watch."""
    searches = {
        key: {
            group: [_Search(watched, _first_query(watched, watch.min_count)) for watched in streams]
            for group, streams in watch.groups.items()
        }
        for key, watch in watches.items()
    }
    yield from _run([search for groups in searches.values() for streams in groups.values() for search in streams])
    yield {key: _result(searches[key], watch.min_count) for key, watch in watches.items()}


def _run(searches: Sequence[_Search]) -> SubFlow[None]:
    while asked := {search: query for search in searches if (query := search.next_query())}:
        results = yield from fetch_latest(asked.values())
        for search, query in asked.items():
            search.add(query, results[query])


def _result(groups: Mapping[int, Sequence[_Search]], min_count: int) -> PollResult:
    errors = {
        group: error
        for group, searches in groups.items()
        if (error := most_severe(search.error for search in searches if search.error))
    }
    counts = {
        group: len({row.number for search in searches for row in search.new_rows})
        for group, searches in groups.items()
        if group not in errors
    }
    enough = {group: groups[group] for group, count in counts.items() if count >= min_count}
    return PollResult(_finding(enough) if enough else None, errors, counts)


def _finding(groups: Mapping[int, Sequence[_Search]]) -> Finding:
    all_searches = [search for searches in groups.values() for search in searches]
    rows = [row for search in all_searches for row in search.new_rows]
    dates = {column: [date for row in rows if (date := getattr(row, column))] for column in _DATE_COLUMNS}
    return Finding(
        groups={
            group: {search.watched.selection.stream.name: pack(search.versions()) for search in searches}
            for group, searches in groups.items()
        },
        newest={column: int(max(known).timestamp()) for column, known in dates.items() if known},
        more=any(search.query for search in all_searches),
        polled_at=int(time.time()),
    )


def baseline(streams: Mapping[K, WatchedStream]) -> Flow[dict[K, SeenRows | DSError]]:
    """Yield, once, what each stream holds by now, so that what comes later is known to be new.

    For a stream that cannot be read, yield the error.
    """
    searches = {key: _BaselineSearch(watched, _first_query(watched, MAX_PAGE_SIZE)) for key, watched in streams.items()}
    yield from _run(list(searches.values()))
    yield {key: search.error or search.seen() for key, search in searches.items()}


class _BaselineSearch(_Search):
    """Rows that can come up again: of dossiers only the newest, of deletions all that the stream reaches back to."""

    def _is_complete(self) -> bool:
        if self.watched.selection.stream is not DOSSIERS:
            return False
        dates = [date for _, date in self.versions()]
        return bool(dates) and (len(dates) > MAX_NUMBERS or max(dates) - min(dates) > LOOKBACK_SECONDS)

    def seen(self) -> SeenRows:
        return add_seen(self.watched.seen or SeenRows(), self.watched.selection, self.versions(), int(time.time()))


def add_seen(seen: SeenRows, selection: Selection, versions: Iterable[RowVersion], polled_at: int) -> SeenRows:
    """Return the seen rows of a selection with these too, no more of them than are needed.

    :param polled_at: when the service was asked, in seconds since the epoch.
    """
    merged = seen.merge(versions)
    if selection.stream is DOSSIERS:
        return merged.keep_newest(LOOKBACK_SECONDS)
    return merged.forget_before(polled_at - DELETIONS_LOOKBACK_SECONDS)


def deletion_streams(group: int, seen: Mapping[str, SeenRows]) -> list[WatchedStream]:
    """Return both streams of a group's deletions, the pending ones first: what is purged meanwhile is then in both.

    :param seen: the seen rows of each stream, by its name.
    """
    return [
        WatchedStream.unseen(Selection(stream, group), "deleted", seen[stream.name])
        for stream in (PENDING_DELETED_DOSSIERS, DELETED_DOSSIERS)
    ]


def _first_query(watched: WatchedStream, min_count: int) -> LatestQuery:
    seen = len(watched.seen.versions) if watched.seen else 0
    return LatestQuery(watched.selection, min(MAX_PAGE_SIZE, max(MIN_ROWS, min_count + seen)))
