"""Forms, and tables of champs, built by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from ds_provider.tables.schemas import ANNOTATION_ROWS, CHAMP_ROWS, CHAMPS, DOSSIERS
from ds_provider.tables.wide.grouping import ChampValue

DEMARCHE = 123
READ_AT = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)

Row = dict[str, Any]


def champ(
    id: str, label: str, kind: str = "text", *, block: str | None = None, of: int = DEMARCHE, part: str = CHAMPS
) -> ChampValue:
    return ChampValue(of, part, block, id, None, kind, label, block or "")


def row(dossier: int, id: str | None, type: str = "TextChamp", label: str = "", **values: Any) -> Row:
    """Return a row of ``champs``; without an id, the hard delete of a dossier that has none."""
    if id is None:
        return {"dossier_number": dossier, "_erased": True}
    return {"dossier_number": dossier, "champ_descriptor_id": id, "type": type, "label": label or id, **values}


def batch(
    champs: Iterable[Row] = (), annotations: Iterable[Row] = (), of: dict[int, int] | None = None
) -> tuple[pa.Table, dict[str, pa.Table]]:
    """Return the tables of a batch.

    :param of: the démarche of each dossier, by its number.
    """
    champs, annotations = list(champs), list(annotations)
    numbers = dict.fromkeys(row["dossier_number"] for row in [*champs, *annotations])
    dossiers = [{"number": number, "demarche_number": (of or {}).get(number, DEMARCHE)} for number in numbers]
    tables = {
        table.name: pa.Table.from_pylist([{"_erased": False, **row} for row in rows], schema=table.schema)
        for table, rows in ((CHAMP_ROWS, champs), (ANNOTATION_ROWS, annotations))
    }
    return pa.Table.from_pylist(dossiers, schema=DOSSIERS.schema), tables


def descriptor(id: str, label: str, type: str = "Text", **more: Any) -> Row:
    """Return a champ of a form, as the API sends it."""
    return {"__typename": f"{type}ChampDescriptor", "id": id, "label": label, "required": False, **more}


def revision(
    id: str, champs: list[Row], annotations: list[Row] | None = None, *, published: str | None = "2026-01-01"
) -> Row:
    return {
        "id": id,
        "dateCreation": "2025-12-01T10:00:00+01:00",
        "datePublication": published and f"{published}T10:00:00+01:00",
        "champDescriptors": champs,
        "annotationDescriptors": annotations or [],
    }


def demarche(*revisions: Row, number: int = DEMARCHE) -> Row:
    return {"number": number, "revisions": list(revisions), "groupeInstructeurs": []}
