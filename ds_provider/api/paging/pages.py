"""What reading gives, page by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from ds_provider.api.paging.iterator import PageIterator, RawPage
from ds_provider.api.paging.number_set import NumberSet
from ds_provider.api.paging.parallel.plan import UpperBound
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Row, RowHead
from ds_provider.api.query.selection import Selection
from ds_provider.api.transport.retry import Flow


@dataclass(frozen=True)
class Page:
    """A whole page.

    :param rows: the rows that belong to the selection and were not given before.
    :param requests: how many it took, failed ones and those for what led to it included.
    :param reached: the sort date of the last row that came.
    :param quarantined: the dossiers of the selection that cannot be read.
    :param newer: the earliest date at which a row came again, changed since it was given; none if none did.
    :param gone: the dossiers asked for by number of which the service shows nothing: hidden, deleted, or never there.
    :param foreign: those asked for by number that are out of the token's rights.
    """

    rows: list[Row]
    requests: int
    reached: datetime | None
    quarantined: list[Quarantined] = field(default_factory=list)
    newer: datetime | None = None
    gone: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)


class PageFilter:
    """Lets each dossier of a selection pass once.

    :param edge: where the selection ends.
    :param passed: the numbers of those that are landed already.
    """

    def __init__(self, selection: Selection, edge: UpperBound, passed: NumberSet) -> None:
        self.edge = edge
        self._selection = selection
        self._passed = passed

    def page(self, received: RawPage, *, requests: int = 0, again: bool = False) -> Page:
        """What of a page as it came is to be given.

        :param requests: how many led to it besides its own.
        :param again: whether a row that comes a second time has changed since.
        """
        column = self._selection.sort_column
        rows: list[Row] = []
        twice: list[datetime] = []
        for row in self._inside(received.rows):
            if row.head.number in self._passed:
                twice.append(row.date(column))
            else:
                rows.append(row)
        self._passed.update(row.head.number for row in rows)
        return Page(
            rows=[row for row in rows if self._on_revision(row)],
            requests=received.requests + requests,
            reached=received.rows[-1].date(column) if received.rows else None,
            quarantined=self._quarantined(received),
            newer=min(twice) if again and twice else None,
        )

    def has_seen(self, number: int) -> bool:
        """Whether that dossier was given, landed before, or found unreadable."""
        return number in self._passed

    def is_over(self, received: RawPage) -> bool:
        """Whether a page reaches behind the selection's end.

        Its last row alone does not tell: having changed in that moment, it may show a later date than it is sorted by.
        """
        heads = [row.head for row in received.rows] + [poison.head for poison in received.poison_rows]
        behind = [head for head in heads if self._is_behind(head)]
        return (
            len(behind) > 1 or any(head.number == self.edge.fence for head in behind) or 0 < len(heads) == len(behind)
        )

    def _inside(self, rows: list[Row]) -> list[Row]:
        if self._selection.order == "ASC":
            # behind the edge all is, also what shows an earlier second
            return list(takewhile(lambda row: not self._is_behind(row.head), rows))
        return [row for row in rows if not self._is_behind(row.head)]

    def _is_behind(self, head: RowHead) -> bool:
        return self.edge.is_behind(head.number, head.date(self._selection.sort_column))

    def _quarantined(self, received: RawPage) -> list[Quarantined]:
        found = []
        for poison in received.poison_rows:
            if poison.head.number not in self._passed and not self._is_behind(poison.head):
                self._passed.add(poison.head.number)
                found.append(poison.record)
        return found

    def _on_revision(self, row: Row) -> bool:
        wanted = self._selection.revision
        return wanted is None or (row.head.demarche is not None and row.head.demarche.revision.id == wanted)


def to_the_end(walk: PageIterator, sieve: PageFilter, requests: int = 0) -> Flow[Page]:
    """What a walk towards newer rows brings, up to the selection's end.

    A row that comes a second time has changed since: behind a cursor none comes again otherwise.

    :param requests: how many led to the walk.
    """
    while walk.more:
        received = yield from walk.page()
        yield sieve.page(received, requests=requests, again=True)
        requests = 0
        if sieve.is_over(received):
            return
