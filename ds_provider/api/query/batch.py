"""Batches: several root fields in one request, each under its own alias.

A root field cannot be null. One that fails leaves no data at all, and the service names the first such field only. The
others are then asked for again without it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from ds_provider.api.transport.flows import Sleep, SubFlow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.api.transport.responses import GraphQLError, read_fields
from ds_provider.api.transport.retry import FIRST_PAUSE_SECONDS, send_with_retry
from ds_provider.exceptions import DSError, DSIncompletePageError

T = TypeVar("T", bound=Hashable)

Batch = Sequence[T]

_VARIABLE = re.compile(r"\$\w+")


@dataclass(frozen=True)
class BatchField:
    """Root field of a batch, written as for a request of its own.

    :param text: the field, its lines indented as the operation's.
    :param variables: the types of its variables, by name. Each field of a batch has its own: ``$number3``.
    """

    text: str
    variables: Mapping[str, str]


def build_operation(
    name: str, alias: str, fields: Sequence[BatchField], shared: Mapping[str, str] | None = None
) -> str:
    """Return the operation that asks for all the fields. A variable without a value filters nothing.

    :param alias: the first letters of each alias; the field's index follows.
    :param shared: the types of the variables that all fields share, by name.
    """
    variables = [f"  ${one}{i}: {kind}" for i, field in enumerate(fields) for one, kind in field.variables.items()]
    variables += [f"  ${one}: {kind}" for one, kind in (shared or {}).items()]
    aliased = [f"  {alias}{i}: " + _VARIABLE.sub(rf"\g<0>{i}", field.text) for i, field in enumerate(fields)]
    return "\n".join([f"query {name}(", *variables, ") {", *aliased, "}", ""])


def numbered(variables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the variables of an operation, from those of each of its fields."""
    return {f"{name}{i}": value for i, of_field in enumerate(variables) for name, value in of_field.items()}


@dataclass(frozen=True)
class BatchResult(Generic[T]):
    """Results of a batch, by what was asked for.

    :param fields: the data of each field that did not fail, empty if the response lacks it.
    :param failures: the error of each field that failed for a reason of its own.
    :param again: those of which nothing is known, through no fault of theirs.
    """

    fields: dict[T, msgspec.Raw]
    failures: dict[T, GraphQLError]
    again: list[T]


def read_batch(exchange: Exchange, alias: str, batch: Batch[T]) -> BatchResult[T]:
    """Return what a response says of each field of a batch.

    :raises DSError: if the response as a whole cannot be relied on.
    """
    data, errors = read_fields(exchange)
    asked = {f"{alias}{i}": one for i, one in enumerate(batch)}
    if not errors.keys() <= asked.keys():
        raise DSIncompletePageError("the response names a failure of something that was not asked for")
    others = {name: one for name, one in asked.items() if name not in errors}
    return BatchResult(
        fields={} if data is None else {one: data.get(name, msgspec.Raw()) for name, one in others.items()},
        failures={asked[name]: error for name, error in errors.items()},
        again=list(others.values()) if data is None else [],
    )


class BatchQueue(ABC, Generic[T]):
    """Batches to send one after another, each of them once and then in halves.

    A subclass builds the request for a batch, keeps what its response holds, and returns the batches to send for the
    rest. After a failure it returns true if the halves are to be sent.

    :ivar waiting: the batches that are still to be sent.
    """

    def __init__(self, batches: Iterable[Batch[T]]) -> None:
        self.waiting = deque(batches)

    def send_all(self) -> SubFlow[None]:
        """Send batches until none is left."""
        while batch := self._next_batch():
            try:
                self.waiting += yield from send_with_retry(
                    partial(self._request, batch), partial(self._read, batch), attempts=1
                )
            except DSError as error:
                if self._record_failure(batch, error):
                    self.waiting += split(batch, 2)
                    yield Sleep(FIRST_PAUSE_SECONDS, error)

    def _next_batch(self) -> Batch[T] | None:
        return self.waiting.popleft() if self.waiting else None

    @abstractmethod
    def _request(self, batch: Batch[T]) -> Request: ...

    @abstractmethod
    def _read(self, batch: Batch[T], exchange: Exchange) -> Sequence[Batch[T]]: ...

    @abstractmethod
    def _record_failure(self, batch: Batch[T], error: DSError) -> bool: ...


def split(batch: Batch[T], parts: int) -> list[Batch[T]]:
    """Return that many parts, of about the same length."""
    return [batch[i * len(batch) // parts : (i + 1) * len(batch) // parts] for i in range(parts)]
