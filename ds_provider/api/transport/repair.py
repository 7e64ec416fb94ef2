"""Repair of a body that is whole, but holds values that are no JSON.

Ruby and JavaScript pass on what strict decoders refuse: halves of a character, control characters, bytes that are not
UTF-8, numbers such as NaN, and values that are nested without end. Texts are repaired. What cannot be repaired becomes
null, and is marked by blanks that no response has, so that whoever reads a dossier's node knows of it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

MAX_SHOWN = 40
# decoders call themselves for each level: what they can take depends on who called them
MAX_DEPTH = 200

_MARK = b"\t" * 64
# before a value: it was repaired, or could not be
REPAIRED, UNREADABLE = _MARK + b" ", _MARK + b"\r"

# a text that was cut goes to the end: nothing is read twice
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^\s"\[\]{}:,]+', re.DOTALL)
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_PLAIN = re.compile(rb'"[ !#-\[\]-~]*"')
_LITERAL = re.compile(rb"true|false|null|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
# what is right is matched first, and stays
_PART = re.compile(
    rb"(?P<right>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb'|\\["\\/bfnrt])'
    rb"|\\u[dD][0-9a-fA-F]{3}|\\|[\x00-\x1f]"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
# a text that goes over several lines keeps them
_BLANKS = {b"\t": rb"\t", b"\n": rb"\n", b"\r": rb"\r"}


@dataclass
class Repair:
    """Repair of a body.

    :param decodes_numbers: true if all numbers are to be decoded: one that is larger than a float can be is unreadable.
    :ivar repaired: how many texts were repaired.
    :ivar unreadable: the values that could not be.
    """

    decodes_numbers: bool = True
    repaired: int = field(default=0, init=False)
    unreadable: list[str] = field(default_factory=list, init=False)

    def run(self, body: bytes) -> bytes:
        """Return a body in which each value is JSON. One that was cut stays so."""
        return self._without_depths(_TOKEN.sub(self._repair_token, body))

    def _without_depths(self, body: bytes) -> bytes:
        """Return a body without the values that are nested too deeply."""
        kept, begins, ends, depth = [], 0, 0, 0
        for found in _STRUCTURE.finditer(body):
            if found[0] in (b"[", b"{"):
                depth += 1
                begins = found.start() if depth == MAX_DEPTH + 1 else begins
            elif found[0] in (b"]", b"}"):
                if depth == MAX_DEPTH + 1:
                    kept += [body[ends:begins], self._mark_unreadable(body[begins : found.end()])]
                    ends = found.end()
                depth -= 1
        return b"".join([*kept, body[ends:]]) if kept else body

    def _repair_token(self, found: re.Match[bytes]) -> bytes:
        token = found[0]
        if token[:1] != b'"':
            return token if self._is_readable(token) else self._mark_unreadable(token)
        if _PLAIN.fullmatch(token):
            return token
        text = _PART.sub(_repair_part, token.decode("utf-8", "replace").encode())
        if text == token:
            return token
        self.repaired += 1
        return REPAIRED + text

    def _is_readable(self, token: bytes) -> bool:
        found = _LITERAL.fullmatch(token)
        return found is not None and not (self.decodes_numbers and found["number"] and math.isinf(float(token)))

    def _mark_unreadable(self, token: bytes) -> bytes:
        self.unreadable.append(token.decode("utf-8", "replace")[:MAX_SHOWN])
        return UNREADABLE + b"null"


def take_marks(node: bytes) -> tuple[bytes, int, int]:
    """Return a node without its marks, and how many of its values were repaired and could not be."""
    if _MARK not in node:
        return node, 0, 0
    repaired, unreadable = node.count(REPAIRED), node.count(UNREADABLE)
    return node.replace(REPAIRED, b"").replace(UNREADABLE, b""), repaired, unreadable


def _repair_part(found: re.Match[bytes]) -> bytes:
    return found[0] if found["right"] else _BLANKS.get(found[0], _REPLACEMENT)
