"""Options of the sandbox's command line, for ``python -m ds_provider.sandbox`` and ``airflow ds sandbox``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

SERVERS = JANUARY, SEPTEMBER = ("2026-01", "2026-09")


class Option(NamedTuple):
    """An option of the command line.

    :ivar meaning: help text, without the default
    :ivar shown_default: default as the help shows it; None for that of `default`
    """

    name: str
    meaning: str
    default: Any
    read: Callable[[str], Any] = str
    choices: tuple[str, ...] | None = None
    shown_default: str | None = None

    @property
    def help(self) -> str:
        """The help text, with the default."""
        return f"{self.meaning} (default: {self.shown_default or self.default})"


def read_aware(text: str) -> datetime:
    """Read an instant.

    :raises ArgumentTypeError: if the text is not an ISO 8601 date with an offset
    """
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as problem:
        raise ArgumentTypeError(f"{text!r} is not an ISO 8601 date") from problem
    if moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset")
    return moment


OPTIONS = (
    Option("host", "address to listen on", "127.0.0.1"),
    Option("port", "port to listen on, 0 for any free one", 8000, int),
    Option("seed", "number from which all dossiers are made: the same seed gives the same dossiers", 1, int),
    Option("groupes", "number of groups (groupes instructeurs); of three or more, the last one is closed", 3, int),
    Option("dossiers", "number of dossiers deposited in each group in the ninety days before the start", 120, int),
    Option("now", "instant at which the clock stands still, ISO 8601 with an offset", None, read_aware,
           shown_default="the real time, and the clock runs"),
    Option("rate-limit", "requests that a token may send in a minute, 0 for no limit", 400, int),
    Option("server", "age of the server: 2026-01 has not the fields that are newer", SEPTEMBER, choices=SERVERS),
)  # fmt: skip
