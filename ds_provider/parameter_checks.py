"""Checks of parameters, the same for operators, sensors and triggers.

What is known when the DAG is parsed is checked there, by an error that names the DAG's line. Templates, and results of
other tasks, are checked by the same functions when the task runs, before anything is asked of the service.

A parameter that is None was not given. A template that renders to nothing is not the same: the value that it was to
bring is missing, and reading without it would read something else than was meant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from types import FrameType
from typing import Any, ClassVar

import jinja2
from airflow.sdk import BaseOperator

from ds_provider.api.query.parameters import is_absent, items_of
from ds_provider.exceptions import DSConfigurationError

Check = Callable[[Any, str], object]


class CheckedOperator(BaseOperator):
    """Base of this provider's operators and sensors.

    :ivar checks: for each parameter, the function that returns its value parsed, or raises; called with the value and
        the parameter's name.
    :ivar together: the parameters that :meth:`_check_together` is about.
    """

    checks: ClassVar[Mapping[str, Check]] = {}
    together: ClassVar[tuple[str, ...]] = ()
    _given: tuple[str, ...] = ()

    def __init__(self, *, map_index_template: str | None = "{{ task.map_label }}", **kwargs: Any) -> None:
        super().__init__(map_index_template=map_index_template, **kwargs)

    @property
    def map_label(self) -> str:
        """Label of a mapped task on Airflow's screens. It never raises: an error would hide the task's own."""
        return self.task_id

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check what all mapped tasks share, and go on as Airflow does, which makes them when they run."""
        with naming_the_line():
            cls._check_constants(kwargs)
        return super().partial(**kwargs)

    def _check_given(self) -> None:
        """Check what is known when the DAG is parsed, and note what is given. To be called at the end of ``__init__``.

        :raises DSConfigurationError: naming the first parameter that cannot work.
        """
        known = vars(self)
        self._given = tuple(name for name in self.template_fields if known.get(name) is not None)
        # a mapped task is made while it is about to run: there it may fail only once it executes
        if getattr(self, "_BaseOperator__from_mapped", False):
            return
        with naming_the_line():
            self._check_constants(known)
            if self.together and all(name in known and is_constant(known[name]) for name in self.together):
                self._check_together()

    def _check_rendered(self) -> None:
        """Check the parameters of a task that runs.

        :raises DSConfigurationError: naming the first that cannot work, or renders to nothing.
        """
        for name in self._given:
            _refuse_nothing(getattr(self, name), name)
        for name, check in self.checks.items():
            _check(check, getattr(self, name), name)

    @classmethod
    def _check_constants(cls, known: Mapping[str, Any]) -> None:
        """Check the values of parameters that are no templates."""
        for name in cls.template_fields:
            if known.get(name) is not None and is_constant(known[name]):
                _refuse_nothing(known[name], name)
        for name, check in cls.checks.items():
            if name in known:
                _check(check, known[name], name)

    def _check_together(self) -> object:
        """Check what parameters mean for each other."""


@contextmanager
def naming_the_line() -> Iterator[None]:
    """Name the line of the DAG in an error: of its traceback Airflow shows the last two calls only."""
    try:
        yield
    except DSConfigurationError as error:
        error.message += _line()
        raise


def optional(check: Check) -> Check:
    """Return a check that passes None, of a parameter that may be left out."""
    return lambda value, name: None if value is None else check(value, name)


def is_constant(value: Any) -> bool:
    """Return true if a parameter is known when the DAG is parsed: no template, and no result of another task."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    if isinstance(value, Mapping):
        return all(map(is_constant, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_constant, value))
    if isinstance(value, PathLike):
        return True
    # what can be read once only is not to be read here
    return not (hasattr(value, "resolve") or (isinstance(value, Iterable) and not isinstance(value, bytes | range)))


def is_nothing(value: object) -> bool:
    """Return true for what a template without a value renders to, and for a list of nothing else.

    An empty list is something: it says that there is none.
    """
    if _is_list(value):
        items = list(_flatten(value))
        return bool(items) and all(map(is_nothing, items))
    return isinstance(value, jinja2.Undefined) or is_absent(value)


def _refuse_nothing(value: Any, name: str) -> None:
    if is_nothing(value):
        raise DSConfigurationError(
            f"{name} was given and renders to nothing ({value!r:.100}): correct the template or the task_id in it, "
            "give a default in the template, or leave the parameter out"
        )


def _check(check: Check, value: Any, name: str) -> None:
    if is_constant(value):
        check(value, name)


def _line() -> str:
    """Return the place in the first file, on the way out, that is neither of this provider nor of Airflow."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in ("ds_provider", "airflow", "contextlib"):
        frame = frame.f_back
    return f' (File "{frame.f_code.co_filename}", line {frame.f_lineno})' if frame else ""


def _is_list(value: Any) -> bool:
    scalar = (str, bytes, Mapping, Iterator, jinja2.Undefined)
    return isinstance(value, Iterable) and not isinstance(value, scalar)


def _flatten(value: Any) -> Iterator[object]:
    for item in items_of(value):
        if _is_list(item):
            yield from _flatten(item)
        else:
            yield item
