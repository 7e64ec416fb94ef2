"""Pages: what of the rows that came belongs to the selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from ds_provider.api.paging.bounds import UpperBound
from ds_provider.api.paging.number_set import NumberSet
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Row, RowHead
from ds_provider.api.query.selection import Selection


@dataclass(frozen=True)
class Page:
    """Whole page, after the filter.

    :param rows: the rows that belong to the selection and were not in an earlier page.
    :param last_date: the date, on the selection's date column, of the last row that came.
    :param quarantined: the dossiers of the selection that cannot be read.
    :param earliest_change: the earliest date of a row that came again, changed since it was in an earlier page.
    :param not_found: the dossiers asked for by number that the service does not show: hidden, deleted, or never there.
    :param unauthorized: the dossiers asked for by number on which the token has no right.
    :param groupe_label: the label of the group, if it came beside the rows.
    """

    rows: list[Row]
    last_date: datetime | None = None
    quarantined: list[Quarantined] = field(default_factory=list)
    earliest_change: datetime | None = None
    not_found: list[int] = field(default_factory=list)
    unauthorized: list[int] = field(default_factory=list)
    groupe_label: str | None = None

    @property
    def repaired(self) -> dict[int, int]:
        """By dossier, how many texts were repaired."""
        return {row.head.number: row.repaired for row in self.rows if row.repaired}


class PageFilter:
    """Keeps a page's rows that lie in the window, are on the wanted revision and were not seen before.

    :param bound: where the selection ends.
    :param seen: the numbers of dossiers that are landed already.
    """

    def __init__(self, selection: Selection, bound: UpperBound, seen: NumberSet) -> None:
        self._bound = bound
        self._descending = selection.is_descending
        self._revision = selection.revision
        self._date_column = selection.date_column
        self._seen = seen

    def filter(self, raw: list[Row], *, repeats_are_changes: bool = True) -> Page:
        """Return what of a page belongs to the selection.

        :param raw: the rows of the page as they came, in the order of reading.
        :param repeats_are_changes: true if a row can come a second time only because it changed since: after a cursor
            no row comes again otherwise.
        """
        new: list[Row] = []
        repeated: list[datetime] = []
        for row in self._in_window(raw):
            if row.head.number not in self._seen:
                new.append(row)
            elif not row.quarantined:
                repeated.append(row.date(self._date_column))
        self._seen.update(row.head.number for row in new)
        return Page(
            rows=[row for row in new if not row.quarantined and self._is_on_revision(row)],
            last_date=raw[-1].date(self._date_column) if raw and not raw[-1].quarantined else None,
            quarantined=[row.quarantined for row in new if row.quarantined and self._is_on_revision(row)],
            earliest_change=min(repeated) if repeats_are_changes and repeated else None,
        )

    def has_seen(self, number: int) -> bool:
        """Return true if that dossier was in a page, landed before, or found unreadable."""
        return number in self._seen

    def is_past_end(self, raw: list[Row]) -> bool:
        """Return true if a page reaches past the selection's end.

        Its last row alone does not tell: having changed in that moment, it may show a later date than it is sorted by.
        """
        past = [row.head for row in raw if self._is_row_past_end(row.head)]
        return (
            len(past) > 1
            or any(head.number == self._bound.first_number_after for head in past)
            or 0 < len(raw) == len(past)
        )

    def _is_on_revision(self, row: Row) -> bool:
        # of what the service cannot give, few fields are known
        is_unknown = row.quarantined is not None and row.head.demarche is None
        return is_unknown or self._revision in (None, row.head.revision_id)

    def _in_window(self, rows: list[Row]) -> list[Row]:
        if self._descending:
            return [row for row in rows if not self._is_row_past_end(row.head)]
        # all rows after the end are past it, also those that show an earlier second
        return list(takewhile(lambda row: not self._is_row_past_end(row.head), rows))

    def _is_row_past_end(self, head: RowHead) -> bool:
        return self._bound.is_past_end(head.number, head.date(self._date_column))
