"""Quarantine registry: dossiers that could not be read, so that the next run tries them again.

It stands beside the windows, one small file a dossier, so that no run has to rewrite what another wrote. Selections of
other rows, or of other parts of a dossier, have registries of their own: what a lighter read can read is not healed for
the fuller one.
"""

from __future__ import annotations

import msgspec

from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.landing.layout import LandingTarget, entry_name, entry_numbers, scratch_name
from ds_provider.landing.storage import make_folder, remove_file, replace_file


class QuarantineRegistry:
    """Registry of a selection, whatever its window."""

    def __init__(self, target: LandingTarget) -> None:
        self._folder = target.registry
        # among the parts, from where what a killed run left is removed some day
        self._scratch_folder = target.folder
        self._window = target.selection.window.iso_bounds if target.selection.window else None

    def pending_numbers(self) -> list[int]:
        """Return the dossiers that earlier runs could not read and none has read since, sorted."""
        return entry_numbers(self._folder)

    def add(self, record: Quarantined, generation: str) -> None:
        """Register a dossier that could not be read, and the extraction that met it."""
        make_folder(self._folder)
        entry = msgspec.to_builtins(record) | {"window": self._window, "generation": generation}
        name = entry_name(record.number)
        scratch = self._scratch_folder / scratch_name(generation, f"quarantine-{name}")
        replace_file(self._folder / name, msgspec.json.encode(entry), scratch)

    def remove(self, number: int) -> None:
        """Remove a dossier: it was read, or there is no use in trying again."""
        remove_file(self._folder / entry_name(number))
