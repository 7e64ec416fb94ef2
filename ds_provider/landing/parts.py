"""Rows become numbered files, a few at a time, however large the group."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

from ds_provider.landing.manifest import Part

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# of rows before compression: small enough to be read again after a failure, large enough for few files
PART_BYTES = 64 * 1024 * 1024
GZIP_LEVEL = 1


class _HashingFile:
    """Passes on what is written and knows its size and hash."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Left to the file itself: a remote one would send a part that is too small."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _OpenPart:
    def __init__(self, path: ObjectStoragePath) -> None:
        self.path = path
        self.rows = 0
        self.raw_bytes = 0
        self._file: Any = path.open("wb")
        self._hashing = _HashingFile(self._file)
        self._gzip = gzip.GzipFile(fileobj=self._hashing, mode="wb", compresslevel=GZIP_LEVEL, filename="", mtime=0)

    def write(self, row: bytes) -> None:
        self._gzip.write(row + b"\n")
        self.rows += 1
        self.raw_bytes += len(row) + 1

    def close(self) -> Part:
        self._gzip.close()
        self._file.close()
        return Part(self.path.name, self.rows, self._hashing.size, self._hashing.sha256)


class PartWriter:
    """Writes rows into ``<generation>-00000.jsonl.gz`` and its successors.

    :param folder: where the parts go.
    :param generation: what their names begin with, so that no two readings ever share a file.
    """

    def __init__(self, folder: ObjectStoragePath, generation: str) -> None:
        self._folder = folder
        self._generation = generation
        self._open: _OpenPart | None = None
        self.parts: list[Part] = []

    def write(self, rows: Iterable[bytes]) -> None:
        """Append rows, each one line without its newline."""
        for row in rows:
            if self._open is None:
                name = f"{self._generation}-{len(self.parts):05d}.jsonl.gz"
                self._open = _OpenPart(self._folder / name)
            self._open.write(row)
            if self._open.raw_bytes >= PART_BYTES:
                self.close()

    def close(self) -> None:
        """Finish the part that is being written."""
        if self._open is not None:
            self.parts.append(self._open.close())
            self._open = None

    def abort(self) -> None:
        """Remove all that was written."""
        self.close()
        for part in self.parts:
            (self._folder / part.name).unlink()
        self.parts.clear()
