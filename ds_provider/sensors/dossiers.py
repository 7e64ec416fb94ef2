"""Sensors that wait for a group's dossiers or deletions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pendulum
from airflow.sdk import Context

from ds_provider.api.polling.seen import RowVersion, SeenRows, instant
from ds_provider.api.polling.watch import (
    DELETIONS_LOOKBACK_SECONDS,
    MAX_NUMBERS,
    Finding,
    WatchedStream,
    baseline,
    most_severe,
)
from ds_provider.api.query.parameters import parse_state, select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import DateColumn, Window, parse_instant, shown
from ds_provider.exceptions import DSConfigurationError, DSError
from ds_provider.parameter_checks import Check
from ds_provider.sensors._base import GroupSensor, Value
from ds_provider.state.seen import SensorState
from ds_provider.triggers.dossiers import DSDeletedDossierTrigger, DSDossierTrigger
from ds_provider.wording import counted

WATERMARK = "watermark"


class DSDossierSensor(GroupSensor):
    """Waits until a group, or one of several groups, holds enough dossiers.

    With neither ``created_since`` nor ``updated_since`` all dossiers of the group count, for instance those that have
    reached a state. ``"watermark"`` in the place of either one means: since this sensor's last success, kept in the
    task's one asset outlet; the first time there is no bound. A dossier is reported again only if it changed since the
    last success. The watermark looks back five minutes from the newest dossier that was reported of a group: a change
    that the service commits later than that is not reported. A task that is tried again, or cleared, starts from where
    it first started.

    It is the same with ``mode="poke"``, ``mode="reschedule"`` and ``deferrable=True``. All deferred sensors of a
    connection with the same ``poke_interval`` share their requests, a hundred groups in each.

    :param groupe_instructeur_number: the group, or a list of groups of which one is enough. (templated)
    :param min_count: how many dossiers, 1000 at most. (templated)
    :param state: only dossiers in that state: ``en_construction``, ``en_instruction``, ``accepte``, ``refuse``,
        ``sans_suite``. (templated)
    :param created_since: only dossiers deposited then or later, ISO 8601 with a time zone, or ``"watermark"``. A bound
        that renders to nothing is an error. (templated)
    :param updated_since: only dossiers that changed then or later, in the same form. (templated)
    :param poke_interval: seconds between two polls, 30 at least.
    :param deferrable: wait in the triggerer, without a worker.
    :param ds_conn_id: the connection. (templated)
    :returns: ``groupes_instructeurs``, the groups that have enough; ``numbers`` of their dossiers, at most the newest
        thousand; their ``count``; ``more``, true if there are more than were counted: of each group, the newest
        thousand or a few more are; ``newest_created`` and ``newest_updated``, ISO 8601. With the watermark, a dossier
        that is not named, or not counted, is not reported later.
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSAccessError: as soon as the service refuses the token or a group.
    :raises DSTransientError: after polls failed ten times in a row.
    """

    template_fields: Sequence[str] = (*GroupSensor.template_fields, "state", "created_since", "updated_since")
    checks: ClassVar[Mapping[str, Check]] = {**GroupSensor.checks, "state": parse_state}
    together = ("created_since", "updated_since")

    def __init__(
        self, *, state: str | None = None, created_since: Any = None, updated_since: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.state = state
        self.created_since = created_since
        self.updated_since = updated_since
        self._check_given()

    def _trigger(self, context: Context) -> DSDossierTrigger:
        date_column, since = self._check_together()
        seen: dict[str, Any] = {}
        if date_column and since is None:
            state = self._seen(context)
            starts = {group: state.load(self._selection(group, date_column)) for group in self._groups()}
            seen = {str(group): start.to_json() for group, start in starts.items() if start}
        return DSDossierTrigger(
            groupe_instructeur_number=self._groups(),
            min_count=self._checked_min_count(),
            on=date_column,
            since=since.isoformat() if since else None,
            state=self.state,
            seen=seen,
            poll_interval=self.poke_interval,
            ds_conn_id=self.ds_conn_id,
            so_far=self._so_far,
        )

    def _wanted(self, min_count: int) -> str:
        date_column, since = self._check_together()
        dossiers = counted(min_count, "dossier") + (f" {self.state}" if self.state else "")
        if date_column is None:
            return dossiers
        return f"{dossiers} {date_column} since {shown(since) if since else 'they were last reported'}"

    def _report(self, context: Context, finding: Finding) -> Value:
        date_column, since = self._check_together()
        versions = {group: finding.versions(group, DOSSIERS.name) for group in finding.groups}
        if date_column and since is None:
            state = self._seen(context)
            for group, new in versions.items():
                state.add(self._selection(group, date_column), new, finding.polled_at)
        value = {
            **_counted(versions),
            "more": finding.more,
            "newest_created": _newest(finding, "created"),
            "newest_updated": _newest(finding, "updated"),
        }
        self._log_found(value, "dossier", " or more" if finding.more else "")
        return value

    def _check_together(self) -> tuple[DateColumn | None, pendulum.DateTime | None]:
        """Return the date column that counts, and from when on; a column without an instant means the watermark."""
        given: dict[DateColumn, Any] = {"created": self.created_since, "updated": self.updated_since}
        bounds = {column: value for column, value in given.items() if value is not None}
        if len(bounds) > 1:
            raise DSConfigurationError(
                "created_since cannot be combined with updated_since, since the service ignores the first then: "
                "give one of them"
            )
        for column, value in bounds.items():
            if isinstance(value, str) and value.strip() == WATERMARK:
                return column, None
            return column, parse_instant(value, f"{column}_since")
        return None, None

    def _selection(self, group: int, date_column: DateColumn) -> Selection:
        return select_dossiers(group, state=self.state, window=Window(date_column))

    def _seen(self, context: Context) -> SensorState:
        state = SensorState(context, self.outlets)
        if not state.has_asset:
            raise DSConfigurationError(
                f"{WATERMARK!r} keeps the reported dossiers in the task's asset, and this task has none: give it one "
                "outlet, or an instant in the place of the watermark"
            )
        return state


class DSDeletedDossierSensor(GroupSensor):
    """Waits until a group, or one of several groups, shows enough new deletions.

    Pending deletions and definitive ones both count, a dossier once. A deletion that was reported as pending is
    reported again when it is definitive. The service dates a deletion back by 14 days or more, so new deletions are
    known by their number: all deletions dated within 60 days before the last success are read, whatever their date.

    With an asset among the task's outlets, the reported deletions are kept there, and the first success reports all
    deletions that the service still shows. Without one, what is there at the task's first poll is not new, and only
    what comes later is reported.

    :param groupe_instructeur_number: the group, or a list of groups of which one is enough. (templated)
    :param min_count: how many dossiers, 1000 at most. (templated)
    :param poke_interval: seconds between two polls, 30 at least.
    :param deferrable: wait in the triggerer, without a worker.
    :param ds_conn_id: the connection. (templated)
    :returns: ``groupes_instructeurs``; ``numbers``, at most the newest thousand; ``count`` of all, also of those that
        are not named, which are not reported later; ``pending`` and ``deleted``, how many of each; ``newest_deleted``,
        ISO 8601.
    :raises DSError: as :class:`DSDossierSensor` does.
    """

    def _trigger(self, context: Context) -> DSDeletedDossierTrigger:
        state, min_count = SensorState(context, self.outlets), self._checked_min_count()
        selections = [selection for group in self._groups() for selection in _selections(group)]
        starts = {selection: start for selection in selections if (start := state.load(selection)) is not None}
        if unknown := [selection for selection in selections if selection not in starts]:
            starts |= {selection: state.start(selection, start) for selection, start in self._baseline(unknown).items()}
        seen = {
            str(group): {selection.stream.name: starts[selection].to_json() for selection in _selections(group)}
            for group in self._groups()
        }
        return DSDeletedDossierTrigger(
            seen=seen,
            min_count=min_count,
            poll_interval=self.poke_interval,
            ds_conn_id=self.ds_conn_id,
            so_far=self._so_far,
        )

    def _wanted(self, min_count: int) -> str:
        return counted(min_count, "new deletion")

    def _baseline(self, selections: Sequence[Selection]) -> dict[Selection, SeenRows]:
        reach = SeenRows(int(pendulum.now("UTC").timestamp()) - DELETIONS_LOOKBACK_SECONDS)
        results = self._result(baseline({one: WatchedStream.unseen(one, "deleted", reach) for one in selections}))
        if error := most_severe(result for result in results.values() if isinstance(result, DSError)):
            raise error
        return {selection: result for selection, result in results.items() if isinstance(result, SeenRows)}

    def _report(self, context: Context, finding: Finding) -> Value:
        state = SensorState(context, self.outlets)
        by_group: dict[int, list[RowVersion]] = {group: [] for group in finding.groups}
        stages = dict.fromkeys((PENDING_DELETED_DOSSIERS, DELETED_DOSSIERS), 0)
        for selection in (selection for group in finding.groups for selection in _selections(group)):
            group, stream = selection.groupe_instructeur_number, selection.stream
            new = finding.versions(group, stream.name)
            state.add(selection, new, finding.polled_at)
            by_group[group] += new
            stages[stream] += len({number for number, _ in new})
        value = {
            **_counted(by_group),
            "pending": stages[PENDING_DELETED_DOSSIERS],
            "deleted": stages[DELETED_DOSSIERS],
            "newest_deleted": _newest(finding, "deleted"),
        }
        self._log_found(value, "new deletion", f" ({value['pending']} pending, {value['deleted']} definitive)")
        return value


def _selections(group: int) -> tuple[Selection, Selection]:
    return Selection(PENDING_DELETED_DOSSIERS, group), Selection(DELETED_DOSSIERS, group)


def _counted(versions: dict[int, list[RowVersion]]) -> Value:
    """Return the groups, and their dossiers from the oldest to the newest."""
    in_order = sorted((date, number) for rows in versions.values() for number, date in rows)
    numbers = list(dict.fromkeys(number for _, number in reversed(in_order)))
    return {
        "groupes_instructeurs": sorted(versions),
        "numbers": numbers[:MAX_NUMBERS][::-1],
        "count": len(numbers),
    }


def _newest(finding: Finding, date_column: DateColumn) -> str | None:
    return instant(finding.newest[date_column]).isoformat() if date_column in finding.newest else None
