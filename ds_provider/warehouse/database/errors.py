"""Reasons of database errors, in one line that shows neither a secret nor a value of a row, and their kinds."""

from __future__ import annotations

import re
from collections.abc import Iterable

# an error with one of these among its classes quotes the value that was refused
_QUOTES_VALUES = frozenset({"DataError", "IntegrityError", "ConversionException", "ConstraintException"})
_QUOTED = re.compile(r"([\"']).*\1")
_USER_INFO = re.compile(r"://[^\s/]*@")
_MAX_CHARACTERS = 300
# lock_not_available, and deadlock_detected, which goes as it came
_LOCKED = frozenset({"55P03", "40P01"})
_REFUSED = "42501"
_FILE_IS_OPEN = "Could not set lock on file"


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


def is_lock_failure(error: BaseException) -> bool:
    """Return whether others locked a statement out: they hold a table of Postgres, or have the file of DuckDB open."""
    return any(
        _sqlstate(each) in _LOCKED or (type(each).__name__ == "IOException" and _FILE_IS_OPEN in str(each))
        for each in _chain(error)
    )


def is_refused(error: BaseException) -> bool:
    """Return whether the role lacks a right."""
    return any(_sqlstate(each) == _REFUSED for each in _chain(error))


def _sqlstate(error: BaseException) -> str | None:
    """Return Postgres's code of an error, as psycopg2 or ADBC names it: the text is in the server's language."""
    return getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)


def _root(error: BaseException) -> BaseException:
    return _chain(error)[-1]


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, the first cause last: dlt wraps it several times, each time in a longer text."""
    found = [error]
    while (inner := _cause(found[-1])) is not None and inner not in found:
        found.append(inner)
    return found


def _cause(error: BaseException) -> BaseException | None:
    # dlt keeps the error of a job that it tried in vain
    kept = getattr(error, "client_exception", None)
    return kept if isinstance(kept, BaseException) else error.__cause__ or error.__context__
