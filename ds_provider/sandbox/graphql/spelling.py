"""Suggestions for a name that does not exist, chosen as Ruby's did_you_mean chooses them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

CLOSE, CLOSE_TO_SHORT, SHORT = 0.834, 0.77, 3
PREFIX, PREFIX_WEIGHT, PREFIX_THRESHOLD = 4, 0.1, 0.7


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return the end of a message that suggests known names, empty if none is like the given one."""
    *others, last = [f"`{each}`" for each in suggestions(name, known)] or [""]
    if not last:
        return ""
    return f" (Did you mean {', '.join(others)} or {last}?)" if others else f" (Did you mean {last}?)"


def suggestions(name: str, known: Sequence[str]) -> list[str]:
    """Return the known names that may be a mistyped one's, the likeliest first."""
    wanted = name.lower()
    threshold = CLOSE if len(wanted) > SHORT else CLOSE_TO_SHORT
    close = [word for word in known if word != name and similarity(word.lower(), wanted) >= threshold]
    close = sorted(close, key=lambda word: similarity(word, wanted))[::-1]
    mistyped = [word for word in close if distance(word.lower(), wanted) <= ceil(len(wanted) * 0.25)]
    misspelt = [word for word in close if distance(word.lower(), wanted) < min(len(word), len(wanted))]
    return mistyped or misspelt[:1]


def similarity(one: str, other: str) -> float:
    """Return the Jaro-Winkler similarity of two words, from 0 to 1."""
    found = _jaro(*sorted((one, other), key=len))
    if found <= PREFIX_THRESHOLD:
        return found
    prefix = 0
    for left, right in zip(one[:PREFIX], other, strict=False):
        if left != right:
            break
        prefix += 1
    return found + prefix * PREFIX_WEIGHT * (1 - found)


def _jaro(short: str, long: str) -> float:
    reach = max(0, len(long) // 2 - 1)
    taken = [False] * len(long)
    matched = []
    for i, letter in enumerate(short):
        for j in range(max(0, i - reach), min(len(long), i + reach + 1)):
            if not taken[j] and long[j] == letter:
                taken[j] = True
                matched.append(letter)
                break
    if not matched:
        return 0.0
    in_order = [letter for letter, hit in zip(long, taken, strict=True) if hit]
    moved = sum(left != right for left, right in zip(matched, in_order, strict=True)) // 2
    count = len(matched)
    return (count / len(short) + count / len(long) + (count - moved) / count) / 3


def distance(one: str, other: str) -> int:
    """Return the Levenshtein distance of two words."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]
