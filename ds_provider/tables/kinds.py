"""Of what kind a champ's value is, by the type that the API gives the champ."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

TEXT, BOOLEAN, INTEGER, DECIMAL = "text", "boolean", "integer", "decimal"
DATE, TIMESTAMP, JSON = "date", "timestamp", "json"

KINDS: Final = MappingProxyType(
    {
        "TextChamp": TEXT,
        "DropDownListChamp": TEXT,
        "CiviliteChamp": TEXT,
        "CheckboxChamp": BOOLEAN,
        "YesNoChamp": BOOLEAN,
        "TitreIdentiteChamp": BOOLEAN,  # whether it was filled in: the service gives no more of it
        "IntegerNumberChamp": INTEGER,
        "DossierLinkChamp": INTEGER,  # the dossier's number
        "DecimalNumberChamp": DECIMAL,
        "DateChamp": DATE,
        "DatetimeChamp": TIMESTAMP,
        "AddressChamp": JSON,
        "CarteChamp": JSON,
        "CommuneChamp": JSON,
        "DepartementChamp": JSON,
        "EngagementJuridiqueChamp": JSON,
        "EpciChamp": JSON,
        "LinkedDropDownListChamp": JSON,
        "MultipleDropDownListChamp": JSON,
        "PaysChamp": JSON,
        "PieceJustificativeChamp": JSON,
        "RNAChamp": JSON,
        "RNFChamp": JSON,
        "RegionChamp": JSON,
        "SiretChamp": JSON,
    }
)
"""The kind by the champ's ``__typename``. A type that is not here is text: its ``stringValue``."""

REPETITION: Final = "RepetitionChamp"
WITHOUT_VALUE: Final = frozenset({"HeaderSectionChamp", "ExplicationChamp"})
"""Types that only lay out the form."""


def kind_of(typename: str) -> str:
    """The kind of a champ's value."""
    return KINDS.get(typename, TEXT)


def has_value(typename: str) -> bool:
    """Whether there is a value to a champ itself: a repetition's are in its rows."""
    return typename not in WITHOUT_VALUE and typename != REPETITION


def champ_type(descriptor_typename: str) -> str:
    """The type of the champs of a descriptor, as far as its kind goes: ``DateChampDescriptor`` → ``DateChamp``.

    The form has more types than the champs have, and those beyond are texts (``EmailChampDescriptor``, …), but for
    the numbers of old forms, which the service gives as integers.
    """
    typename = descriptor_typename.removesuffix("Descriptor")
    if typename == "NumberChamp":
        return "IntegerNumberChamp"
    return typename if typename in KINDS or not has_value(typename) else "TextChamp"
