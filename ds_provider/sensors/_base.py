"""Base of the sensors: polls in this process, in the next one, or by a trigger with the same watch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowSkipException

from ds_provider.api.polling.watch import Finding, poll
from ds_provider.api.query.parameters import parse_conn_id, parse_groupes
from ds_provider.api.transport.flows import Flow
from ds_provider.exceptions import DSError, DSTransientError
from ds_provider.hooks.ds import DSHook
from ds_provider.parameter_checks import Check, CheckedOperator, naming_the_line
from ds_provider.retry_policy import fail_fast
from ds_provider.state.seen import TaskFailedPolls
from ds_provider.triggers import events, polling
from ds_provider.triggers.dossiers import parse_min_count

T = TypeVar("T")

Value = dict[str, Any]


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

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once.

        :raises DSError: an error that lasts, at once; one that passes by itself, after ten polls in a row.
        """
        self._check_rendered()
        failures = TaskFailedPolls(context)
        try:
            watch = self._trigger(context).watch
            outcome = self._result(poll({self.task_id: watch}))[self.task_id].outcome
            if isinstance(outcome, DSError):
                raise outcome
        except DSTransientError as error:
            if failures.record(error, self.log):
                raise
            return PokeReturnValue(False)
        failures.reset()
        return PokeReturnValue(True, self._report(context, outcome)) if outcome else PokeReturnValue(False)

    @fail_fast
    def execute(self, context: Context) -> Any:
        """Wait, and return the value for XCom."""
        if not self.deferrable:
            return super().execute(context)
        with self._skipping_if_never_fail():
            while not (poked := self.poke(context)):
                self._defer(context)
        return poked.xcom_value

    # around execute_complete alone, soft_fail would make a skip of an error that only a person can mend
    @fail_fast
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral."""
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

    def _result(self, flow: Flow[T]) -> T:
        with DSHook(self.ds_conn_id).client() as client:
            return client.result(flow)

    def _groups(self) -> list[int]:
        return parse_groupes(self.groupe_instructeur_number)[0]

    def _checked_min_count(self) -> int:
        return parse_min_count(self.min_count, "min_count")

    def _trigger(self, context: Context) -> polling.WaitingTrigger:
        """Return the trigger that waits for the same as this sensor does."""
        raise NotImplementedError

    def _report(self, context: Context, finding: Finding) -> Value:
        """Keep what was found, so that it is not reported again, and return the value for XCom."""
        raise NotImplementedError
