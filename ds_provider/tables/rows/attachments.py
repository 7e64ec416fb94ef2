"""Files, and areas on a map: a row each, with the champ, message or avis that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ds_provider.tables.json.nodes import Dossier, File, GeoArea, read_geo_area
from ds_provider.tables.json.values import Columns, fields_of, parse_integer
from ds_provider.tables.rows.champs import Champs
from ds_provider.tables.rows.children import Children
from ds_provider.tables.schemas import ATTESTATION, AVIS, FICHIERS, GEO_AREAS, MESSAGES, MOTIVATION

COLUMNS = ("dossier_number", "part", "position", "parent_id", "champ_descriptor_id", "row_id")

# a file or an area, and the values of those columns
Attached = tuple[Any, int, str, int, str | None, str | None, str | None]


def fichier_columns(dossiers: Sequence[Dossier], champs: Mapping[str, Champs]) -> Columns:
    """Return the columns of ``fichiers``. Files that the service makes on demand are left out: ``pdf``, ``geojson``.

    :param champs: the dossiers' champs and annotations, by part.
    """
    found = [*_of_champs(champs, "files"), *_of_messages_and_avis(dossiers), *_of_dossiers(dossiers)]
    files = [file for file, *_ in found]
    sizes = [parse_integer(file.byte_size_big_int) for file in files]
    return {**_places(found), **fields_of(FICHIERS, File, files), "byte_size": sizes}


def geo_area_columns(champs: Mapping[str, Champs]) -> Columns:
    """Return the columns of ``geo_areas``.

    :param champs: champs and annotations, by part.
    """
    found = [*_of_champs(champs, "geo_areas")]
    areas = [read_geo_area(area) for area, *_ in found]
    return {**_places(found), **fields_of(GEO_AREAS, GeoArea, areas)}


def _of_champs(champs: Mapping[str, Champs], field: str) -> Iterator[Attached]:
    for part, found in champs.items():
        for index in found.indexes_with(field):
            champ, number, row_id = found.nodes[index], found.dossier_number[index], found.row_id[index]
            for position, node in enumerate(getattr(champ, field)):
                yield node, number, part, position, champ.id, champ.champ_descriptor_id, row_id


def _of_messages_and_avis(dossiers: Sequence[Dossier]) -> Iterator[Attached]:
    for part in (MESSAGES, AVIS):
        found = Children.of(dossiers, part)
        for parent, number in zip(found.nodes, found.dossier_number, strict=True):
            for position, file in enumerate(parent.attachments or ()):
                yield file, number, part, position, parent.id, None, None


def _of_dossiers(dossiers: Sequence[Dossier]) -> Iterator[Attached]:
    for dossier in dossiers:
        for part, file in ((ATTESTATION, dossier.attestation), (MOTIVATION, dossier.motivation_attachment)):
            if file:
                yield file, dossier.number, part, 0, None, None, None


def _places(found: Sequence[Attached]) -> Columns:
    _, *places = zip(*found, strict=True) if found else [()] * (1 + len(COLUMNS))
    return dict(zip(COLUMNS, places, strict=True))
