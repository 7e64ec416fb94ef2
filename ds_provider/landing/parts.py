"""Parts: numbered files of rows, written a page at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ds_provider.landing.gzip_members import Member, pack
from ds_provider.landing.layout import part_name
from ds_provider.landing.manifest import Part
from ds_provider.landing.storage import is_local, remove_file

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# of rows before compression: small enough to be read again after a failure, large enough for few files
PART_BYTES = 64 * 1024 * 1024
# elsewhere nothing is there before the part is closed, and all of it is lost with the process
REMOTE_PART_BYTES = 16 * 1024 * 1024


class _OpenPart:
    def __init__(self, path: ObjectStoragePath) -> None:
        self._path = path
        self._local = is_local(path)
        self._file: Any = path.open("wb")
        self._hash = hashlib.sha256()
        self._bytes = self._rows = self._raw_bytes = 0

    def write(self, member: Member) -> None:
        self._file.write(member.stored)
        if self._local:
            # from here on it outlives this process; a remote file would send a piece that is too small
            self._file.flush()
        self._hash.update(member.stored)
        self._bytes += len(member.stored)
        self._rows += member.rows
        self._raw_bytes += len(member.lines)

    @property
    def is_full(self) -> bool:
        return self._raw_bytes >= (PART_BYTES if self._local else REMOTE_PART_BYTES)

    def close(self) -> Part:
        self._file.close()
        return Part(self._path.name, self._rows, self._bytes, self._hash.hexdigest())


def write_part(path: ObjectStoragePath, rows: Sequence[bytes]) -> Part:
    """Write a whole part."""
    part = _OpenPart(path)
    part.write(pack(rows))
    return part.close()


class PartWriter:
    """Writes pages into numbered parts, each page as one gzip member.

    :ivar parts: the closed parts.
    :param folder: where the parts go.
    :param generation: what their names begin with, so that no two extractions ever share a file.
    """

    def __init__(self, folder: ObjectStoragePath, generation: str) -> None:
        self._folder = folder
        self._generation = generation
        self._open: _OpenPart | None = None
        self._begun: list[ObjectStoragePath] = []
        self.parts: list[Part] = []

    def write(self, rows: Sequence[bytes]) -> None:
        """Append a page's rows, each one line without its newline. On a local disk they are safe from then on."""
        if rows:
            self.append(pack(rows))

    def append(self, member: Member) -> None:
        """Append a packed page."""
        part = self._open or self._begin()
        # a part that failed to take a page takes no other and is never listed: nobody knows how it ends
        self._open = None
        part.write(member)
        if part.is_full:
            self.parts.append(part.close())
        else:
            self._open = part

    def close(self) -> None:
        """Close the part that is being written."""
        part, self._open = self._open, None
        if part is not None:
            self.parts.append(part.close())

    def abort(self) -> None:
        """Remove all parts that were written."""
        try:
            self.close()
        finally:
            for path in self._begun:
                remove_file(path)
            self.parts.clear()

    def _begin(self) -> _OpenPart:
        path = self._folder / part_name(self._generation, len(self._begun))
        self._begun.append(path)
        return _OpenPart(path)
