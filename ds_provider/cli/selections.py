"""Selections of the command line: the groups, the window and the parts of a dossier that its options name."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

import pendulum

from ds_provider.api.query import parameters
from ds_provider.api.query.selection import Selection
from ds_provider.exceptions import DSConfigurationError

_BOUNDS = ("created_since", "created_until", "updated_since", "updated_until")


def selections_of(args: Namespace, numbers: Iterable[int]) -> list[Selection]:
    """Return the selection of each group's dossiers.

    :raises DSConfigurationError: naming the first option that cannot work.
    """
    window = parameters.explicit_window(**{name: getattr(args, name) for name in _BOUNDS})
    if window and window.start and window.start > pendulum.now("UTC"):
        raise DSConfigurationError(f"the window {window} has not begun: nothing can be in it yet")
    includes = included(args)
    return [parameters.select_dossiers(number, window=window, includes=includes) for number in numbers]


def included(args: Namespace) -> dict[str, object]:
    """Return the parts of a dossier that were asked for or left out, by part."""
    return parameters.includes_of({name: value for name, value in vars(args).items() if name.startswith("include_")})


def numbers_of(texts: Iterable[str], option: str) -> list[int]:
    """Return group numbers, each once.

    :raises DSConfigurationError: if one is no number.
    """
    return parameters.parse_groupes(list(texts), option)[0]


def ensure_one_of(**options: object) -> None:
    """Raise unless exactly one of the options is given.

    :raises DSConfigurationError: naming them.
    """
    if sum(value is not None for value in options.values()) != 1:
        raise DSConfigurationError(f"give one of {' and '.join(f'--{name}' for name in options)}")
