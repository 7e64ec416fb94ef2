"""Reasons of database errors, in one line that shows neither a secret nor a value of a row."""

from __future__ import annotations

import re
from collections.abc import Iterable

# an error with one of these among its classes quotes the value that was refused
_QUOTES_VALUES = frozenset({"DataError", "IntegrityError", "ConversionException", "ConstraintException"})
_QUOTED = re.compile(r"([\"']).*\1")
_USER_INFO = re.compile(r"://[^\s/]*@")
_MAX_CHARACTERS = 300


def redacted_reason(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return the class and the first line of the error at the root.

    :param secrets: texts to replace by asterisks.
    """
    root = _root(error)
    text = next((line.strip() for line in str(root).splitlines() if line.strip()), "")
    # the secrets first: one that is cut off could not be found
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _USER_INFO.sub("://***@", text)
    if _QUOTES_VALUES.intersection(kind.__name__ for kind in type(root).__mro__):
        text = _QUOTED.sub("…", text)
    return f"{type(root).__name__}: {text[:_MAX_CHARACTERS]}" if text else type(root).__name__


def _root(error: BaseException) -> BaseException:
    """Return the first error of a chain: dlt wraps it several times, each time with a longer text."""
    seen = {id(error)}
    while (inner := error.__cause__ or error.__context__) is not None and id(inner) not in seen:
        seen.add(id(inner))
        error = inner
    return error
