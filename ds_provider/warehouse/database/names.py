"""Names that the database keeps to their full length."""

from __future__ import annotations

import hashlib

# Postgres cuts longer ones without an error
MAX_BYTES = 63
_DIGEST = 8


def index_name(table: str, column: str) -> str:
    """Return the name of a column's index, which no other index and no table has."""
    # tables share the names of indexes, and no table of ours begins so
    return cut(f"idx_{table}__{column}")


def cut(name: str, max_bytes: int = MAX_BYTES) -> str:
    """Return a name of so many bytes at the most: one that is cut ends with a hash of the whole, and stays unique."""
    encoded = name.encode()
    if len(encoded) <= max_bytes:
        return name
    kept = encoded[: max_bytes - _DIGEST - 1].decode(errors="ignore")
    return f"{kept}_{hashlib.sha256(encoded).hexdigest()[:_DIGEST]}"
