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
from ds_provider.sandbox.world.ids import dice

LIFETIME = HOUR
SCAN_TAKES = 10 * MINUTE
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


def draw(key: str, created_at: int) -> Attachment:
    """The attachment with this key: name and content depend on nothing else."""
    name, content_type = NAMES[dice("name", key).randrange(len(NAMES))]
    return Attachment(key, name, content_type, created_at)


@lru_cache(maxsize=4_096)
def content(key: str) -> bytes:
    """What is downloaded: a few hundred bytes."""
    rng = dice("content", key)
    return f"%PDF-1.4\n% {key}\n".encode() + rng.randbytes(rng.randint(64, 512))


@lru_cache(maxsize=65_536)
def checksum(key: str) -> tuple[str, str]:
    """Base64 of the content's MD5, and its size in bytes, as the API writes both."""
    data = content(key)
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(), str(len(data))


@lru_cache(maxsize=65_536)
def _healthy(key: str) -> bool:
    return dice("virus", key).random() > 0.01


def scan_result(file: Attachment, now: int) -> str:
    """What the antivirus says at this instant: it takes some minutes to find out."""
    if file.pseudo or now < file.created_at + SCAN_TAKES:
        return "pending"
    return "safe" if _healthy(file.key) else "infected"


def shown(file: Attachment, now: int) -> bool:
    """Infected files vanish from the API without a word."""
    return scan_result(file, now) != "infected"


class Signer:
    """Makes links that differ at each call, and reads them while they last."""

    def __init__(self, seed: int) -> None:
        self._secret = hashlib.sha256(f"files/{seed}".encode()).digest()
        self._calls = itertools.count()
        self._lock = threading.Lock()

    def path(self, file: Attachment, now: int) -> str:
        """A path under the server's root, good until an hour after `now` (microseconds)."""
        with self._lock:
            call = next(self._calls)
        claim = f"{(now + LIFETIME) // SECOND}:{call}:{file.key}".encode()
        signed = urlsafe_b64encode(claim).rstrip(b"=").decode()
        return f"/files/{signed}--{self._sign(claim)}/{quote(file.filename)}"

    def read(self, token: str) -> tuple[str, int] | None:
        """The key and the last instant (microseconds) of a link's token; None if it is not ours."""
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
