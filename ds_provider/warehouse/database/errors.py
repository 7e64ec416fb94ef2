"""Why a database failed, in one line that shows neither a secret nor a value of a row."""

from __future__ import annotations

import re
from collections.abc import Iterable

# where one of these is among an error's classes, its text quotes the value that was refused
_OVER_VALUES = frozenset({"DataError", "IntegrityError", "ConversionException", "ConstraintException"})
_QUOTED = re.compile(r"([\"']).*\1")
_USER_INFO = re.compile(r"://[^\s/]*@")
_LONGEST = 300


def redacted_reason(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The first line of what went wrong at the root."""
    root = _root(error)
    text = next((line.strip() for line in str(root).splitlines() if line.strip()), "")
    # the secrets first: what is cut off of one could not be found
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _USER_INFO.sub("://***@", text)
    if _OVER_VALUES.intersection(kind.__name__ for kind in type(root).__mro__):
        text = _QUOTED.sub("…", text)
    return f"{type(root).__name__}: {text[:_LONGEST]}" if text else type(root).__name__


def _root(error: BaseException) -> BaseException:
    """dlt wraps an error several times, each with a longer text around it."""
    seen = {id(error)}
    while (inner := error.__cause__ or error.__context__) is not None and id(inner) not in seen:
        seen.add(id(inner))
        error = inner
    return error
