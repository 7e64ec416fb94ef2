"""Layout of a landing zone: every folder and file name in it, written and parsed here alone.

::

    <destination>/groupe-<number>/<stream>/<window>[_<variant>]/     one extract
        manifest.json
        <generation>-00000.jsonl.gz                                  a part; its successors count up
        <generation>-<generation>-00000.jsonl.gz                     a part that was rewritten by pruning
        <generation>-quarantine.jsonl.gz                             the dossiers that could not be read
    <destination>/groupe-<number>/<stream>/quarantine[_<variant>]/   a registry of such dossiers
        <dossier>.json

A folder's name depends only on what was asked for, so a second run finds the first and replaces it. Without a window
its name is ``full``, and ``numbers`` where dossiers are read by their numbers. A variant stands for what differs from a
plain read. A file whose name begins with a dot is being written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pendulum

from ds_provider.api.query.selection import Selection, digest
from ds_provider.api.query.windows import Window
from ds_provider.landing.storage import names_in

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import ObjectStoragePath

MANIFEST = "manifest.json"

_GROUP_PREFIX = "groupe-"
_GROUP = re.compile(rf"{_GROUP_PREFIX}\d+")
_REGISTRY = re.compile(r"quarantine(_.*)?")
_ENTRY = re.compile(r"(\d+)\.json")
_GENERATION = r"(\d{8}T\d{6})-[0-9a-f]{8}"
_FILE = re.compile(rf"\.?({_GENERATION})-(?:{_GENERATION}-)?")
_GENERATION_TIME = "%Y%m%dT%H%M%S"


class ExtractFile(NamedTuple):
    """File that an extraction or a pruning wrote, by its name.

    :param generation: of the extraction.
    :param written: when the extraction or, if it is a pruning's, the pruning began, to the second: sorts as a text.
    """

    name: str
    generation: str
    written: str


@dataclass(frozen=True)
class LandingTarget:
    """Place in a landing zone where a selection lands, and what tells its extract from others.

    :param folder: the folder of the extract.
    :param registry: the folder that registers the dossiers that could not be read, whatever the window.
    :param key: group, stream and the extract's name in one: it is unique within a landing zone.
    :param fingerprint: a hash of the query's text and of all that chooses the rows: equal for the same rows of the same
        shape.
    """

    selection: Selection
    folder: ObjectStoragePath
    registry: ObjectStoragePath
    key: str
    fingerprint: str

    @classmethod
    def of(cls, zone: ObjectStoragePath, selection: Selection) -> LandingTarget:
        """Return the place of a selection in a zone."""
        number, stream, window = selection.groupe_instructeur_number, selection.stream, selection.window
        variants = selection.variants()
        name = f"{'numbers' if selection.numbers else _window_name(window)}{_suffix(variants)}"
        registry = f"quarantine{_suffix(replace(selection, order='ASC', after=None, numbers=()).variants())}"
        asked = {
            "query": stream.query,
            "groupe": number,
            "window": _window_name(window),
            "read_from": _bound_name(window.read_from if window else None),
            "variants": variants,
        }
        folder = zone.joinpath(f"{_GROUP_PREFIX}{number}", stream.name)
        return cls(selection, folder / name, folder / registry, f"{number}-{stream.name}-{name}", digest(asked))


def stream_folder_url(destination: str, groupe_instructeur_number: int, stream: str) -> str:
    """Return the URL of the folder that holds all extracts of a group's stream."""
    return f"{destination.rstrip('/')}/{_GROUP_PREFIX}{groupe_instructeur_number}/{stream}"


def group_and_stream_of(manifest_url: str) -> tuple[int, str]:
    """Return the group's number and the stream's name that a manifest's URL says."""
    group, stream = manifest_url.rsplit("/", 4)[1:3]
    return int(group.removeprefix(_GROUP_PREFIX)), stream


def extract_folders(zone: ObjectStoragePath) -> Iterator[ObjectStoragePath]:
    """Yield the folders of all extracts in a landing zone."""
    return (folder for folder in _folders(zone) if not _REGISTRY.fullmatch(folder.name))


def quarantine_registries(zone: ObjectStoragePath) -> Iterator[ObjectStoragePath]:
    """Yield the registries of quarantined dossiers in a landing zone."""
    return (folder for folder in _folders(zone) if _REGISTRY.fullmatch(folder.name))


def entry_name(dossier_number: int) -> str:
    """Return the name of a dossier's file in a registry."""
    return f"{dossier_number}.json"


def entry_numbers(registry: ObjectStoragePath) -> list[int]:
    """Return the numbers of the dossiers in a registry, sorted."""
    entries = (_ENTRY.fullmatch(name) for name in names_in(registry))
    return sorted(int(entry.group(1)) for entry in entries if entry)


def new_generation() -> str:
    """Return a unique name for one extraction, which sorts by time."""
    return f"{pendulum.now('UTC').strftime(_GENERATION_TIME)}-{uuid4().hex[:8]}"


def generation_time(instant: datetime) -> str:
    """Return an instant, in UTC, as generations begin with it."""
    return instant.strftime(_GENERATION_TIME)


def part_name(generation: str, index: int) -> str:
    """Return the name of a part."""
    return f"{generation}-{index:05d}.jsonl.gz"


def is_part_of(name: str, generation: str) -> bool:
    """Return true if a file is a part that a generation wrote."""
    return re.fullmatch(re.escape(generation) + r"-\d+\.jsonl\.gz", name) is not None


def quarantine_part_name(generation: str) -> str:
    """Return the name of the part that holds the dossiers that could not be read."""
    return f"{generation}-quarantine.jsonl.gz"


def scratch_name(generation: str, name: str) -> str:
    """Return the name under which a generation writes a file before it is renamed."""
    return f".{generation}-{name}"


def files_in(folder: ObjectStoragePath) -> list[ExtractFile]:
    """Return the files in an extract's folder that extractions and prunings wrote; not its manifest."""
    named = ((name, _FILE.match(name)) for name in names_in(folder))
    return [ExtractFile(name, found[1], found[3] or found[2]) for name, found in named if found]


def _folders(zone: ObjectStoragePath) -> Iterator[ObjectStoragePath]:
    for group in filter(_GROUP.fullmatch, names_in(zone)):
        for stream in names_in(zone / group):
            for name in names_in(zone / group / stream):
                yield zone / group / stream / name


def _suffix(variants: dict[str, Any]) -> str:
    return f"_{digest(variants)[:8]}" if variants else ""


def _window_name(window: Window | None) -> str:
    if window is None:
        return "full"
    return f"{window.date_column}_{_bound_name(window.start)}_{_bound_name(window.end)}"


def _bound_name(bound: pendulum.DateTime | None) -> str:
    if bound is None:
        return "open"
    fraction = f".{bound.microsecond:06d}" if bound.microsecond else ""
    return f"{bound.in_timezone('UTC').strftime('%Y%m%dT%H%M%S')}{fraction}Z"
