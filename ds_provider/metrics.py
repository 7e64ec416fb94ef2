"""Metrics, sent by Airflow's own statistics: to StatsD, Datadog or OpenTelemetry, as its section ``[metrics]`` says.

``METRICS`` is the whole list; ``docs/how_to/monitoring.md`` shows it. Counts are sent when a client is closed, and when
a task has landed, loaded or checked something. Nothing is sent for each row or page.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ds_provider.api.transport.usage import Usage
    from ds_provider.sync.progress import Totals
    from ds_provider.warehouse.coverage import Coverage
    from ds_provider.warehouse.load.report import LoadReport

log = logging.getLogger(__name__)

Kind = Literal["counter", "gauge", "timer"]


@dataclass(frozen=True)
class Metric:
    """Metric of the list.

    :param tags: the names of its tags.
    :param meaning: in words, with the unit.
    """

    name: str
    kind: Kind
    tags: tuple[str, ...]
    meaning: str

    def send(self, value: float, *tags: object) -> None:
        """Send a value: an addition to a counter, seconds of a timer. A failure is a warning, and no error of a task.

        :param tags: the values of the tags, in their order.
        """
        try:
            # Airflow imports it in each task; elsewhere it is imported only now
            from airflow.sdk.observability import stats

            tagged = dict(zip(self.tags, map(str, tags), strict=True))
            if self.kind == "counter":
                stats.incr(self.name, int(value), tags=tagged)
            elif self.kind == "gauge":
                stats.gauge(self.name, value, tags=tagged)
            else:
                stats.timing(self.name, timedelta(seconds=value), tags=tagged)
        except Exception as error:  # noqa: BLE001 - every backend has errors of its own
            log.warning("the metric %s is not sent: %s: %s", self.name, type(error).__name__, error)


REQUESTS = Metric("ds.requests", "counter", ("connection",), "requests sent to the service")
REFUSALS = Metric("ds.refusals", "counter", ("connection",), "requests that the service refused with HTTP 429")
BUDGET_WAIT = Metric(
    "ds.budget_wait",
    "timer",
    ("connection",),
    "time that a client waited for the token's budget of requests; that of parallel requests adds up",
)
ROWS = Metric("ds.rows", "counter", ("group", "stream"), "rows landed: dossiers, or deletions")
QUARANTINED = Metric(
    "ds.quarantined", "counter", ("group", "stream"), "dossiers that the service lists and could not give"
)
DOSSIERS_LOADED = Metric(
    "ds.dossiers_loaded",
    "counter",
    ("change", "dataset"),
    "dossiers loaded into the tables, by what they are there: `new`, `updated` or `unchanged`",
)
DOSSIERS_ERASED = Metric(
    "ds.dossiers_erased", "counter", ("dataset",), "dossiers of which a load removed all rows from the tables"
)
LOAD_DURATION = Metric("ds.load_duration", "timer", ("dataset",), "duration of a load")
COVERED_UNTIL = Metric(
    "ds.covered_until",
    "gauge",
    ("group", "dataset"),
    "instant up to which everything that happened in the group is loaded, in seconds since 1970",
)
COVERAGE_LAG = Metric(
    "ds.coverage_lag",
    "gauge",
    ("group", "dataset"),
    "seconds from that instant to the moment of the load or of the check",
)
MAX_COVERAGE_LAG = Metric(
    "ds.max_coverage_lag", "gauge", ("dataset",), "the largest of these lags, by the last check of the freshness"
)
UNREAD_DOSSIERS = Metric(
    "ds.unread_dossiers",
    "gauge",
    ("group", "dataset"),
    "dossiers that the service lists, could not give, and has not given since, by the last check of the freshness",
)

METRICS = (
    REQUESTS,
    REFUSALS,
    BUDGET_WAIT,
    ROWS,
    QUARANTINED,
    DOSSIERS_LOADED,
    DOSSIERS_ERASED,
    LOAD_DURATION,
    COVERED_UNTIL,
    COVERAGE_LAG,
    MAX_COVERAGE_LAG,
    UNREAD_DOSSIERS,
)


def send_usage(usage: Usage, connection: str) -> None:
    """Send what a client asked of the service.

    :param connection: the id of the Airflow connection.
    """
    REQUESTS.send(usage.requests, connection)
    # zero too: an alarm sees a counter grow only if it was there before
    REFUSALS.send(usage.refusals, connection)
    BUDGET_WAIT.send(usage.budget_wait, connection)


def send_landed(totals: Totals) -> None:
    """Send what a task landed."""
    for (group, stream), rows in totals.rows.items():
        ROWS.send(rows, group, stream.name)
        QUARANTINED.send(totals.quarantined[group, stream], group, stream.name)


def send_loaded(report: LoadReport, dataset: str) -> None:
    """Send what a load changed."""
    for change, dossiers in report.changes.items():
        DOSSIERS_LOADED.send(dossiers, change, dataset)
    DOSSIERS_ERASED.send(report.erased, dataset)


def send_coverage(groups: Mapping[int, Coverage], now: datetime, dataset: str) -> None:
    """Send up to when groups are loaded. A group of which no time is covered sends nothing.

    :param now: the service's time.
    """
    for number, group in groups.items():
        if group.covered_until:
            COVERED_UNTIL.send(round(group.covered_until.timestamp()), number, dataset)
            COVERAGE_LAG.send(_lag(group.covered_until, now), number, dataset)


def send_freshness(
    groups: Mapping[int, Coverage], expected: Iterable[int], unread: Mapping[int, Any], now: datetime, dataset: str
) -> None:
    """Send what a check of the freshness found.

    :param expected: the groups that must be fresh: the greatest lag is of these.
    :param unread: by group, the dossiers that could not be read.
    :param now: the service's time.
    """
    send_coverage(groups, now, dataset)
    for number in groups:
        UNREAD_DOSSIERS.send(len(unread.get(number, ())), number, dataset)
    checked = (groups[number] for number in expected if number in groups)
    ends = [group.end for group in checked]
    if ends:
        MAX_COVERAGE_LAG.send(_lag(min(ends), now), dataset)


def _lag(end: datetime, now: datetime) -> int:
    # StatsD takes a negative value for a change
    return max(0, round((now - end).total_seconds()))
