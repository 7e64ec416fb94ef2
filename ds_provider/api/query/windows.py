"""Half-open windows ``[start, end)`` over one of the dates by which the API sorts."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import pendulum

from ds_provider.exceptions import DSConfigurationError

PARIS = "Europe/Paris"

DateColumn = Literal["created", "updated", "deleted"]

_DATED = re.compile(r"\d{4}-?\d\d-?\d\d")
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)
# earlier than any dossier: an updated window that is open below still needs a bound, for without one the server
# sorts by deposit
BEGINNING = pendulum.datetime(2010, 1, 1, tz="UTC")

_EXAMPLE = "2026-11-01T00:00:00+01:00"


@dataclass(frozen=True)
class Window:
    """Window of rows whose date lies in ``[start, end)``; either bound may be open.

    :param date_column: ``created`` (``dateDepot``), ``updated`` (``dateDerniereModification``) or ``deleted``
        (``dateSupression``). It is also the date by which the server then sorts.
    :param start: inclusive bound.
    :param end: exclusive bound.
    :param lookback: how much earlier to begin reading. The service dates a change before it commits it, so a row may
        appear at a date that was already read. A row that is read twice is recognised by its number.
    """

    date_column: DateColumn
    start: pendulum.DateTime | None = None
    end: pendulum.DateTime | None = None
    lookback: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.start and self.end and self.start >= self.end:
            raise DSConfigurationError(
                f"{self.date_column}_since ({shown(self.start)}) must be before {self.date_column}_until "
                f"({shown(self.end)}): the window [since, until) would be empty"
            )

    @property
    def read_from(self) -> pendulum.DateTime | None:
        """Instant at which reading begins."""
        return self.start - self.lookback if self.start else None

    @property
    def iso_bounds(self) -> tuple[str | None, str | None]:
        """Both bounds as ISO 8601, None for an open one."""
        return (self.start.isoformat() if self.start else None, self.end.isoformat() if self.end else None)

    def __str__(self) -> str:
        return f"{self.date_column} [{shown(self.start)}, {shown(self.end)})"


def shown(instant: datetime | None) -> str:
    """Return an instant for people: one in UTC by the service's own clock, any other as it was given."""
    if instant is None:
        return "…"
    with suppress(OverflowError, ValueError):
        instant = instant if instant.utcoffset() else pendulum.instance(instant).in_timezone(PARIS)
    return instant.isoformat()


def parse_instant(value: object, parameter: str) -> pendulum.DateTime | None:
    """Return an instant, in UTC, from a date and time with a time zone or its ISO 8601 text; None for nothing.

    :param parameter: the name by which an error calls it.
    :raises DSConfigurationError: if it is no date, or one without a time zone, which would mean another instant on
        each machine.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return None
    if isinstance(value, str):
        return _parse_text(value.strip(), parameter)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _naive(value.isoformat(), parameter)
        return pendulum.instance(value.astimezone(pendulum.UTC))
    raise DSConfigurationError(
        f"{parameter} must be a date and time with a time zone, such as {_EXAMPLE}: got {value!r}"
    )


def _parse_text(text: str, parameter: str) -> pendulum.DateTime:
    try:
        instant = pendulum.parse(text) if _DATED.match(text) else None
        if isinstance(instant, pendulum.DateTime):
            instant = instant.in_timezone("UTC")
    except (ValueError, TypeError, OverflowError):
        instant = None
    if not isinstance(instant, pendulum.DateTime):
        raise DSConfigurationError(f"{parameter} must be a date and time such as {_EXAMPLE}: got {text!r}")
    if not _OFFSET.search(text):
        raise _naive(text, parameter)
    return instant


def _naive(text: str, parameter: str) -> DSConfigurationError:
    return DSConfigurationError(f"{parameter} needs a time zone, such as {_EXAMPLE}: got {text!r}")
