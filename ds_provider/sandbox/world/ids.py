"""The API's identifiers, and random numbers that depend on nothing but the seed and a name."""

from __future__ import annotations

from base64 import b64decode, b64encode
from random import Random


def typed_id(kind: str, key: int | str) -> str:
    """``Dossier`` and 12 make ``RG9zc2llci0xMg==``, as graphql-ruby writes its ids."""
    return b64encode(f"{kind}-{key}".encode()).decode()


def read_id(text: str, kind: str) -> str | None:
    """The key within an id of this kind, None where it is another kind's or no id."""
    try:
        found, _, key = b64decode(text, validate=True).decode().partition("-")
    except ValueError:
        return None
    return key if found == kind else None


def dice(*parts: int | str) -> Random:
    """The same parts give the same throws, on any machine and in any order of asking."""
    return Random("/".join(map(str, parts)))
