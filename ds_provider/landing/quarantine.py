"""The registry of dossiers that could not be read, so that the next run tries them again.

``<destination>/groupe-<number>/<stream>/quarantine[_<variant>]/<dossier>.json``, beside the windows: one small file a
dossier, so that no run has to rewrite what another wrote. Readings that choose other rows, or other parts of a dossier,
have registries of their own: what a lighter reading can read is not healed for the fuller one.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.query.selection import Selection
from ds_provider.landing.layout import folder_of, variant_of
from ds_provider.landing.storage import make_folder, names_in, replace_file

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_ENTRY = re.compile(r"(\d+)\.json")


def pending(zone: ObjectStoragePath, selection: Selection) -> list[int]:
    """The numbers of the dossiers that earlier runs could not read and none has read since, sorted.

    :param selection: what is being read; runs for other windows share its registry.
    """
    entries = (_ENTRY.fullmatch(name) for name in names_in(_registry(zone, selection)))
    return sorted(int(entry.group(1)) for entry in entries if entry)


def add(zone: ObjectStoragePath, selection: Selection, record: Quarantined, generation: str) -> None:
    """Remember a dossier that could not be read, and the reading that met it."""
    registry = _registry(zone, selection)
    make_folder(registry)
    window = selection.window.iso_bounds if selection.window else None
    entry = msgspec.to_builtins(record) | {"window": window, "generation": generation}
    # among the parts, from where what a killed run left is removed some day
    scratch = folder_of(zone, selection) / f".{generation}-quarantine-{record.number}.json"
    replace_file(registry / f"{record.number}.json", msgspec.json.encode(entry), scratch)


def resolve(zone: ObjectStoragePath, selection: Selection, number: int) -> None:
    """Forget a dossier: it was read, or there is no use in trying again."""
    with suppress(FileNotFoundError):
        (_registry(zone, selection) / f"{number}.json").unlink()


def _registry(zone: ObjectStoragePath, selection: Selection) -> ObjectStoragePath:
    variant = variant_of(replace(selection, order="ASC", after=None, numbers=()))
    return folder_of(zone, selection).parent / "_".join(part for part in ("quarantine", variant) if part)
