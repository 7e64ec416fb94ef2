"""Attachments: their content, drawn from a key, and links to them that last an hour."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import threading
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from ds_provider.sandbox.world.clock import HOUR, MINUTE, SECOND
from ds_provider.sandbox.world.ids import seeded_rng

LIFETIME = HOUR
SCAN_DURATION = 10 * MINUTE
PDF = "application/pdf"
NAMES = (
    ("devis n°12.pdf", PDF),
    ("plan_été.png", "image/png"),
    ("RIB.pdf", PDF),
    ("relevé d'identité (copie).txt", "text/plain"),
    ("tableau.ods", "application/vnd.oasis.opendocument.spreadsheet"),
)


class Attachment(NamedTuple):
    """A file as the API knows it.

    :ivar created_at: microseconds since the epoch
    :ivar pseudo: made on demand (`pdf`, `geojson`): without size or checksum, and always new
    """

    key: str
    filename: str
    content_type: str
    created_at: int
    pseudo: bool = False


def make_attachment(key: str, created_at: int) -> Attachment:
    """Return the attachment with a key, which alone decides its name and content."""
    name, content_type = NAMES[seeded_rng("name", key).randrange(len(NAMES))]
    return Attachment(key, name, content_type, created_at)


@lru_cache(maxsize=4_096)
def content(key: str) -> bytes:
    """Return the content of a file: a few hundred bytes."""
    rng = seeded_rng("content", key)
    return f"%PDF-1.4\n% {key}\n".encode() + rng.randbytes(rng.randint(64, 512))


@lru_cache(maxsize=65_536)
def checksum(key: str) -> tuple[str, str]:
    """Return the base64 of the content's MD5, and its size in bytes, as the API writes both."""
    data = content(key)
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(), str(len(data))


@lru_cache(maxsize=65_536)
def _is_safe(key: str) -> bool:
    return seeded_rng("virus", key).random() > 0.01


def scan_result(file: Attachment, now: int) -> str:
    """Return the antivirus' result at an instant; a scan takes some minutes."""
    if file.pseudo or now < file.created_at + SCAN_DURATION:
        return "pending"
    return "safe" if _is_safe(file.key) else "infected"


def is_visible(file: Attachment, now: int) -> bool:
    """Return whether the API shows a file: infected files disappear without a notice."""
    return scan_result(file, now) != "infected"


class Signer:
    """Signs links, which differ at each call, and verifies them."""

    def __init__(self, seed: int) -> None:
        self._secret = hashlib.sha256(f"files/{seed}".encode()).digest()
        self._calls = itertools.count()
        self._lock = threading.Lock()

    def path(self, file: Attachment, now: int) -> str:
        """Return a path under the server's root, valid for an hour after `now` (microseconds since the epoch)."""
        with self._lock:
            call = next(self._calls)
        claim = f"{(now + LIFETIME) // SECOND}:{call}:{file.key}".encode()
        signed = urlsafe_b64encode(claim).rstrip(b"=").decode()
        return f"/files/{signed}--{self._sign(claim)}/{quote(file.filename)}"

    def read(self, token: str) -> tuple[str, int] | None:
        """Return the key and the expiry, in microseconds since the epoch, of a link's token; None if it is forged."""
        signed, _, signature = token.rpartition("--")
        try:
            claim = urlsafe_b64decode(signed + "=" * (-len(signed) % 4))
        except ValueError:
            return None
        if not hmac.compare_digest(self._sign(claim), signature):
            return None
        expires, _, key = claim.decode().split(":", 2)
        return key, int(expires) * SECOND

    def _sign(self, claim: bytes) -> str:
        return hmac.new(self._secret, claim, "sha256").hexdigest()[:32]
