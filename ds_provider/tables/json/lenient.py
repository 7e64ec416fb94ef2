"""JSON that is not as the API promises: what cannot be read of it is left out, and the rest is kept.

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

_ODD: Any = object()  # stands for what is not of its kind
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_SCALARS: dict[type[inspect.Type], type] = {
    inspect.StrType: str,
    inspect.DateTimeType: str,
    inspect.BoolType: bool,
    inspect.NoneType: type(None),
    inspect.RawType: object,
}


class LenientDecoder(Generic[T]):
    """Reads nodes of one kind.

    :param kind: a struct. What it requires must be there; all else is left out where it is of another kind.
    """

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._kind = inspect.type_info(kind)

    def read(self, data: bytes | msgspec.Raw) -> T:
        """A node, whatever it holds.

        :raises msgspec.DecodeError: if it lacks what is required.
        """
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decoder.decode(self._mended(bytes(data)))

    def _mended(self, data: bytes) -> bytes:
        try:
            fitted = _fit(cleaned(json.loads(data.decode("utf-8", "replace"))), self._kind)
            return dump({} if fitted is _ODD else fitted).encode()
        except (ValueError, RecursionError) as error:
            raise msgspec.DecodeError(str(error)) from None


def cleaned(value: Any) -> Any:
    """A value without what JSON or databases refuse."""
    if isinstance(value, str):
        return _UNREADABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(item) for name, item in value.items()}
    return value


def dump(value: Any) -> str:
    """A value as JSON, as short as it can be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fit(value: Any, kind: inspect.Type) -> Any:
    """What is of its kind in a value."""
    if isinstance(kind, inspect.UnionType):
        fits = (_fit(value, each) for each in kind.types)
        return next((fit for fit in fits if fit is not _ODD), _ODD)
    if isinstance(kind, inspect.StructType):
        return _fit_fields(value, kind) if isinstance(value, dict) else _ODD
    if isinstance(kind, inspect.ListType):
        return _fit_items(value, kind) if isinstance(value, list) else _ODD
    return value if _is_scalar(value, kind) else _ODD


def _fit_fields(value: dict[str, Any], kind: inspect.StructType) -> dict[str, Any]:
    named = {field.encode_name: field.type for field in kind.fields}
    fits = {name: _fit(value[name], named[name]) for name in named.keys() & value.keys()}
    return {name: fit for name, fit in fits.items() if fit is not _ODD}


def _fit_items(value: list[Any], kind: inspect.ListType) -> list[Any]:
    fits = [_fit(item, kind.item_type) for item in value]
    return [fit for fit in fits if fit is not _ODD]


def _is_scalar(value: Any, kind: inspect.Type) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, inspect.IntType):
        return whole and -(2**63) <= value < 2**63
    if isinstance(kind, inspect.FloatType):
        return isinstance(value, float) or (whole and abs(value) < 2**1023)
    return isinstance(value, _SCALARS[type(kind)])
