"""Content encodings: bodies decompressed, as servers and the proxies before them write them.

Only gzip is asked for, and comes fastest this way: httpx would take twice as long to decompress it.
"""

from __future__ import annotations

from collections.abc import Callable

from isal import isal_zlib

_GZIP = 16 + isal_zlib.MAX_WBITS
_ZLIB, _RAW = isal_zlib.MAX_WBITS, -isal_zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


def decompress(body: bytes, content_encoding: str) -> bytes:
    """Return a body as it was before its content encodings. Unknown ones are left in place.

    :param content_encoding: the header, with all encodings in the order in which they were applied.
    :raises ValueError: saying if the body is cut or damaged.
    """
    for name in reversed(content_encoding.lower().split(",")):
        if decoder := _DECODERS.get(name.strip()):
            body = decoder(body)
    return body


def _gunzip(body: bytes) -> bytes:
    """Return all members of a gzip body, one after another; what follows the last one is no part of it."""
    whole, rest = _inflate(body, _GZIP)
    if not rest.startswith(_GZIP_MAGIC):
        return whole
    members = [whole]
    while rest.startswith(_GZIP_MAGIC):
        whole, rest = _inflate(rest, _GZIP)
        members.append(whole)
    return b"".join(members)


def _inflate_deflate(body: bytes) -> bytes:
    """Return a body in the format of zlib, as the standard says, or without its header, as some servers send it."""
    try:
        return _inflate(body, _ZLIB)[0]
    except ValueError:
        return _inflate(body, _RAW)[0]


def _inflate(body: bytes, window_bits: int) -> tuple[bytes, bytes]:
    """Return the decompressed body, and what follows it."""
    inflate = isal_zlib.decompressobj(window_bits)
    try:
        whole = inflate.decompress(body)
    except Exception as error:  # noqa: BLE001 - isal's own errors have no type that can be named
        raise ValueError(f"its compression is damaged: {error}") from None
    if not inflate.eof:
        raise ValueError("it is cut")
    return whole, inflate.unused_data


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_deflate,
}
