"""Gzip members: a page's lines each as one.

Members stand one after the other in a part, which every reader of ``.jsonl.gz`` takes for one file (RFC 1952, 2.2).
Each ends with its own checksum, so what a killed process left is whole up to the member it was writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from isal import isal_zlib as zlib
from isal.igzip_lib import IsalError

GZIP_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
_CHUNK_BYTES = 64 * 1024
# its stub takes the class for an instance
_DAMAGED: Any = IsalError


class Member(NamedTuple):
    """Lines, each with its newline, the same as stored, and their count."""

    lines: bytes
    stored: bytes
    rows: int


def pack(rows: Sequence[bytes]) -> Member:
    """Compress rows, each one line without its newline."""
    lines = b"\n".join([*rows, b""])
    # without a name or a time: the same rows make the same bytes
    deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return Member(lines, b"".join((deflate.compress(lines), deflate.flush())), len(rows))


def whole_members(read: Callable[[int], bytes]) -> Iterator[Member]:
    """Yield each member from a file's beginning up to the first that is cut or damaged.

    :param read: returns as many of the file's next bytes as it is asked for, or fewer; none at its end.
    """
    ahead = b""
    while True:
        lines, stored, inflate = [], [], zlib.decompressobj(_GZIP)
        while not inflate.eof:
            chunk = ahead or read(_CHUNK_BYTES)
            if not chunk:
                return
            try:
                lines.append(inflate.decompress(chunk))
            except _DAMAGED:
                return
            ahead = inflate.unused_data
            stored.append(chunk[: len(chunk) - len(ahead)])
        whole = b"".join(lines)
        yield Member(whole, b"".join(stored), whole.count(b"\n"))
