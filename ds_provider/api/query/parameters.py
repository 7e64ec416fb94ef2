"""Parameters of operators and hooks: parsed, checked, and made into selections.

Each parameter is checked before the first request. Templates render to text, so ``"12"``, ``"true"`` and ``""`` mean
what they look like.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pendulum

from ds_provider.api.query.cursors import parse_cursor
from ds_provider.api.query.selection import (
    DELETED_DOSSIERS,
    DOSSIER_STATES,
    DOSSIERS,
    MAX_PAGE_SIZE,
    PENDING_DELETED_DOSSIERS,
    Includes,
    Order,
    Selection,
    Stream,
)
from ds_provider.api.query.windows import Window, parse_instant
from ds_provider.exceptions import DSConfigurationError

log = logging.getLogger(__name__)

# the API's Int: a larger number is refused with an error that does not name it
MAX_NUMBER = 2**31 - 1

# a deletion shows 14 days after its date, and later if the service's purge is late
DELETIONS_OVERLAP = timedelta(days=45)

_DIGITS = re.compile(r"\s*0*([0-9]+)\s*", re.ASCII)

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


def is_absent(value: object) -> bool:
    """Return true if nothing was given: a template whose value is missing renders to ``""`` or ``"None"``."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def parse_number(value: object, parameter: str, maximum: int = MAX_NUMBER) -> int:
    """Return a number of the API, from an integer or its text.

    :param parameter: the name that an error gives.
    :raises DSConfigurationError: if it is no number from 1 to the maximum.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and (digits := _DIGITS.fullmatch(value)):
        # a longer text is out of range too, and Python refuses to turn thousands of digits into a number
        number = int(digits.group(1)[:12])
    else:
        raise DSConfigurationError(f"{parameter} must be a number such as 12345: got {value!r}")
    if not 0 < number <= maximum:
        raise DSConfigurationError(f"{parameter} must be between 1 and {maximum}: got {value!r:.40}")
    return number


def parse_choice(value: object, parameter: str, choices: Sequence[str]) -> str:
    """Return one of a few words.

    :param parameter: the name that an error gives.
    :raises DSConfigurationError: if it is none of them.
    """
    if isinstance(value, str) and value.strip() in choices:
        return value.strip()
    wanted = " or ".join(map(repr, choices)) if len(choices) < 3 else f"one of {', '.join(choices)}"
    raise DSConfigurationError(f"{parameter} must be {wanted}: got {value!r}")


def parse_state(value: object, parameter: str = "state") -> str | None:
    """Return a state of dossiers; None if none was given.

    :raises DSConfigurationError: if the API has no such state.
    """
    text = parse_text(value, parameter)
    return None if text is None else parse_choice(text, parameter, DOSSIER_STATES)


def parse_order(value: object, parameter: str = "order") -> Order:
    """Return a sort order; the API's own if none was given.

    :raises DSConfigurationError: if it is none.
    """
    text = value.upper() if isinstance(value, str) else value
    return cast("Order", "ASC" if is_absent(value) else parse_choice(text, parameter, ("ASC", "DESC")))


def parse_page_size(value: object, parameter: str = "page_size") -> int:
    """Return the rows of a page; as many as the API gives if nothing was given.

    :raises DSConfigurationError: if it is no number that the API takes as it is.
    """
    return MAX_PAGE_SIZE if is_absent(value) else parse_number(value, parameter, MAX_PAGE_SIZE)


def parse_conn_id(value: object, parameter: str) -> str:
    """Return the id of a connection.

    :raises DSConfigurationError: if it is none.
    """
    if not isinstance(value, str) or is_absent(value):
        raise DSConfigurationError(f"{parameter} must be the id of an Airflow connection: got {value!r}")
    return value


def parse_groupes(value: object, parameter: str = "groupe_instructeur_number") -> tuple[list[int], bool]:
    """Return group numbers, and true if a list was given.

    :param value: a number, a list of numbers, or the text of either.
    :param parameter: the name that an error gives.
    :raises DSConfigurationError: if one is no number, or the list is empty.
    """
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise DSConfigurationError(
                f"{parameter} must be a number or a list of numbers such as [12, 13]: got {value!r}"
            ) from None
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    items: list[object] = list(items_of(cast("Iterable[object]", value))) if several else [value]
    if not items:
        raise DSConfigurationError(f"{parameter} is an empty list: give at least one group number")
    # a group that stands twice in the list is read once
    numbers = dict.fromkeys(parse_number(item, parameter) for item in items)
    return list(numbers), several


def flatten_batches(groupes: object) -> object:
    """Return the groups of a fan-out in batches as one list, and anything else as it is."""
    if isinstance(groupes, str) or not isinstance(groupes, Iterable):
        return groupes
    return [number for batch in items_of(groupes) for number in (batch if isinstance(batch, list | tuple) else [batch])]


def items_of(values: Iterable[Any]) -> Iterable[Any]:
    """Return the values, those of a sequence at once.

    The results of mapped tasks are a sequence that asks Airflow for each item. If it is iterated, it asks for one more
    than there are, and Airflow logs an error each time: "XCom not found".
    """
    return values[:] if isinstance(values, Sequence) else values


def parse_flag(value: object, parameter: str) -> bool | None:
    """Return a boolean, from itself or its text; None if nothing was given.

    :param parameter: the name that an error gives.
    :raises DSConfigurationError: if it is no boolean.
    """
    if isinstance(value, bool) or value is None:
        return value
    text = str(value).strip().lower()
    if text in (*_TRUE, *_FALSE):
        return text in _TRUE
    if is_absent(value):
        return None
    raise DSConfigurationError(f"{parameter} must be true or false: got {value!r}")


def explicit_window(
    *,
    created_since: object = None,
    created_until: object = None,
    updated_since: object = None,
    updated_until: object = None,
) -> Window | None:
    """Return the window of explicit bounds, on one date column; None without bounds.

    :raises DSConfigurationError: if a bound is no instant, the window is empty, or both columns are bounded. The server
        ignores ``createdSince`` once ``updatedSince`` is given.
    """
    created = parse_instant(created_since, "created_since"), parse_instant(created_until, "created_until")
    updated = parse_instant(updated_since, "updated_since"), parse_instant(updated_until, "updated_until")
    if any(created) and any(updated):
        raise DSConfigurationError(
            "created_since/created_until cannot be combined with updated_since/updated_until, since the service "
            "ignores the first then: give the bounds of one of them"
        )
    if any(created):
        return Window("created", *created)
    return Window("updated", *updated) if any(updated) else None


def select_dossiers(
    groupe_instructeur_number: object,
    *,
    window: Window | None = None,
    state: object = None,
    archived: object = None,
    revision: object = None,
    includes: dict[str, object] | None = None,
    **paging: object,
) -> Selection:
    """Return the selection of a group's dossiers.

    :param paging: ``order``, ``page_size`` and ``after``.
    :raises DSConfigurationError: naming the first parameter that cannot work.
    """
    return _select(
        DOSSIERS,
        groupe_instructeur_number,
        window=window,
        state=parse_state(state),
        archived=parse_flag(archived, "archived"),
        revision=parse_text(revision, "revision"),
        includes=parse_includes(includes or {}),
        **paging,
    )


def select_numbers(
    groupe_instructeur_number: object, numbers: Iterable[int], includes: Includes | None = None
) -> Selection:
    """Return the selection of dossiers by their numbers.

    :param groupe_instructeur_number: the group in which they were seen last.
    :param numbers: at least one dossier number.
    :param includes: the parts of a dossier to read, as :func:`parse_includes` returns them; by default the API's own.
    :raises DSConfigurationError: naming the first parameter that cannot work.
    """
    # sorted, so that the same dossiers are the same selection
    chosen = tuple(sorted({parse_number(number, "numbers") for number in numbers}))
    if not chosen:
        raise DSConfigurationError("numbers is empty: give at least one dossier's")
    return replace(select_dossiers(groupe_instructeur_number), numbers=chosen, includes=includes or Includes())


def select_deleted_dossiers(
    groupe_instructeur_number: object, *, deleted_since: object = None, **paging: object
) -> Selection:
    """Return the selection of a group's definitive deletions.

    :param paging: ``order``, ``page_size`` and ``after``.
    :raises DSConfigurationError: naming the first parameter that cannot work.
    """
    since = parse_instant(deleted_since, "deleted_since")
    window = Window("deleted", start=since) if since else None
    return _select(DELETED_DOSSIERS, groupe_instructeur_number, window=window, **paging)


def warn_of_lost_deletions(deleted_since: object) -> None:
    """Warn if the bound is too late to show all deletions that are new: the service dates them back.

    :raises DSConfigurationError: if it is no instant.
    """
    since, safe = parse_instant(deleted_since, "deleted_since"), pendulum.now("UTC") - DELETIONS_OVERLAP
    if since and since > safe:
        log.warning(
            "deleted_since=%s is less than %d days ago and loses deletions, since the service dates them back by 14 "
            "days or more: nothing is lost from %s on, or without it",
            since.isoformat(),
            DELETIONS_OVERLAP.days,
            safe.isoformat(timespec="seconds"),
        )


def select_pending_deleted_dossiers(groupe_instructeur_number: object, **paging: object) -> Selection:
    """Return the selection of a group's pending deletions: always all of them, since they are a snapshot and no log.

    :param paging: ``order``, ``page_size`` and ``after``.
    :raises DSConfigurationError: naming the first parameter that cannot work.
    """
    return _select(PENDING_DELETED_DOSSIERS, groupe_instructeur_number, **paging)


def _select(
    stream: Stream,
    groupe_instructeur_number: object,
    *,
    order: object = None,
    page_size: object = None,
    after: object = None,
    **rows: Any,
) -> Selection:
    return Selection(
        stream,
        parse_number(groupe_instructeur_number, "groupe_instructeur_number"),
        order=parse_order(order),
        page_size=parse_page_size(page_size),
        after=parse_after(after, "after", rows.get("window")),
        **rows,
    )


def includes_of(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return ``include_…`` parameters by the part of a dossier that each names.

    :raises DSConfigurationError: if a parameter has another name.
    """
    for name in parameters:
        if not name.startswith("include_"):
            raise DSConfigurationError(f"there is no parameter {name!r}")
    return {name.removeprefix("include_"): value for name, value in parameters.items()}


def parse_includes(given: dict[str, object]) -> Includes:
    """Return the parts of a dossier to read. A part that is not given keeps the API's default.

    :param given: as :func:`includes_of` returns them.
    :raises DSConfigurationError: if there is no such part, or a value is no boolean.
    """
    known = vars(Includes())
    if unknown := sorted(set(given) - set(known)):
        parts = ", ".join(f"include_{name}" for name in known)
        raise DSConfigurationError(f"there is no parameter include_{unknown[0]}: the parts of a dossier are {parts}")
    flags = {name: parse_flag(value, f"include_{name}") for name, value in given.items()}
    return Includes(**{name: flag for name, flag in flags.items() if flag is not None})


def parse_after(value: object, parameter: str, window: Window | None = None) -> str | None:
    """Return a cursor; None if none was given.

    :param window: the window of its selection.
    :raises DSConfigurationError: if it is none, or of another selection.
    """
    text = parse_text(value, parameter)
    return None if text is None else parse_cursor(text, parameter, window)


def parse_text(value: object, parameter: str) -> str | None:
    """Return a text without the spaces around it; None if none was given.

    :raises DSConfigurationError: if it is none.
    """
    if is_absent(value):
        return None
    if not isinstance(value, str):
        raise DSConfigurationError(f"{parameter} must be a text: got {value!r}")
    return value.strip()
