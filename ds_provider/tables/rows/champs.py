"""Champs as rows: what they have in common, and one typed column for each kind of value."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from ds_provider.tables.json.lenient import dump
from ds_provider.tables.json.nodes import Champ, Dossier, read_linked_number
from ds_provider.tables.json.values import Columns, fields_of, integer, is_integer, json_text
from ds_provider.tables.rows.children import Children
from ds_provider.tables.schemas import Table

TYPED = (
    "text_value",
    "boolean_value",
    "integer_value",
    "decimal_value",
    "date_value",
    "timestamp_value",
    "json_value",
)

_UPPER = re.compile("[A-Z]")

Read = Callable[[Champ], Any]


class Champs(NamedTuple):
    """The champs of some dossiers, and where each stands, as lists of one length: roots first, then those in rows."""

    nodes: list[Champ]
    dossier_number: list[int]
    position: list[int]
    repetition_descriptor_id: list[str | None]
    row_id: list[str | None]
    row_index: list[int | None]

    @classmethod
    def of(cls, dossiers: Sequence[Dossier], part: str) -> Champs:
        """:param part: ``champs`` or ``annotations``."""
        roots = Children.of(dossiers, part)
        nowhere = [None] * len(roots.nodes)
        found = cls(*roots, [*nowhere], [*nowhere], [*nowhere])
        for index in found.with_field("rows"):
            found._add_rows(index)
        return found

    def with_field(self, name: str) -> list[int]:
        """Where those are that have something in a field."""
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
    """:param table: of champs or of annotations."""
    places = champs._asdict()
    nodes = places.pop("nodes")
    return {**places, **fields_of(table, Champ, nodes), **_values(nodes)}


def _values(champs: Sequence[Champ]) -> dict[str, list[Any]]:
    """The typed columns. Going type by type, only those that a type has are ever touched."""
    by_type: dict[str | None, list[int]] = defaultdict(list)
    for index, champ in enumerate(champs):
        by_type[champ.type].append(index)
    columns: dict[str, list[Any]] = {name: [None] * len(champs) for name in TYPED}
    for typename in by_type.keys() & VALUES.keys():
        for name, read in VALUES[typename].items():
            column = columns[name]
            for index in by_type[typename]:
                column[index] = read(champs[index])
    return columns


def _object(*names: str) -> Read:
    """An object of fields under the API's own names; null if all of them are."""
    template = b"{%b}" % b",".join(b'"%b":%%b' % name.encode() for name in names)
    nothing = template.replace(b"%b", b"null")
    fields = attrgetter(*(_UPPER.sub(r"_\g<0>", name).lower() for name in names))

    def read(champ: Champ) -> str | None:
        told = template % fields(champ)
        return None if told == nothing else json_text(told)

    return read


def _beyond_64_bits(champ: Champ) -> str | None:
    sent = champ.integer_number
    # most are far from it
    if sent is None or (isinstance(sent, str) and len(sent) < 19):
        return None
    digits = str(sent)
    return digits if is_integer(digits) and integer(sent) is None else None


def _linked_number(champ: Champ) -> int | None:
    """Where the link cannot be followed, the champ still tells the number in words."""
    number = read_linked_number(champ.dossier)
    return integer(champ.string_value) if number is None else number


def _geo_areas(champ: Champ) -> str | None:
    areas = champ.geo_areas
    return None if areas is None else json_text(b'{"geoAreas":[%b]}' % b",".join(map(bytes, areas)))


def _titre_identite(champ: Champ) -> str | None:
    told = {"grantType": champ.grant_type, "filled": champ.filled}
    return None if champ.grant_type is None and champ.filled is None else msgspec.json.encode(told).decode()


_read_etablissement = _object("etablissement")


def _etablissement(champ: Champ) -> str | None:
    """The one object that holds files: attestations of the entreprise, if the service has them."""
    text = _read_etablissement(champ)
    return text if text is None or '"url"' not in text else dump(_without_urls(json.loads(text)))


def _without_urls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_urls(item) for name, item in value.items() if name != "url"}
    return [_without_urls(item) for item in value] if isinstance(value, list) else value


def _files(champ: Champ) -> str | None:
    return None if champ.files is None else msgspec.json.encode(champ.files).decode()


VALUES: Final[Mapping[str | None, Mapping[str, Read]]] = MappingProxyType(
    {
        "TextChamp": {"text_value": attrgetter("value")},
        "DropDownListChamp": {"text_value": attrgetter("value")},
        "CiviliteChamp": {"text_value": attrgetter("civilite")},
        "CheckboxChamp": {"boolean_value": attrgetter("checked")},
        "YesNoChamp": {"boolean_value": attrgetter("selected")},
        "IntegerNumberChamp": {
            "integer_value": lambda champ: integer(champ.integer_number),
            "text_value": _beyond_64_bits,
        },
        "DecimalNumberChamp": {"decimal_value": attrgetter("decimal_number")},
        "DateChamp": {"date_value": attrgetter("date")},
        "DatetimeChamp": {"timestamp_value": attrgetter("datetime")},
        "DossierLinkChamp": {"integer_value": _linked_number, "json_value": _object("dossier")},
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
        "TitreIdentiteChamp": {"boolean_value": attrgetter("filled"), "json_value": _titre_identite},
    }
)
"""What each type of champ tells, by column. A type that is not here keeps its ``string_value``."""
