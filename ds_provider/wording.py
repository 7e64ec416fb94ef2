"""Words of logs and errors: counts that read right, lists that stay short, and durations."""

from __future__ import annotations

from collections.abc import Collection

MAX_LISTED = 20

MINUTE, HOUR, DAY = 60, 3600, 86400


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 page", "2 pages", "0 dossiers"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(values: Collection[object], limit: int = MAX_LISTED) -> str:
    """Return values in one line: "12, 13 and 4 more".

    :param limit: how many of them are named.
    """
    named = ", ".join(str(value) for value, _ in zip(values, range(limit), strict=False))
    return f"{named} and {len(values) - limit} more" if len(values) > limit else named


def lasted(seconds: float) -> str:
    """Return a duration in its two largest units: "7.2 s", "4 min 20 s", "2 h 5 min", "3 days 4 h".

    :param seconds: not negative.
    """
    if round(seconds, 1) < MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < HOUR:
        return _units(whole, MINUTE, "min", 1, "s")
    if whole < DAY:
        return _units(whole, HOUR, "h", MINUTE, "min")
    days, rest = divmod(whole, DAY)
    return counted(days, "day") + (f" {rest // HOUR} h" if rest >= HOUR else "")


def _units(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    count, rest = divmod(seconds, large)
    return f"{count} {large_name}" + (f" {rest // small} {small_name}" if rest >= small else "")
