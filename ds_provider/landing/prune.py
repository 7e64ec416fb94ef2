"""Pruning: landed files go when the right to keep them goes, whole extracts, and single dossiers out of the others.

An extract that lost dossiers is still the same extract, with the generation that it had, so a warehouse that loaded it
has nothing to load again. Its new parts have names of their own.

Files that no manifest lists are removed too: what an extraction replaced, and what killed tries left. The files of a
try that is younger than two days and began after the published extract stay, whatever they hold: it may still be going
on.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Set
from datetime import datetime, timedelta, timezone
from gzip import BadGzipFile
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from isal import isal_zlib

from ds_provider.exceptions import DSDestinationError
from ds_provider.landing import layout
from ds_provider.landing.checkpoint import RESUMABLE
from ds_provider.landing.layout import MANIFEST, ExtractFile, extract_folders, files_in
from ds_provider.landing.manifest import Manifest, Part, find_manifest, read_manifest, replace_manifest
from ds_provider.landing.parts import PartWriter, write_part
from ds_provider.landing.rows import gunzip, lines_of
from ds_provider.landing.storage import names_in, remove_file, storage_errors

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

_PAGE = 100
# a try resumes what another left for a day; then it takes its time
_TRIES_LIVE = RESUMABLE + timedelta(days=1)

# a stub takes one of the classes for an instance
_DAMAGED: Any = (EOFError, BadGzipFile, isal_zlib.error, msgspec.DecodeError)


class _Numbered(msgspec.Struct):
    number: int


_decoder = msgspec.json.Decoder(_Numbered)


def landed_manifests(zone: ObjectStoragePath) -> Iterator[tuple[str, Manifest]]:
    """Yield the URL and the manifest of each extract in a landing zone.

    :raises DSDestinationError: if one cannot be read.
    """
    with storage_errors(f"{zone} cannot be pruned"):
        for folder in extract_folders(zone):
            if MANIFEST not in names_in(folder):
                continue
            if manifest := find_manifest(folder):
                yield str(folder / MANIFEST), manifest
            elif (folder / MANIFEST).exists():
                raise DSDestinationError(f"{folder / MANIFEST} is no manifest of this provider: move it elsewhere")


def remove_extract(manifest_url: str, generation: str) -> bool:
    """Remove an extract, and all that it replaced or that was left beside it.

    The manifest goes first: later readers find no extract, and never one with missing parts. What a killed removal
    leaves has no manifest any more, and is for :func:`remove_abandoned`.

    :param generation: the extract's. Another that has been landed in its place stays, and false is returned.
    :raises DSDestinationError: if the storage refuses.
    """
    folder = _folder_of(manifest_url)
    with storage_errors(f"{folder} cannot be pruned"):
        manifest = find_manifest(folder)
        if manifest is None or manifest.generation != generation:
            return False
        remove_file(folder / MANIFEST)
        for file in files_in(folder):
            if file.name in manifest.files or _is_old(file) or not _began_after(file, manifest):
                remove_file(folder / file.name)
    return True


def remove_abandoned(zone: ObjectStoragePath) -> None:
    """Remove what tries and removals that were killed two days ago or longer left in folders without an extract.

    :raises DSDestinationError: if the storage refuses.
    """
    with storage_errors(f"{zone} cannot be pruned"):
        for folder in extract_folders(zone):
            # listed before it is asked for a manifest: what is published meanwhile has one by then
            old = [file.name for file in files_in(folder) if _is_old(file)]
            if old and MANIFEST not in names_in(folder):
                for name in old:
                    remove_file(folder / name)


def remove_from_quarantine(zone: ObjectStoragePath, numbers: Set[int]) -> None:
    """Remove these dossiers from all quarantine registries of a landing zone.

    :raises DSDestinationError: if the storage refuses.
    """
    with storage_errors(f"{zone} cannot be pruned"):
        for registry in layout.quarantine_registries(zone):
            for number in layout.entry_numbers(registry):
                if number in numbers:
                    remove_file(registry / layout.entry_name(number))


def rewrite_without(manifest_url: str, numbers: Set[int]) -> int:
    """Publish an extract of dossiers without some of them, and remove every older file that holds one.

    Nothing is published if it holds none. Parts without any of them stay as they are, and so does the order of rows.
    Whenever this is killed, readers see the old extract or the new one, whole, and a second run does what is left. A
    reader that had begun on the old one finds its parts gone and fails: it is to begin anew.

    Files that are not listed are removed if they are two days old, or may hold one of these dossiers. Those of a
    younger try that began after the extract stay: it may still be going on.

    :param manifest_url: a summary's ``manifest``.
    :returns: how many rows and quarantined dossiers were removed from the extract: 0 if another was landed in its
        place meanwhile, which stays for a later run.
    :raises DSDestinationError: if the extract is not whole or the storage refuses; readers see the old one.
    """
    rewriting = _Rewriting(manifest_url, numbers)
    with storage_errors(f"{rewriting.folder} cannot be pruned"):
        after = rewriting.publish()
        for name in rewriting.before.files - after.files:
            remove_file(rewriting.folder / name)
        _remove_unlisted(rewriting.folder, numbers)
    return rewriting.before.rows + rewriting.before.quarantined - after.rows - after.quarantined


class _Rewriting:
    """Rewriting of one extract without some of its dossiers."""

    def __init__(self, manifest_url: str, numbers: Set[int]) -> None:
        self.folder = _folder_of(manifest_url)
        self.before = read_manifest(manifest_url)
        self._url = manifest_url
        self._numbers = numbers
        self._generation = f"{self.before.generation}-{layout.new_generation()}"
        self._writer = PartWriter(self.folder, self._generation)

    def publish(self) -> Manifest:
        """Return the manifest from now on: as it was, if nothing is to be removed or another took its place."""
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
        """Return what takes a part's place: itself, none, one or, since pages are cut anew, more."""
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
        return write_part(self.folder / layout.quarantine_part_name(self._generation), kept) if kept else None

    def _is_affected(self, part: Part) -> bool:
        return _contains(lines_of(self._url, part), self._numbers)

    def _kept(self, part: Part) -> Iterator[bytes]:
        return (line for line in lines_of(self._url, part) if _decoder.decode(line).number not in self._numbers)


def _contains(lines: Iterable[bytes], numbers: Set[int]) -> bool:
    return bool(numbers) and any(_decoder.decode(line).number in numbers for line in lines)


def _remove_unlisted(folder: ObjectStoragePath, numbers: Set[int]) -> None:
    # listed before the manifest is read: what is published meanwhile is in it
    files = files_in(folder)
    published = find_manifest(folder)
    if published is None:
        return
    for file in files:
        if file.name in published.files:
            continue
        path = folder / file.name
        if _is_old(file) or (not _began_after(file, published) and _may_contain(path, numbers)):
            remove_file(path)


def _may_contain(path: ObjectStoragePath, numbers: Set[int]) -> bool:
    """Return false only if a file is known to be without these dossiers: it may be cut, or no part."""
    try:
        with path.open("rb") as file, gunzip(file) as lines:
            return _contains(lines, numbers)
    except FileNotFoundError:
        return False
    except _DAMAGED:
        return True


def _is_old(file: ExtractFile) -> bool:
    return file.written < layout.generation_time(datetime.now(timezone.utc) - _TRIES_LIVE)


def _began_after(file: ExtractFile, published: Manifest) -> bool:
    """Return true if a file's extraction began after the published one, to the second."""
    return file.generation.partition("-")[0] > published.generation.partition("-")[0]


def _folder_of(manifest_url: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(manifest_url).parent
