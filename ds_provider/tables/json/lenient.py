"""JSON that is not as the API promises: values that cannot be read are left out, and the rest is kept.

One odd value among a dossier's hundreds is no reason to lose the dossier, or the batch that it came with.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

_MISFIT: Any = object()  # stands for a value that is not of its kind
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_MAX_DIGITS = 308
_SCALARS: dict[type[inspect.Type], type] = {
    inspect.StrType: str,
    inspect.DateTimeType: str,
    inspect.BoolType: bool,
    inspect.NoneType: type(None),
    inspect.RawType: object,
}


class LenientDecoder(Generic[T]):
    """Decoder of one kind of nodes.

    :param kind: a struct. Its required fields must be there; any other is left out if it is of another kind.
    """

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._kind = inspect.type_info(kind)

    def decode(self, data: bytes | msgspec.Raw) -> T:
        """Return a node without the values that do not fit.

        :raises msgspec.DecodeError: if a required field is missing or does not fit.
        """
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decoder.decode(self._repaired(bytes(data)))

    def _repaired(self, data: bytes) -> bytes:
        try:
            fitted = _fit(clean(json.loads(data.decode("utf-8", "replace"), parse_int=_integer)), self._kind)
            return dump({} if fitted is _MISFIT else fitted).encode()
        except (ValueError, RecursionError) as error:
            raise msgspec.DecodeError(str(error)) from None


def _integer(digits: str) -> int | float:
    # Python refuses to convert very long ones; as a float they are infinite
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def clean(value: Any) -> Any:
    """Return a value without the characters and numbers that JSON or databases refuse."""
    if isinstance(value, str):
        return _UNREADABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    return value


def dump(value: Any) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fit(value: Any, kind: inspect.Type) -> Any:
    """Return the part of a value that is of its kind."""
    if isinstance(kind, inspect.UnionType):
        fits = (_fit(value, each) for each in kind.types)
        return next((fit for fit in fits if fit is not _MISFIT), _MISFIT)
    if isinstance(kind, inspect.StructType):
        return _fit_fields(value, kind) if isinstance(value, dict) else _MISFIT
    if isinstance(kind, inspect.ListType):
        return _fit_items(value, kind) if isinstance(value, list) else _MISFIT
    return value if _is_scalar(value, kind) else _MISFIT


def _fit_fields(value: dict[str, Any], kind: inspect.StructType) -> dict[str, Any]:
    named = {field.encode_name: field.type for field in kind.fields}
    fits = {name: _fit(value[name], named[name]) for name in named.keys() & value.keys()}
    return {name: fit for name, fit in fits.items() if fit is not _MISFIT}


def _fit_items(value: list[Any], kind: inspect.ListType) -> list[Any]:
    fits = [_fit(item, kind.item_type) for item in value]
    return [fit for fit in fits if fit is not _MISFIT]


def _is_scalar(value: Any, kind: inspect.Type) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, inspect.IntType):
        return whole and -(2**63) <= value < 2**63
    if isinstance(kind, inspect.FloatType):
        return isinstance(value, float) or (whole and abs(value) < 2**1023)
    return isinstance(value, _SCALARS[type(kind)])
