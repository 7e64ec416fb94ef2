"""The window of a run: its partition, its data interval, or what its asset remembers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import pendulum
from airflow.sdk import Asset, Context

from ds_provider.api.query.selection import Selection
from ds_provider.api.query.windows import BEGINNING, Window, parse_instant
from ds_provider.exceptions import DSConfigurationError
from ds_provider.landing.layout import digest

RunColumn = Literal["created", "updated"]

PARIS = "Europe/Paris"

_PERIODS = {
    re.compile(r"\d{4}-\d\d-\d\dT\d\d"): ("YYYY-MM-DDTHH", pendulum.duration(hours=1)),
    re.compile(r"\d{4}-\d\d-\d\d"): ("YYYY-MM-DD", pendulum.duration(days=1)),
    re.compile(r"\d{4}-\d\d"): ("YYYY-MM", pendulum.duration(months=1)),
    re.compile(r"\d{4}"): ("YYYY", pendulum.duration(years=1)),
}


class Watermark:
    """How far a group was read, remembered by the task's asset across all runs.

    :param store: the asset's state store.
    :param key: names the group and the column: one asset may serve many groups.
    """

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self.key = key

    def get(self) -> pendulum.DateTime | None:
        return parse_instant(self._store.get(self.key), f"the watermark {self.key}")

    def advance(self, instant: pendulum.DateTime) -> None:
        """Move forward: a run that was late must not undo what a later one reached."""
        known = self.get()
        if known is None or instant > known:
            self._store.set(self.key, instant.isoformat())


def watermark_of(context: Context, outlets: Sequence[Any], selection: Selection, column: RunColumn) -> Watermark | None:
    """The watermark in the task's one asset for such a selection; none where the task has no asset.

    :raises DSConfigurationError: if it has several, since nothing says which.
    """
    assets = [outlet for outlet in outlets if isinstance(outlet, Asset)]
    if not assets:
        return None
    if len(assets) > 1:
        names = ", ".join(asset.name for asset in assets)
        raise DSConfigurationError(
            f"window={column!r} keeps its watermark in the task's asset, and this task has several ({names}): "
            "give one outlet, or explicit bounds"
        )
    key = f"ds-{column}-until-{selection.groupe_instructeur_number}"
    # what was read of some rows says nothing of the others
    if filters := selection.row_filters():
        key += f"-{digest(filters)[:8]}"
    return Watermark(context["asset_state_store"][assets[0]], key)


def run_window(column: RunColumn, context: Context, lookback: timedelta) -> Window | None:
    """The window of the run's partition or of its data interval; none where the run has neither.

    :param lookback: see :class:`~ds_provider.api.query.windows.Window`.
    :raises DSConfigurationError: if the partition's key is no period.
    """
    key = context.get("partition_key")
    bounds = _partition(str(key), _timezone_of(context)) if key else _interval(context)
    return Window(column, *bounds, lookback) if bounds else None


def check_is_over(window: Window) -> None:
    """A run's own window is over when the run is due: what is still to come into it would be lost.

    :raises DSConfigurationError: if it is not.
    """
    if window.end and window.end > pendulum.now("UTC"):
        raise DSConfigurationError(
            f"the run's window {window} is not over: give a CronPartitionTimetable run_offset=-1, so that a run is for "
            "the period before it, or give the task explicit bounds"
        )


def remembered_window(column: RunColumn, context: Context, watermark: Watermark, lookback: timedelta) -> Window:
    """From where the last reading ended to the moment at which this run was due.

    A task that runs again, after a failure or cleared, reads the same window again, wherever the watermark is by then.
    """
    store = context["task_state_store"]
    if not isinstance(bounds := store.get(watermark.key), list):
        bounds = [instant.isoformat() for instant in _next_bounds(context, watermark)]
        store.set(watermark.key, bounds)
    start, end = (parse_instant(bound, "the window kept for this task") for bound in bounds)
    return Window(column, start, end, timedelta(0) if start == BEGINNING else lookback)


def _next_bounds(context: Context, watermark: Watermark) -> tuple[pendulum.DateTime, pendulum.DateTime]:
    end = _whole_seconds(pendulum.instance(context["dag_run"].run_after))
    known = watermark.get()
    # a run that is made up for later may be due before what was already reached: then only the lookback is read
    return (BEGINNING if known is None else min(_whole_seconds(known), end.subtract(seconds=1))), end


def no_window(column: RunColumn) -> DSConfigurationError:
    """What to say where a run has no window of its own."""
    return DSConfigurationError(
        f"window={column!r} needs a run with a partition or a data interval that is not empty, or an asset among the "
        "task's outlets to remember how far it read; a plain cron schedule has none in Airflow 3: give the DAG "
        "schedule=CronDataIntervalTimetable('@daily', timezone='Europe/Paris'), or give the task "
        f"{column}_since and {column}_until"
    )


def _interval(context: Context) -> tuple[pendulum.DateTime, pendulum.DateTime] | None:
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        return None
    bounds = (_whole_seconds(pendulum.instance(start)), _whole_seconds(pendulum.instance(end)))
    return bounds if bounds[0] < bounds[1] else None


def _partition(key: str, timezone: Any) -> tuple[pendulum.DateTime, pendulum.DateTime]:
    for pattern, (_, period) in _PERIODS.items():
        if pattern.fullmatch(key):
            with suppress(ValueError):
                year, *rest = (int(part) for part in re.split("[-T]", key))
                start = pendulum.naive(year, *rest, *(1, 1, 0)[len(rest) :])
                return _local(start, timezone), _local(start + period, timezone)
    shapes = ", ".join(shape for shape, _ in _PERIODS.values())
    raise DSConfigurationError(
        f"the run's partition key {key!r} names no period: give the timetable a key_format that makes one of {shapes}, "
        "or give the task explicit bounds"
    )


def _local(wall_clock: pendulum.DateTime, timezone: Any) -> pendulum.DateTime:
    """The first instant at which clocks there show that time: an hour that comes twice is one period."""
    zone = pendulum.timezone(timezone) if isinstance(timezone, str) else timezone
    clock = (wall_clock.year, wall_clock.month, wall_clock.day, wall_clock.hour)
    return pendulum.instance(datetime(*clock, tzinfo=zone).astimezone(pendulum.UTC))


def _timezone_of(context: Context) -> Any:
    """That of the DAG's timetable, in which the key was written; the service's own where there is none."""
    timetable = getattr(context.get("dag"), "timetable", None)
    return getattr(timetable, "timezone", None) or PARIS


def _whole_seconds(instant: pendulum.DateTime) -> pendulum.DateTime:
    """Intervals that share a bound keep sharing it, and rows show whole seconds."""
    return instant.in_timezone("UTC").replace(microsecond=0)
