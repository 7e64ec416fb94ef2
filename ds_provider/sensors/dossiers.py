"""Tasks that wait for a group's dossiers or deletions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowSkipException

from ds_provider.api.polling.seen import RowVersion, SeenRows, moment
from ds_provider.api.polling.watch import (
    DELETIONS_REACH_SECONDS,
    MAX_NUMBERS,
    Finding,
    WatchedStream,
    baseline,
    most_severe,
    poll,
)
from ds_provider.api.query.parameters import is_absent, parse_groupes, parse_number, select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import Column, Window, parse_instant
from ds_provider.exceptions import DSConfigurationError, DSError, DSTransientError
from ds_provider.hooks.ds import DSHook
from ds_provider.state.seen import FailuresInARow, Told
from ds_provider.triggers import _events as events
from ds_provider.triggers._poll import (
    MIN_POLL_INTERVAL_SECONDS,
    POLL_INTERVAL_SECONDS,
    check_poll_interval,
    with_jitter,
)
from ds_provider.triggers.dossiers import DSDeletedDossierTrigger, DSDossierTrigger

WATERMARK = "watermark"

Value = dict[str, Any]


class _GroupeSensor(BaseSensorOperator):
    """Looks, and looks again: in this process, in the next one, or by a trigger, which watches for the same."""

    ui_color = "#e6f1f2"
    ui_fgcolor = "#000091"

    groupe_instructeur_number: Any
    min_count: Any
    deferrable: bool
    ds_conn_id: str

    def __init__(self, *, poke_interval: timedelta | float = POLL_INTERVAL_SECONDS, **kwargs: Any) -> None:
        seconds = poke_interval.total_seconds() if isinstance(poke_interval, timedelta) else poke_interval
        super().__init__(poke_interval=check_poll_interval(seconds, "poke_interval"), **kwargs)

    def poke(self, context: Context) -> PokeReturnValue:
        """One look.

        :raises DSError: what lasts, at once; what passes by itself, once it happened often in a row.
        """
        failures = FailuresInARow(context)
        try:
            watch = self._trigger(context).watch
            with DSHook(self.ds_conn_id).client() as client:
                outcome = client.result(poll({self.task_id: watch}))[self.task_id].outcome
            if isinstance(outcome, DSError):
                raise outcome
        except DSTransientError as error:
            if failures.is_enough(error, self.log):
                raise
            return PokeReturnValue(False)
        failures.went_well()
        return PokeReturnValue(True, self._tell(context, outcome)) if outcome else PokeReturnValue(False)

    def execute(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        with self._heeding_never_fail():
            while not (poked := self.poke(context)):
                self._defer(context)
        return poked.xcom_value

    def execute_complete(self, context: Context, event: Any = None) -> Value:
        """Give what the trigger found.

        :raises DSError: with which the wait ended, or if the event is not one of this provider's triggers.
        """
        with self._heeding_never_fail():
            return self._tell(context, events.read(event))

    def _defer(self, context: Context) -> None:
        """Leave the wait to a trigger. Without anything that it could compare with, first wait for that here."""
        try:
            trigger = self._trigger(context)
        except DSTransientError as error:
            self.log.warning("not ready to be deferred: %s", error)
            time.sleep(with_jitter(self.poke_interval))
            return
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        seconds: float = super()._get_next_poke_interval(*args, **kwargs)
        return with_jitter(max(seconds, MIN_POLL_INTERVAL_SECONDS))

    @contextmanager
    def _heeding_never_fail(self) -> Iterator[None]:
        """As Airflow does where a sensor does not defer."""
        try:
            yield
        except DSError as error:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def _groupes(self) -> list[int]:
        return parse_groupes(self.groupe_instructeur_number)[0]

    def _enough(self) -> int:
        return parse_number(self.min_count, "min_count", MAX_NUMBERS)

    def _trigger(self, context: Context) -> DSDossierTrigger | DSDeletedDossierTrigger:
        raise NotImplementedError

    def _tell(self, context: Context, finding: Finding) -> Value:
        raise NotImplementedError


class DSDossierSensor(_GroupeSensor):
    """Waits until a group holds so many dossiers, or one of several groups does.

    With neither ``created_since`` nor ``updated_since`` all dossiers of the group count, for instance those that have
    reached a state. ``"watermark"`` in the place of either one means: since this sensor's last success, kept in the
    task's one asset outlet, the first time since ever. What is told once is not told again, but a dossier that changed
    again is. The watermark looks back five minutes behind the newest that was told of a group: a change that the
    service commits later than that is not told. A task that is tried again, or cleared, starts from where it first
    started.

    The XCom value: ``groupes_instructeurs``, the groups that have enough; ``numbers`` of their dossiers, at most the
    newest thousand; their ``count``; ``more``, whether there are more than were counted: of each group, the newest
    thousand or a few more are; ``newest_created`` and ``newest_updated``, ISO 8601. With the watermark, what is not
    named, or not counted, is not told again.

    It is the same with ``mode="poke"``, ``mode="reschedule"`` and ``deferrable=True``. All deferred sensors of a
    connection with the same ``poke_interval`` share their requests, a hundred groups in each.

    :param groupe_instructeur_number: the group, or a list of groups, of which one is enough. (templated)
    :param min_count: how many dossiers, 1000 at most. (templated)
    :param state: only dossiers in that state: ``en_construction``, ``en_instruction``, ``accepte``, ``refuse``,
        ``sans_suite``. (templated)
    :param created_since: only dossiers deposited then or later, ISO 8601 with a time zone, or ``"watermark"``. One
        that renders to nothing is an error. (templated)
    :param updated_since: only dossiers that changed then or later, likewise. (templated)
    :param poke_interval: seconds between two looks, 30 at least.
    :param deferrable: wait in the triggerer, without a worker.
    :param ds_conn_id: the connection. (templated)
    :raises DSConfigurationError: before any request, naming the parameter that cannot work.
    :raises DSAccessError: as soon as the service refuses the token or a group.
    :raises DSTransientError: once looks failed ten times in a row.
    """

    template_fields: Sequence[str] = (
        "groupe_instructeur_number",
        "min_count",
        "state",
        "created_since",
        "updated_since",
        "ds_conn_id",
    )

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        min_count: int | str = 1,
        state: str | None = None,
        created_since: Any = None,
        updated_since: Any = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.min_count = min_count
        self.state = state
        self.created_since = created_since
        self.updated_since = updated_since
        # what renders to nothing looks like what was never given
        self._bounded = {"created": created_since is not None, "updated": updated_since is not None}
        self.deferrable = deferrable
        self.ds_conn_id = ds_conn_id

    def _trigger(self, context: Context) -> DSDossierTrigger:
        column, since = self._since()
        memories: dict[str, Any] = {}
        if column and since is None:
            told = self._told(context)
            starts = {groupe: told.start(self._selection(groupe, column)) for groupe in self._groupes()}
            memories = {str(groupe): memory.to_json() for groupe, memory in starts.items() if memory}
        return DSDossierTrigger(
            groupes=self._groupes(),
            min_count=self._enough(),
            column=column,
            since=since.isoformat() if since else None,
            state=None if is_absent(self.state) else self.state,
            memories=memories,
            poll_interval=self.poke_interval,
            ds_conn_id=self.ds_conn_id,
        )

    def _tell(self, context: Context, finding: Finding) -> Value:
        column, since = self._since()
        marks = {groupe: finding.marks(groupe, DOSSIERS.name) for groupe in finding.groupes}
        if column and since is None:
            told = self._told(context)
            for groupe, fresh in marks.items():
                told.tell(self._selection(groupe, column), fresh, finding.looked_at)
        value = {
            **_counted(marks),
            "more": finding.more,
            "newest_created": _newest(finding, "created"),
            "newest_updated": _newest(finding, "updated"),
        }
        self.log.info("%d dossiers in groupes instructeurs %s", value["count"], value["groupes_instructeurs"])
        return value

    def _since(self) -> tuple[Column | None, pendulum.DateTime | None]:
        """The date that counts and from when on; a date without a moment means the watermark."""
        given: dict[Column, Any] = {"created": self.created_since, "updated": self.updated_since}
        bounds = {column: value for column, value in given.items() if self._bounded[column] or value is not None}
        for column, value in bounds.items():
            if is_absent(value):
                raise DSConfigurationError(
                    f"{column}_since was given and renders to nothing ({value!r}), which would be no bound at all: "
                    "leave it out, or give a default in the template"
                )
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

    def _selection(self, groupe: int, column: Column) -> Selection:
        return select_dossiers(groupe, state=self.state, window=Window(column))

    def _told(self, context: Context) -> Told:
        told = Told(context, self.outlets)
        if not told.is_kept:
            raise DSConfigurationError(
                f"{WATERMARK!r} keeps what was told in the task's asset, and this task has none: give it one outlet, "
                "or a moment in the place of the watermark"
            )
        return told


class DSDeletedDossierSensor(_GroupeSensor):
    """Waits until a group shows so many deletions that were not known, or one of several groups does.

    Pending deletions and definitive ones both count, a dossier once; one that was told as pending is told again when
    its deletion is definitive. The service dates a deletion back by 14 days or more, so what is new is told by the
    number: all deletions dated within 60 days before the last success are looked at, whatever their date.

    With an asset among the task's outlets, what was told is kept there, and the first success tells all deletions that
    the service still shows. Without one, what is there at the task's first look is known, and only what comes later is
    told.

    The XCom value: ``groupes_instructeurs``; ``numbers``, at most the newest thousand; ``count`` of all, those too that
    are not named, which are not told again; ``pending`` and ``deleted``, how many of each; ``newest_deleted``, ISO
    8601.

    :param groupe_instructeur_number: the group, or a list of groups, of which one is enough. (templated)
    :param min_count: how many dossiers, 1000 at most. (templated)
    :param poke_interval: seconds between two looks, 30 at least.
    :param deferrable: wait in the triggerer, without a worker.
    :param ds_conn_id: the connection. (templated)
    :raises DSError: as :class:`DSDossierSensor` does.
    """

    template_fields: Sequence[str] = ("groupe_instructeur_number", "min_count", "ds_conn_id")

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        min_count: int | str = 1,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.min_count = min_count
        self.deferrable = deferrable
        self.ds_conn_id = ds_conn_id

    def _trigger(self, context: Context) -> DSDeletedDossierTrigger:
        told, min_count = Told(context, self.outlets), self._enough()
        lists = [one for groupe in self._groupes() for one in _lists(groupe)]
        known = {one: memory for one in lists if (memory := told.start(one)) is not None}
        if unknown := [one for one in lists if one not in known]:
            known |= {one: told.begin(one, memory) for one, memory in self._baseline(unknown).items()}
        memories: dict[str, dict[str, Any]] = {}
        for one, memory in known.items():
            memories.setdefault(str(one.groupe_instructeur_number), {})[one.stream.name] = memory.to_json()
        return DSDeletedDossierTrigger(
            memories=memories, min_count=min_count, poll_interval=self.poke_interval, ds_conn_id=self.ds_conn_id
        )

    def _baseline(self, unknown: Sequence[Selection]) -> dict[Selection, SeenRows]:
        reach = SeenRows(int(pendulum.now("UTC").timestamp()) - DELETIONS_REACH_SECONDS)
        with DSHook(self.ds_conn_id).client() as client:
            told = client.result(baseline({one: WatchedStream.remembered(one, "deleted", reach) for one in unknown}))
        if error := most_severe(memory for memory in told.values() if isinstance(memory, DSError)):
            raise error
        return {one: memory for one, memory in told.items() if isinstance(memory, SeenRows)}

    def _tell(self, context: Context, finding: Finding) -> Value:
        told = Told(context, self.outlets)
        lists = [one for groupe in finding.groupes for one in _lists(groupe)]
        marks = {one: finding.marks(one.groupe_instructeur_number, one.stream.name) for one in lists}
        for one, fresh in marks.items():
            told.tell(one, fresh, finding.looked_at)
        by_groupe: dict[int, list[RowVersion]] = {groupe: [] for groupe in finding.groupes}
        stages = dict.fromkeys((PENDING_DELETED_DOSSIERS, DELETED_DOSSIERS), 0)
        for one, fresh in marks.items():
            by_groupe[one.groupe_instructeur_number] += fresh
            stages[one.stream] += len({number for number, _ in fresh})
        value = {
            **_counted(by_groupe),
            "pending": stages[PENDING_DELETED_DOSSIERS],
            "deleted": stages[DELETED_DOSSIERS],
            "newest_deleted": _newest(finding, "deleted"),
        }
        self.log.info("%d deletions in groupes instructeurs %s", value["count"], value["groupes_instructeurs"])
        return value


def _lists(groupe: int) -> tuple[Selection, Selection]:
    return Selection(PENDING_DELETED_DOSSIERS, groupe), Selection(DELETED_DOSSIERS, groupe)


def _counted(marks: dict[int, list[RowVersion]]) -> Value:
    """The groups, and their dossiers from the oldest to the newest."""
    every = sorted((date, number) for fresh in marks.values() for number, date in fresh)
    numbers = list(dict.fromkeys(number for _, number in reversed(every)))
    return {
        "groupes_instructeurs": sorted(marks),
        "numbers": numbers[:MAX_NUMBERS][::-1],
        "count": len(numbers),
    }


def _newest(finding: Finding, column: Column) -> str | None:
    return moment(finding.newest[column]).isoformat() if column in finding.newest else None
