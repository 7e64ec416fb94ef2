"""Windows of runs: from a partition, a data interval, or a watermark in the task's asset."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import pendulum
from airflow.sdk import Context

from ds_provider.api.query.selection import Selection
from ds_provider.api.query.windows import BEGINNING, PARIS, Window, parse_instant
from ds_provider.exceptions import DSClockError, DSConfigurationError, DSError
from ds_provider.state.keys import state_key
from ds_provider.state.outlets import only_asset

log = logging.getLogger(__name__)

RunDateColumn = Literal["created", "updated"]

MAX_CLOCK_SKEW_SECONDS = 300.0

_PARTITION = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d)?)?)?")
# the period of a partition's key, by how many parts the key has
_PERIODS = ("years", "months", "days", "hours")


class Watermark:
    """Instant up to which a group was read, kept in the task's asset for all runs.

    :param store: the asset's state store.
    :param key: names the group and the date column: one asset may serve many groups.
    """

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self.key = key

    def get(self) -> pendulum.DateTime | None:
        """Return the instant, in UTC, or None if no run has kept one."""
        return parse_instant(self._store.get(self.key), f"the watermark {self.key}")

    def advance(self, instant: datetime) -> None:
        """Move the watermark, only forward: a run that was late must not undo what a later one reached."""
        known = self.get()
        if known is None or instant > known:
            self._store.set(self.key, instant.isoformat())


def watermark_of(
    context: Context, outlets: Sequence[Any], selection: Selection, date_column: RunDateColumn
) -> Watermark | None:
    """Return the watermark of a selection in the task's one asset; None if the task has no asset.

    :param outlets: the task's outlets.
    :raises DSConfigurationError: if the task has several assets.
    """
    kept = f"window={date_column!r} keeps its watermark in the task's asset"
    asset = only_asset(outlets, kept, "give one outlet, or explicit bounds")
    if asset is None:
        return None
    key = state_key(f"ds-watermark-{date_column}", selection.groupe_instructeur_number, filters=selection.row_filters())
    return Watermark(context["asset_state_store"][asset], key)


def window_of_run(date_column: RunDateColumn, context: Context, lookback: timedelta) -> Window | None:
    """Return the window of the run's partition or of its data interval; None if it has neither.

    :param lookback: see :class:`~ds_provider.api.query.windows.Window`.
    :raises DSConfigurationError: if the partition's key names no period.
    """
    key = context.get("partition_key")
    bounds = _partition(str(key), _timezone_of(context)) if key else _interval(context)
    return Window(date_column, *bounds, lookback) if bounds else None


def ensure_window_is_over(window: Window, context: Context) -> None:
    """Wait for the end of the run's own window, or raise if it is far: rows that come into it later would be lost.

    A run is due at the end of its window, by the scheduler's clock. The worker's may be slow.

    :raises DSClockError: if the run is due and the end lies more than five minutes in the future: the clock is wrong.
    :raises DSConfigurationError: if it is as far and the run is not due either.
    """
    if window.end and (ahead := wait_for(window.end, f"the end of the run's window {window}")):
        raise _not_over_error(window, ahead, context)


def wait_for(instant: datetime, what: str) -> float:
    """Wait for an instant that is over by other clocks, if it lies up to five minutes ahead by this worker's clock.

    :param what: the instant in words, for the log.
    :returns: zero, or how many seconds it lies ahead if it is farther.
    """
    ahead = max(0.0, (instant - pendulum.now("UTC")).total_seconds())
    if ahead > MAX_CLOCK_SKEW_SECONDS:
        return ahead
    if ahead:
        log.warning(
            "waiting %.0f s for %s, by this worker's clock: it is slow, or the run is early", math.ceil(ahead), what
        )
        time.sleep(ahead)
    return 0.0


def _not_over_error(window: Window, ahead: float, context: Context) -> DSError:
    due = getattr(context.get("dag_run"), "run_after", None)
    if due and window.end and due >= window.end:
        return DSClockError(
            f"this worker's clock is slow: the run was due at {due.isoformat()}, when its window {window} was over, "
            f"and the clock is {ahead:.0f} s before the window's end: set it by NTP"
        )
    return DSConfigurationError(
        f"the run's window {window} is not over: give a CronPartitionTimetable run_offset=-1, so that a run is for "
        "the period before it, or give the task explicit bounds"
    )


def window_since_watermark(
    date_column: RunDateColumn, context: Context, watermark: Watermark, lookback: timedelta
) -> Window:
    """Return the window from the watermark on.

    It has no end: what the service shows by then is read, whatever the clocks of scheduler and worker say. A task that
    runs again, after a failure or cleared, begins where it began, wherever the watermark is by then.

    :param lookback: see :class:`~ds_provider.api.query.windows.Window`.
    """
    store = context["task_state_store"]
    start = parse_instant(store.get(watermark.key), "the window kept for this task")
    if start is None:
        known = watermark.get()
        start = BEGINNING if known is None else _whole_seconds(known)
        store.set(watermark.key, start.isoformat())
    return Window(date_column, start, lookback=timedelta(0) if start == BEGINNING else lookback)


def no_window_error(date_column: RunDateColumn) -> DSConfigurationError:
    """Return the error of a run that has no window of its own."""
    return DSConfigurationError(
        f"window={date_column!r} needs a run with a partition or a data interval that is not empty, or an asset among "
        "the task's outlets for its watermark; a plain cron schedule has none in Airflow 3: give the DAG "
        "schedule=CronDataIntervalTimetable('@daily', timezone='Europe/Paris'), or give the task "
        f"{date_column}_since and {date_column}_until"
    )


def _interval(context: Context) -> tuple[pendulum.DateTime, pendulum.DateTime] | None:
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        return None
    bounds = (_whole_seconds(pendulum.instance(start)), _whole_seconds(pendulum.instance(end)))
    return bounds if bounds[0] < bounds[1] else None


def _partition(key: str, timezone: Any) -> tuple[pendulum.DateTime, pendulum.DateTime]:
    if _PARTITION.fullmatch(key):
        with suppress(ValueError):
            year, *rest = map(int, re.split("[-T]", key))
            start = pendulum.naive(year, *rest, *(1, 1, 0)[len(rest) :])
            return _local(start, timezone), _local(start.add(**{_PERIODS[len(rest)]: 1}), timezone)
    raise DSConfigurationError(
        f"the run's partition key {key!r} names no period: give the timetable a key_format that makes one of "
        "YYYY-MM-DDTHH, YYYY-MM-DD, YYYY-MM, YYYY, or give the task explicit bounds"
    )


def _local(wall_clock: pendulum.DateTime, timezone: Any) -> pendulum.DateTime:
    """Return the first instant at which clocks there show that time: an hour that comes twice is one period."""
    zone = pendulum.timezone(timezone) if isinstance(timezone, str) else timezone
    clock = (wall_clock.year, wall_clock.month, wall_clock.day, wall_clock.hour)
    return pendulum.instance(datetime(*clock, tzinfo=zone).astimezone(pendulum.UTC))


def _timezone_of(context: Context) -> Any:
    """Return the time zone of the DAG's timetable, in which the key was written; without one, the service's own."""
    timetable = getattr(context.get("dag"), "timetable", None)
    return getattr(timetable, "timezone", None) or PARIS


def _whole_seconds(instant: pendulum.DateTime) -> pendulum.DateTime:
    """Cut an instant to the second, as rows show it. Intervals that share a bound keep sharing it."""
    return instant.in_timezone("UTC").replace(microsecond=0)
