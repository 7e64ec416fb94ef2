"""Extras of the package, and what of them is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from ds_provider.constants import DISTRIBUTION

# those for users, as pyproject.toml names them
EXTRAS = ("sandbox", "warehouse", "warehouse-postgres", "redis", "postgres", "openlineage")


def missing_by_extra() -> dict[str, list[str]]:
    """Return for each extra the requirements that are not installed, or not in a version that will do."""
    return {
        extra: [f"{one.name}{one.specifier}" for one in _requirements(DISTRIBUTION, extra) if not _is_met(one)]
        for extra in EXTRAS
    }


def _requirements(distribution: str, extra: str) -> Iterator[Requirement]:
    """Yield what an extra of a distribution needs, with what is needed by the extras that it names."""
    try:
        texts = requires(distribution) or []
    except PackageNotFoundError:
        return  # it is missing itself
    for found in map(Requirement, texts):
        if found.marker and found.marker.evaluate({"extra": extra}) and not found.marker.evaluate({"extra": ""}):
            if found.name != distribution:
                yield found
            for other in found.extras:
                yield from _requirements(found.name, other)


def _is_met(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
