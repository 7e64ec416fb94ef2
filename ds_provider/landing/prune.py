"""Landed files go when the right to keep them goes: readings whole, and single dossiers out of readings that stay.

A reading that lost dossiers is still the same reading, with the generation that it had, so who loaded it has nothing to
load again. Its new parts are named ``<generation>-<a generation of their own>-00000.jsonl.gz``.

What no manifest lists is removed too: what a reading replaced, and what killed tries left. What a try wrote that is
younger than two days and began after the published reading stays, whatever it holds: it may still be going on.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable, Iterator, Set
from datetime import datetime, timedelta, timezone
from gzip import BadGzipFile
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from isal import isal_zlib

from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.checkpoint import RESUMABLE
from ds_provider.landing.layout import new_generation
from ds_provider.landing.manifest import MANIFEST, Manifest, Part, find_manifest, read_manifest, replace_manifest
from ds_provider.landing.parts import PartWriter, write_part
from ds_provider.landing.rows import gunzip, lines_of
from ds_provider.landing.storage import names_in

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

_PAGE = 100
# a try goes on from what another left for a day; then it takes its time
_TRIES_LIVE = RESUMABLE + timedelta(days=1)

_GROUPE = re.compile(r"groupe-\d+")
_REGISTRY = re.compile(r"quarantine(_.*)?")
_ENTRY = re.compile(r"(\d+)\.json")
_GENERATION = r"(\d{8}T\d{6})-[0-9a-f]{8}-"
_FILE = re.compile(rf"\.?{_GENERATION}(?:{_GENERATION})?")


# a stub takes one of the classes for an instance
_DAMAGED: Any = (EOFError, BadGzipFile, isal_zlib.error, msgspec.DecodeError)


class _Numbered(msgspec.Struct):
    number: int


_decoder = msgspec.json.Decoder(_Numbered)


def landed_manifests(zone: ObjectStoragePath) -> Iterator[tuple[str, Manifest]]:
    """The URL and the manifest of each reading in a landing zone.

    :raises DSDestinationError: if one cannot be read.
    """
    with _storage_errors(zone):
        for folder in _folders(zone):
            if MANIFEST not in names_in(folder):
                continue
            if manifest := find_manifest(folder):
                yield str(folder / MANIFEST), manifest
            elif (folder / MANIFEST).exists():
                raise DSDestinationError(f"{folder / MANIFEST} is no manifest of this provider: move it elsewhere")


def remove_extract(manifest_url: str, generation: str) -> bool:
    """Remove a landed reading, and all that it replaced or that was left beside it.

    The manifest goes first: who comes later finds no reading, and never one of which parts are missing. What a killed
    removal leaves has no manifest any more, and is for :func:`remove_abandoned`.

    :param generation: the reading's. Another that has been landed in its place stays, and false is returned.
    :raises DSDestinationError: if the storage refuses.
    """
    folder = _folder_of(manifest_url)
    with _storage_errors(folder):
        manifest = find_manifest(folder)
        if manifest is None or manifest.generation != generation:
            return False
        _unlink(folder / MANIFEST)
        for file in _files_in(folder):
            if file.name in manifest.files or file.is_old or not file.began_after(manifest):
                _unlink(folder / file.name)
    return True


def remove_abandoned(zone: ObjectStoragePath) -> None:
    """Remove what tries and removals that were killed two days ago or longer left in folders without a reading.

    :raises DSDestinationError: if the storage refuses.
    """
    with _storage_errors(zone):
        for folder in _folders(zone):
            # listed before it is asked for a manifest: what is published meanwhile has one by then
            old = [file.name for file in _files_in(folder) if file.is_old]
            if old and MANIFEST not in names_in(folder):
                _unlink_all(folder, old)


def remove_from_quarantine(zone: ObjectStoragePath, numbers: Set[int]) -> None:
    """Forget what is noted of these dossiers for the next run, in all registries of a landing zone.

    :raises DSDestinationError: if the storage refuses.
    """
    with _storage_errors(zone):
        for registry in _folders(zone, registries=True):
            entries = (_ENTRY.fullmatch(name) for name in names_in(registry))
            _unlink_all(registry, [entry.group() for entry in entries if entry and int(entry.group(1)) in numbers])


def rewrite_without(manifest_url: str, numbers: Set[int]) -> int:
    """Publish a landed reading of dossiers without some of them, and remove every older file that holds one.

    Nothing is published where it holds none. Parts without any of them stay as they are; the order of rows does, too.
    Whenever this is killed, readers see the old reading or the new one, whole, and a second run does what is left. A
    reader that had begun on the old one finds its parts gone and fails: it is to begin anew.

    Files that are not listed are removed if they are two days old, or may hold one of these dossiers. Those of a try
    that began after the reading and is younger stay: it may still be going on.

    :param manifest_url: a summary's ``manifest``.
    :returns: how many rows and quarantined dossiers were removed from the reading. None if another reading was landed
        in its place meanwhile: that one stays, for a later run.
    :raises DSDestinationError: if the reading is not whole or the storage refuses; readers see the old one.
    """
    rewriting = _Rewriting(manifest_url, numbers)
    with _storage_errors(rewriting.folder):
        after = rewriting.publish()
        _unlink_all(rewriting.folder, rewriting.before.files - after.files)
        _remove_unlisted(rewriting.folder, numbers)
    return _dossiers(rewriting.before) - _dossiers(after)


class _Rewriting:
    """A reading on its way to losing some of its dossiers."""

    def __init__(self, manifest_url: str, numbers: Set[int]) -> None:
        self.folder = _folder_of(manifest_url)
        self.before = read_manifest(manifest_url)
        self._url = manifest_url
        self._numbers = numbers
        self._generation = f"{self.before.generation}-{new_generation()}"
        self._writer = PartWriter(self.folder, self._generation)

    def publish(self) -> Manifest:
        """The reading from now on; as it was, if nothing is to be removed or another was landed in its place."""
        try:
            after = self._write()
            replaced = after != self.before and find_manifest(self.folder) != self.before
        except BaseException:
            # what cannot be removed now is removed as what a killed try left
            with contextlib.suppress(Exception):
                self._writer.abort()
            raise
        if replaced:
            log.info("%s was landed anew while it was pruned: the next run prunes it", self._url)
            self._writer.abort()
            return self.before
        if after != self.before:
            replace_manifest(self.folder, after, self._generation)
        return after

    def _write(self) -> Manifest:
        parts = [kept for part in self.before.parts for kept in self._part_without(part)]
        quarantine = self._quarantine_without()
        return msgspec.structs.replace(
            self.before,
            rows=sum(part.rows for part in parts),
            bytes=sum(part.bytes for part in parts),
            quarantined=quarantine.rows if quarantine else 0,
            parts=parts,
            quarantine=quarantine,
        )

    def _part_without(self, part: Part) -> list[Part]:
        """What takes a part's place: itself, none, one or, since pages are cut anew, more."""
        if not self._is_affected(part):
            return [part]
        written = len(self._writer.parts)
        kept = self._kept(part)
        while page := list(islice(kept, _PAGE)):
            self._writer.write(page)
        self._writer.close()
        return self._writer.parts[written:]

    def _quarantine_without(self) -> Part | None:
        part = self.before.quarantine
        if part is None or not self._is_affected(part):
            return part
        kept = list(self._kept(part))
        return write_part(self.folder / f"{self._generation}-quarantine.jsonl.gz", kept) if kept else None

    def _is_affected(self, part: Part) -> bool:
        return _holds(lines_of(self._url, part), self._numbers)

    def _kept(self, part: Part) -> Iterator[bytes]:
        return (line for line in lines_of(self._url, part) if _decoder.decode(line).number not in self._numbers)


def _dossiers(manifest: Manifest) -> int:
    return manifest.rows + manifest.quarantined


def _holds(lines: Iterable[bytes], numbers: Set[int]) -> bool:
    return bool(numbers) and any(_decoder.decode(line).number in numbers for line in lines)


def _remove_unlisted(folder: ObjectStoragePath, numbers: Set[int]) -> None:
    # listed before the manifest is read: what is published meanwhile is in it
    files = _files_in(folder)
    published = find_manifest(folder)
    if published is None:
        return
    for file in files:
        if file.name in published.files:
            continue
        path = folder / file.name
        if file.is_old or (not file.began_after(published) and _may_hold(path, numbers)):
            _unlink(path)


def _may_hold(path: ObjectStoragePath, numbers: Set[int]) -> bool:
    """Whether a file that no manifest lists is not known to be without these dossiers: it may be cut, or no part."""
    try:
        with path.open("rb") as file, gunzip(file) as lines:
            return _holds(lines, numbers)
    except FileNotFoundError:
        return False
    except _DAMAGED:
        return True


class _File(NamedTuple):
    """A file that a reading or a pruning wrote.

    :param began: when its reading did, to the second.
    :param written: when the reading or, if it is of one, the pruning began that wrote it.
    """

    name: str
    began: str
    written: str

    @property
    def is_old(self) -> bool:
        return self.written < (datetime.now(timezone.utc) - _TRIES_LIVE).strftime("%Y%m%dT%H%M%S")

    def began_after(self, published: Manifest) -> bool:
        return self.began > published.generation.partition("-")[0]


def _files_in(folder: ObjectStoragePath) -> list[_File]:
    named = ((name, _FILE.match(name)) for name in names_in(folder))
    return [_File(name, found[1], found[2] or found[1]) for name, found in named if found]


def _folders(zone: ObjectStoragePath, registries: bool = False) -> Iterator[ObjectStoragePath]:
    """The folders of all readings in a landing zone, or those where quarantined dossiers are registered."""
    for groupe in filter(_GROUPE.fullmatch, names_in(zone)):
        for stream in names_in(zone / groupe):
            for name in names_in(zone / groupe / stream):
                if bool(_REGISTRY.fullmatch(name)) == registries:
                    yield zone / groupe / stream / name


def _folder_of(manifest_url: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(manifest_url).parent


def _unlink_all(folder: ObjectStoragePath, names: Iterable[str]) -> None:
    for name in names:
        _unlink(folder / name)


def _unlink(path: ObjectStoragePath) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


@contextlib.contextmanager
def _storage_errors(place: ObjectStoragePath) -> Iterator[None]:
    try:
        yield
    except DSDestinationError:
        raise
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        raise DSDestinationError(f"{place} cannot be pruned: {type(error).__name__}: {error}") from None
