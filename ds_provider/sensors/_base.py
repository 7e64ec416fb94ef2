"""Base of the sensors: polls in this process, in the next one, or by a trigger with the same watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from types import NoneType
from typing import Any, ClassVar, TypeVar

import pendulum
from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from ds_provider.api.polling.progress import NOT_READ, so_far
from ds_provider.api.polling.watch import Finding, PollResult, poll
from ds_provider.api.query.parameters import parse_conn_id, parse_groupes
from ds_provider.api.query.windows import shown
from ds_provider.api.transport.flows import Flow
from ds_provider.exceptions import DSError, DSTransientError
from ds_provider.hooks.ds import DSHook
from ds_provider.map_labels import groups_label
from ds_provider.parameter_checks import Check, CheckedOperator, naming_the_line
from ds_provider.retry_policy import fail_fast
from ds_provider.state.seen import TaskFailedPolls, TaskProgress
from ds_provider.triggers import events, polling
from ds_provider.triggers.dossiers import parse_min_count
from ds_provider.wording import counted, lasted, listed

T = TypeVar("T")

Value = dict[str, Any]


def named(groups: Collection[int]) -> str:
    """Return groups in words: "group 12", "groups 12, 13"."""
    return f"group{'s' if len(groups) > 1 else ''} {listed(groups)}"


def parse_poke_interval(value: object, parameter: str) -> float:
    """Return the seconds between two polls.

    :raises DSConfigurationError: if they are no number, or would ask the service too often.
    """
    return polling.check_poll_interval(value.total_seconds() if isinstance(value, timedelta) else value, parameter)


class GroupSensor(CheckedOperator, BaseSensorOperator):
    """Waits for something to happen in a group, or in one of several groups.

    :param groupe_instructeur_number: the group, or a list of groups of which one is enough. (templated)
    :param min_count: how many dossiers, 1000 at most. (templated)
    :param poke_interval: seconds between two polls, 30 at least.
    :param deferrable: wait in the triggerer, without a worker.
    :param ds_conn_id: the connection. (templated)
    """

    template_fields: Sequence[str] = ("groupe_instructeur_number", "min_count", "ds_conn_id")
    checks: ClassVar[Mapping[str, Check]] = {
        "groupe_instructeur_number": parse_groupes,
        "min_count": parse_min_count,
        "poke_interval": parse_poke_interval,
        "ds_conn_id": parse_conn_id,
    }
    ui_color = "#e6f1f2"
    ui_fgcolor = "#000091"
    _so_far = NOT_READ

    def __init__(
        self,
        *,
        groupe_instructeur_number: int | str | Sequence[int],
        min_count: int | str = 1,
        poke_interval: timedelta | float = polling.POLL_INTERVAL_SECONDS,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        with naming_the_line():
            seconds = parse_poke_interval(poke_interval, "poke_interval")
        super().__init__(poke_interval=seconds, **kwargs)
        self.groupe_instructeur_number = groupe_instructeur_number
        self.min_count = min_count
        self.deferrable = deferrable
        self.ds_conn_id = ds_conn_id
        self._check_given()

    @property
    def map_label(self) -> str:
        """The groups' numbers."""
        return groups_label(self.groupe_instructeur_number, {})

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once.

        :raises DSError: an error that lasts, at once; one that passes by itself, after ten polls in a row.
        """
        self._check_rendered()
        failures = TaskFailedPolls(context)
        try:
            result = self._poll(context)
            if isinstance(result.outcome, DSError):
                raise result.outcome
        except DSTransientError as error:
            self._log_progress(context, self._so_far)
            if failures.record(error, self.log):
                raise
            return PokeReturnValue(False)
        failures.reset()
        if result.outcome:
            return PokeReturnValue(True, self._report(context, result.outcome))
        self._so_far = so_far(result.counts, self._checked_min_count())
        self._log_progress(context, self._so_far)
        return PokeReturnValue(False)

    def _poll(self, context: Context) -> PollResult:
        watch = self._trigger(context).watch
        return self._result(poll({self.task_id: watch}))[self.task_id]

    def _log_progress(self, context: Context, now: str) -> None:
        """Log what is waited for, the first time, and from then on how far it is whenever that changes."""
        progress = TaskProgress(context)
        is_new = progress.is_new
        if not progress.changes_to(now):
            return
        if not is_new:
            self.log.info("%s", now)
            return
        until = pendulum.now("UTC").add(seconds=self.timeout).replace(microsecond=0)
        polls = f"polls every {lasted(self.poke_interval)} until {shown(until)}"
        self.log.info("waiting for %s: %s, %s", self._waited_for(), now, polls)

    @fail_fast
    def execute(self, context: Context) -> Any:
        """Wait, and return the value for XCom."""
        if not self.deferrable:
            with self._logging_what_is_missing(lambda: self._so_far):
                return super().execute(context)
        with self._skipping_if_never_fail():
            while not (poked := self.poke(context)):
                self._defer(context)
        return poked.xcom_value

    # around execute_complete alone, soft_fail would make a skip of an error that only a person can mend
    @fail_fast
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral."""
        with self._logging_what_is_missing(lambda: self._so_far_now(context)):
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(self, context: Context, event: Any = None) -> Value:
        """Return the value of what the trigger found.

        :raises DSError: the error with which the wait ended, or if the event is not of this provider's triggers.
        """
        with self._skipping_if_never_fail():
            return self._report(context, events.read(event))

    def _defer(self, context: Context) -> None:
        """Leave the wait to a trigger. If there is nothing yet that it could compare with, wait for that here."""
        try:
            trigger = self._trigger(context)
        except DSTransientError as error:
            self.log.warning("not ready to be deferred: %s", error)
            time.sleep(polling.with_jitter(self.poke_interval))
            return
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        seconds: float = super()._get_next_poke_interval(*args, **kwargs)
        return polling.with_jitter(max(seconds, polling.MIN_POLL_INTERVAL_SECONDS))

    @contextmanager
    def _skipping_if_never_fail(self) -> Iterator[None]:
        """Do as Airflow does for a sensor that does not defer."""
        try:
            yield
        except DSError as error:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    @contextmanager
    def _logging_what_is_missing(self, last_progress: Callable[[], str]) -> Iterator[None]:
        """Log how far the wait was if it ends by its timeout."""
        try:
            yield
        except (AirflowSensorTimeout, AirflowSkipException) as error:
            # Airflow makes a skip of a timeout if soft_fail is set, and of an error, which it names then
            if isinstance(error, AirflowSensorTimeout) or isinstance(error.__cause__, AirflowSensorTimeout | NoneType):
                self.log.warning(
                    "gave up after %s of waiting for %s: %s", lasted(self.timeout), self._waited_for(), last_progress()
                )
            raise

    def _so_far_now(self, context: Context) -> str:
        """Poll once more, since a trigger that ran out of time has left no word."""
        try:
            result = self._poll(context)
            if isinstance(result.outcome, DSError):
                raise result.outcome
            return so_far(result.counts, self._checked_min_count())
        except Exception as error:  # noqa: BLE001 - that time is over is what a person needs to know
            return f"what is there could not be read: {error}"

    def _result(self, flow: Flow[T]) -> T:
        with self._hook.client() as client:
            return client.result(flow)

    @cached_property
    def _hook(self) -> DSHook:
        """Hook of all polls of this process, so that a wrong clock is one warning."""
        return DSHook(self.ds_conn_id)

    def _groups(self) -> list[int]:
        return parse_groupes(self.groupe_instructeur_number)[0]

    def _checked_min_count(self) -> int:
        return parse_min_count(self.min_count, "min_count")

    def _log_found(self, value: Value, noun: str, detail: str) -> None:
        found = counted(value["count"], noun)
        self.log.info("found %s%s in %s", found, detail, named(value["groupes_instructeurs"]))

    def _waited_for(self) -> str:
        """Return in words what the sensor waits for, and where."""
        groups = self._groups()
        where = named(groups) if len(groups) == 1 else f"one of {counted(len(groups), 'group')} ({listed(groups)})"
        return f"{self._wanted(self._checked_min_count())} in {where}"

    def _wanted(self, min_count: int) -> str:
        """Return in words what the sensor waits for."""
        raise NotImplementedError

    def _trigger(self, context: Context) -> polling.WaitingTrigger:
        """Return the trigger that waits for the same as this sensor does."""
        raise NotImplementedError

    def _report(self, context: Context, finding: Finding) -> Value:
        """Keep what was found, so that it is not reported again, and return the value for XCom."""
        raise NotImplementedError
