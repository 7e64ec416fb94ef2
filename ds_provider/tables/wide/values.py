"""Values of champs that have columns in a wide table: the answer, and the parts of its object.

The answer of a champ with an object is its text, which the service gives although it may have found no object. JSON
stays in the long tables.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.json.values import parse_integer
from ds_provider.tables.rows.building import array_of
from ds_provider.tables.rows.kinds import KINDS
from ds_provider.tables.schemas import TEXT, VALUE_COLUMNS

_UPPER = re.compile("[A-Z]")

Read = Callable[[Any], Any]


class Value(NamedTuple):
    """Value of a champ that has a column of its own.

    :param kind: of the column, see :data:`~ds_provider.tables.schemas.VALUE_COLUMNS`.
    :param source: the column of the long table that holds it.
    :param path: its place in the champ, as the API names it; null for the answer.
    :param suffix: what its column's name adds to that of the answer.
    :param otherwise: reads it from the champ's JSON where it is missing.
    """

    kind: str
    source: str
    path: str | None = None
    suffix: str | None = None
    otherwise: Read | None = None


def values_of(typename: str) -> tuple[Value, ...]:
    """Return the values of a type of champs, the answer first. Of a type that the API had not yet, it is the text."""
    return _VALUES.get(typename, (TEXT_VALUE,))


def text_without_value(typename: str, columns: Mapping[str, pa.Array]) -> pa.Array | None:
    """Return which rows have an answer as a text alone: a number beyond 64 bits, a date beyond the years 1 to 9999.

    :param columns: of the long table, with the rows of one champ.
    """
    kind = KINDS.get(typename)
    if kind not in _MAY_BE_TEXT or values_of(typename)[0].kind != kind:
        return None
    answered = pc.not_equal(pc.fill_null(columns["string_value"], ""), "")
    return pc.and_(pc.is_null(columns[f"{kind}_value"]), answered)


def arrays_of(values: Sequence[Value], columns: Mapping[str, pa.Array]) -> Iterator[pa.Array]:
    """Yield the column of each value.

    :param columns: of the long table, with the rows of one champ.
    """
    needs_json = any(value.source == "json_value" or value.otherwise for value in values)
    documents = [*map(_document, columns["json_value"].to_pylist())] if needs_json else []
    for value in values:
        sent = columns[value.source]
        if value.path is not None and value.source == "json_value":
            yield _parts(documents, value)
        elif value.otherwise is not None:
            yield _filled(sent, array_of([_text(value.otherwise(document)) for document in documents], TEXT))
        elif value.source == "text_value":
            yield _filled(sent, columns["string_value"])
        else:
            yield sent


def _filled(texts: pa.Array, others: pa.Array) -> pa.Array:
    """Return texts, and others in place of those that are missing."""
    missing = pc.and_(pc.equal(pc.fill_null(texts, ""), ""), pc.not_equal(pc.fill_null(others, ""), ""))
    return pc.if_else(missing, others, texts)


def _document(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):  # digits or nesting without end
        return None


def _parts(documents: Sequence[Any], value: Value) -> pa.Array:
    path, convert = str(value.path), _CONVERTERS[value.kind]
    parts = [convert(_at(document, path)) for document in documents]
    if value.otherwise is not None:
        parts = [
            convert(value.otherwise(document)) if part is None else part
            for part, document in zip(parts, documents, strict=True)
        ]
    return array_of(parts, VALUE_COLUMNS[f"{value.kind}_value"])


def _at(document: Any, path: str) -> Any:
    """Return what is at a path such as ``address.geometry.coordinates.0``, or null."""
    for name in path.split("."):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def _text(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _decimal(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # an integer may be too large for a float
    return float(value) if is_number and abs(value) < 2**1023 and math.isfinite(value) else None


_CONVERTERS: Final[Mapping[str, Read]] = {
    "text": _text,
    "date": _text,
    "decimal": _decimal,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "integer": lambda value: parse_integer(_text(value)),
}
# kinds that may not hold what somebody wrote
_MAY_BE_TEXT = frozenset({"integer", "decimal", "date", "timestamp"})


def _from(path: str) -> Read:
    return lambda document: _at(document, path)


def _join(texts: Sequence[str | None]) -> str | None:
    return ", ".join(text for text in texts if text) or None


def _filenames(files: Any) -> str | None:
    return _join([_text(_at(file, "filename")) for file in files]) if isinstance(files, list) else None


def _areas(document: Any) -> str | None:
    areas = _at(document, "geoAreas")
    return _join([*map(_area, areas)]) if isinstance(areas, list) else None


def _area(area: Any) -> str | None:
    """Return what a person knows an area by: its description, its parcel's reference, or where it comes from."""
    parcel = [_text(_at(area, name)) for name in ("commune", "prefixe", "section", "numero")]
    return _text(_at(area, "description")) or " ".join(filter(None, parcel)) or _text(_at(area, "source"))


def _snake(path: str) -> str:
    return _UPPER.sub(r"_\g<0>", path).lower().replace(".", "_")


def _part(path: str, *, of: str = "", kind: str = "text", otherwise: str | None = None) -> Value:
    """Return a part.

    :param of: the champ's own object, which its columns' names leave out.
    """
    whole = f"{of}.{path}" if of else path
    return Value(kind, "json_value", whole, _snake(path), _from(otherwise) if otherwise else None)


def _object(of: str, *names: str) -> tuple[Value, ...]:
    return tuple(_part(name, of=of) for name in names)


def _point(address: str) -> tuple[Value, ...]:
    """Return the coordinates of an address: GeoJSON has the longitude first."""
    prefix = _snake(address.partition(".")[2])
    return tuple(
        Value("decimal", "json_value", f"{address}.geometry.coordinates.{place}", f"{prefix}_{name}".strip("_"))
        for place, name in enumerate(("longitude", "latitude"))
    )


TEXT_VALUE = Value("text", "string_value")
_PLACE = ("label", "postalCode", "cityName", "cityCode")
_REGION = ("departmentName", "departmentCode", "regionName", "regionCode")
_COMMUNE = (_part("commune.name"), _part("commune.code"), _part("commune.postalCode"))
_DEPARTEMENT = (_part("departement.name"), _part("departement.code"))

# an address that was not found in the national base may still have its commune and département
_ADDRESS = (
    _part("label", of="address"),
    _part("streetAddress", of="address"),
    _part("postalCode", of="address", otherwise="commune.postalCode"),
    _part("cityName", of="address", otherwise="commune.name"),
    _part("cityCode", of="address", otherwise="commune.code"),
    _part("departmentName", of="address", otherwise="departement.name"),
    _part("departmentCode", of="address", otherwise="departement.code"),
    *_object("address", "regionName", "regionCode", "countryName", "countryCode"),
    *_point("address"),
)
_ETABLISSEMENT = (
    # the answer is the number, also where the service does not find the établissement
    Value("text", "string_value", "etablissement.siret", "siret"),
    *_object("etablissement", "naf", "libelleNaf"),
    _part("siegeSocial", of="etablissement", kind="boolean"),
    *_object("etablissement", *(f"address.{name}" for name in (*_PLACE, *_REGION))),
    *_point("etablissement.address"),
    *_object("etablissement", *(f"entreprise.{name}" for name in ("siren", "raisonSociale", "nomCommercial"))),
    *_object("etablissement", *(f"entreprise.{name}" for name in ("formeJuridique", "formeJuridiqueCode"))),
    *_object("etablissement", *(f"entreprise.{name}" for name in ("codeEffectifEntreprise", "etatAdministratif"))),
    _part("entreprise.dateCreation", of="etablissement", kind="date"),
    *_object("etablissement", "association.rna", "association.titre"),
)


def _register(of: str) -> tuple[Value, ...]:
    """Return the parts of an entry in a register, of associations or foundations."""
    return *_object(of, "id", "title", *(f"address.{name}" for name in _PLACE)), *_COMMUNE, *_DEPARTEMENT


_PARTS: Final[Mapping[str, tuple[Value, ...]]] = {
    "AddressChamp": _ADDRESS,
    "CommuneChamp": (*_object("commune", "name", "code", "postalCode"), *_DEPARTEMENT),
    "DepartementChamp": _object("departement", "name", "code"),
    "RegionChamp": _object("region", "name", "code"),
    "PaysChamp": _object("pays", "name", "code"),
    "EpciChamp": (*_object("epci", "name", "code"), *_DEPARTEMENT),
    "RNAChamp": _register("rna"),
    "RNFChamp": _register("rnf"),
    "SiretChamp": _ETABLISSEMENT,
    # where the link cannot be followed, the number is known all the same
    "DossierLinkChamp": (Value("integer", "integer_value", "dossier.number", "number"),),
    "LinkedDropDownListChamp": (_part("primaryValue"), _part("secondaryValue")),
}
_WITHOUT_TEXT: Final[Mapping[str, Read]] = {"PieceJustificativeChamp": _filenames, "CarteChamp": _areas}
"""Types to which the service gives no text: it is made of their files or areas."""


def _values(typename: str, kind: str) -> tuple[Value, ...]:
    if typename in _WITHOUT_TEXT:
        return (TEXT_VALUE._replace(otherwise=_WITHOUT_TEXT[typename]),)
    if kind == "json" or typename in _PARTS:
        return TEXT_VALUE, *_PARTS.get(typename, ())
    return (Value(kind, f"{kind}_value"),)


_VALUES: Final = {typename: _values(typename, kind) for typename, kind in KINDS.items()}
