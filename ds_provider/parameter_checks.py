"""Checks of parameters that operators and sensors share.

A parameter that is None was not given. A template that renders to nothing is not the same: the value that it was to
bring is missing, and reading without it would read something else than was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jinja2
from airflow.sdk import BaseOperator

from ds_provider.api.query.parameters import is_absent
from ds_provider.exceptions import DSConfigurationError


class CheckedOperator(BaseOperator):
    """Base of this provider's operators and sensors."""

    _given: tuple[str, ...] = ()

    def _record_given(self) -> None:
        """Note which parameters are given, at the end of each ``__init__``: rendered ones do not show it any more."""
        self._given = tuple(name for name in self.template_fields if getattr(self, name, None) is not None)

    def _check_rendered(self) -> None:
        """Check the parameters of a task that runs.

        :raises DSConfigurationError: naming the first that renders to nothing.
        """
        for name in self._given:
            if is_nothing(value := getattr(self, name)):
                raise DSConfigurationError(
                    f"{name} was given and renders to nothing ({value!r:.100}): correct the template or the task_id in "
                    "it, give a default in the template, or leave the parameter out"
                )


def is_nothing(value: object) -> bool:
    """Return true for what a template without a value renders to, and for a list of nothing else.

    An empty list is something: it says that there is none.
    """
    if _is_list(value):
        items = list(_flatten(value))
        return bool(items) and all(map(is_nothing, items))
    return isinstance(value, jinja2.Undefined) or is_absent(value)


def _is_list(value: Any) -> bool:
    # what is read once only is not to be read here
    scalar = (str, bytes, Mapping, Iterator, jinja2.Undefined)
    return isinstance(value, Iterable) and not isinstance(value, scalar)


def _flatten(value: Any) -> Iterator[object]:
    for item in value:
        if _is_list(item):
            yield from _flatten(item)
        else:
            yield item
