"""Champs as rows: the columns that all types share, and one typed column for each kind of value."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from ds_provider.tables.json.lenient import dump
from ds_provider.tables.json.nodes import Champ, Dossier, read_linked_number
from ds_provider.tables.json.values import Columns, fields_of, is_integer, json_text, parse_integer
from ds_provider.tables.rows.children import Children
from ds_provider.tables.schemas import VALUE_COLUMNS, Table

_UPPER = re.compile("[A-Z]")

Read = Callable[[Champ], Any]


class Champs(NamedTuple):
    """Champs of some dossiers, each with its place, as lists of one length: those of the root, then those in blocks."""

    nodes: list[Champ]
    dossier_number: list[int]
    position: list[int]
    repetition_descriptor_id: list[str | None]
    row_id: list[str | None]
    row_index: list[int | None]

    @classmethod
    def of(cls, dossiers: Sequence[Dossier], part: str) -> Champs:
        """Collect the champs of some dossiers.

        :param part: ``champs`` or ``annotations``.
        """
        roots = Children.of(dossiers, part)
        at_root = [None] * len(roots.nodes)
        found = cls(*roots, [*at_root], [*at_root], [*at_root])
        for index in found.indexes_with("rows"):
            found._add_rows(index)
        return found

    def indexes_with(self, name: str) -> list[int]:
        """Return the indexes of the champs whose field is not empty."""
        return [index for index, value in enumerate(map(attrgetter(name), self.nodes)) if value]

    def _add_rows(self, repetition: int) -> None:
        block, number = self.nodes[repetition], self.dossier_number[repetition]
        for row_index, row in enumerate(block.rows or ()):
            champs = row.champs or ()
            self.nodes.extend(champs)
            self.dossier_number.extend(repeat(number, len(champs)))
            self.position.extend(range(len(champs)))
            self.repetition_descriptor_id.extend(repeat(block.champ_descriptor_id, len(champs)))
            self.row_id.extend(repeat(row.id, len(champs)))
            self.row_index.extend(repeat(row_index, len(champs)))


def champ_columns(table: Table, champs: Champs) -> Columns:
    """Return the columns of ``champs`` or ``annotations``.

    :param table: one of these two.
    """
    places = champs._asdict()
    nodes = places.pop("nodes")
    return {**places, **fields_of(table, Champ, nodes), **_values(nodes)}


def _values(champs: Sequence[Champ]) -> dict[str, list[Any]]:
    """Return the typed columns. Type by type, so that a champ costs no more than the columns that its type has."""
    by_type: dict[str | None, list[int]] = defaultdict(list)
    for index, champ in enumerate(champs):
        by_type[champ.type].append(index)
    columns: dict[str, list[Any]] = {name: [None] * len(champs) for name in VALUE_COLUMNS}
    for typename, readers in VALUES.items():
        for name, read in readers.items():
            column = columns[name]
            for index in by_type.get(typename, ()):
                column[index] = read(champs[index])
    return columns


def _object(*names: str) -> Read:
    """Read an object of fields under the API's own names; null if all of them are."""
    template = b"{%b}" % b",".join(b'"%b":%%b' % name.encode() for name in names)
    nothing = template.replace(b"%b", b"null")
    fields = attrgetter(*(_UPPER.sub(r"_\g<0>", name).lower() for name in names))

    def read(champ: Champ) -> str | None:
        sent = template % fields(champ)
        return None if sent == nothing else json_text(sent)

    return read


def _beyond_64_bits(champ: Champ) -> str | None:
    sent = champ.integer_number
    # most are far from it
    if sent is None or (isinstance(sent, str) and len(sent) < 19):
        return None
    digits = str(sent)
    return digits if is_integer(digits) and parse_integer(sent) is None else None


def _linked_number(champ: Champ) -> int | None:
    """Return the linked dossier's number. Where the link cannot be followed, the champ still has it as a text."""
    number = read_linked_number(champ.dossier)
    return parse_integer(champ.string_value) if number is None else number


def _geo_areas(champ: Champ) -> str | None:
    areas = champ.geo_areas
    return None if areas is None else json_text(b'{"geoAreas":[%b]}' % b",".join(map(bytes, areas)))


def _titre_identite(champ: Champ) -> str | None:
    sent = {"grantType": champ.grant_type, "filled": champ.filled}
    return None if champ.grant_type is None and champ.filled is None else msgspec.json.encode(sent).decode()


_read_etablissement = _object("etablissement")


def _etablissement(champ: Champ) -> str | None:
    """Return the one object that holds files: attestations of the entreprise, if the service has them."""
    text = _read_etablissement(champ)
    return text if text is None or '"url"' not in text else dump(_without_urls(json.loads(text)))


def _without_urls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_urls(item) for name, item in value.items() if name != "url"}
    return [_without_urls(item) for item in value] if isinstance(value, list) else value


def _files(champ: Champ) -> str | None:
    return None if champ.files is None else msgspec.json.encode(champ.files).decode()


VALUES: Final[Mapping[str, Mapping[str, Read]]] = {
    "TextChamp": {"text_value": attrgetter("value")},
    "DropDownListChamp": {"text_value": attrgetter("value")},
    "CiviliteChamp": {"text_value": attrgetter("civilite")},
    "CheckboxChamp": {"boolean_value": attrgetter("checked")},
    "YesNoChamp": {"boolean_value": attrgetter("selected")},
    "IntegerNumberChamp": {
        "integer_value": lambda champ: parse_integer(champ.integer_number),
        "text_value": _beyond_64_bits,
    },
    "DecimalNumberChamp": {"decimal_value": attrgetter("decimal_number")},
    "DateChamp": {"date_value": attrgetter("date")},
    "DatetimeChamp": {"timestamp_value": attrgetter("datetime")},
    "DossierLinkChamp": {"integer_value": _linked_number, "json_value": _object("dossier")},  # the dossier's number
    "HeaderSectionChamp": {"integer_value": attrgetter("level")},
    "RepetitionChamp": {"integer_value": lambda champ: None if champ.rows is None else len(champ.rows)},
    "AddressChamp": {"json_value": _object("address", "commune", "departement")},
    "CarteChamp": {"json_value": _geo_areas},
    "CommuneChamp": {"json_value": _object("commune", "departement")},
    "DepartementChamp": {"json_value": _object("departement")},
    "EngagementJuridiqueChamp": {"json_value": _object("engagementJuridique")},
    "EpciChamp": {"json_value": _object("epci", "departement")},
    "LinkedDropDownListChamp": {"json_value": _object("primaryValue", "secondaryValue")},
    "MultipleDropDownListChamp": {"json_value": lambda champ: json_text(bytes(champ.values))},
    "PaysChamp": {"json_value": _object("pays")},
    "PieceJustificativeChamp": {"json_value": _files},
    "RegionChamp": {"json_value": _object("region")},
    "RNAChamp": {"json_value": _object("rna", "commune", "departement")},
    "RNFChamp": {"json_value": _object("rnf", "commune", "departement")},
    "SiretChamp": {"json_value": _etablissement},
    # whether it was filled in: the service gives no more of it
    "TitreIdentiteChamp": {"boolean_value": attrgetter("filled"), "json_value": _titre_identite},
}
"""Readers of typed values by type of champ and by column: the first column is that of the type's kind.

A type that is not here keeps its ``string_value``.
"""
