"""Kinds of values of champs, by the type that the API gives a champ."""

from __future__ import annotations

from typing import Final

from ds_provider.tables.rows.champs import VALUES

REPETITION: Final = "RepetitionChamp"
WITHOUT_VALUE: Final = frozenset({"HeaderSectionChamp", "ExplicationChamp"})
"""Types that only lay out the form."""


def has_value(typename: str) -> bool:
    """Return whether a champ of this type has a value itself: a repetition's values are in its rows."""
    return typename not in WITHOUT_VALUE and typename != REPETITION


KINDS: Final = {
    typename: next(iter(readers)).removesuffix("_value") for typename, readers in VALUES.items() if has_value(typename)
}
"""The kind by the champ's ``__typename``: that of its first typed column. A type that is not here is text: its
``stringValue``."""


def champ_type(descriptor_typename: str) -> str:
    """Return a type of champ that has the kind of a descriptor's champs: ``DateChampDescriptor`` → ``DateChamp``.

    Forms have more types than champs have. The others are texts (``EmailChampDescriptor``, …), except for the numbers
    of old forms, which the service gives as integers.
    """
    typename = descriptor_typename.removesuffix("Descriptor")
    if typename == "NumberChamp":
        return "IntegerNumberChamp"
    return typename if typename in KINDS or not has_value(typename) else "TextChamp"
