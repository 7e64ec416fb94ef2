"""Public classes and functions of the provider, found by the description that Airflow reads."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ds_provider.get_provider_info import get_provider_info

TASK_GROUPS = "ds_provider.task_groups"


def classes(section: str) -> list[type]:
    """Return the public classes of a section of the provider's description, such as ``operators``, in its order."""
    named = (name for entry in get_provider_info()[section] for name in entry["python-modules"])
    return [kind for name in named for kind in _classes_of(importlib.import_module(name))]


def task_groups() -> list[Any]:
    """Return what pipelines are made with, classes before functions. Airflow's description has no section for it."""
    package = importlib.import_module(TASK_GROUPS)
    public = [getattr(package, name) for name in package.__all__]
    return sorted(public, key=lambda one: (not inspect.isclass(one), one.__name__))


def modules_of(package_name: str) -> set[str]:
    """Return the modules of a package in which a public class is defined."""
    package = importlib.import_module(package_name)
    found = (importlib.import_module(f"{package_name}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    return {module.__name__ for module in found if not module.__name__.rpartition(".")[2].startswith("_")}


def _classes_of(module: ModuleType) -> Iterator[type]:
    for name, kind in vars(module).items():
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and name.startswith("DS"):
            yield kind
