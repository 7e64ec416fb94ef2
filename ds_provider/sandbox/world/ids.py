"""The API's identifiers, and random generators that depend on nothing but a seed and a name."""

from __future__ import annotations

from base64 import b64decode, b64encode
from random import Random


def typed_id(kind: str, key: int | str) -> str:
    """Return an id as graphql-ruby writes it: ``Dossier`` and 12 make ``RG9zc2llci0xMg==``."""
    return b64encode(f"{kind}-{key}".encode()).decode()


def read_id(text: str, kind: str) -> str | None:
    """Return the key in an id of this kind, None if the text is another kind's id or no id."""
    try:
        found, _, key = b64decode(text, validate=True).decode().partition("-")
    except ValueError:
        return None
    return key if found == kind else None


def seeded_rng(*parts: int | str) -> Random:
    """Return a generator whose numbers depend only on these parts, on any machine and in any order of calls."""
    return Random("/".join(map(str, parts)))
