"""Dossiers as the API sends them, built by hand, and their rows."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from ds_provider.tables.rows.flatten import flatten

READ_AT = datetime(2026, 11, 25, 3, 0, tzinfo=timezone.utc)

JSON = dict[str, Any]
Rows = dict[str, list[JSON]]


def dossier(number: int = 1, **fields: Any) -> JSON:
    """Return a dossier without any part."""
    return {
        "__typename": "Dossier",
        "id": f"Dossier-{number}",
        "number": number,
        "dateDerniereModification": "2026-11-23T02:59:59+01:00",
        **fields,
    }


def champ(typename: str, string_value: str | None = "", **fields: Any) -> JSON:
    return {
        "__typename": typename,
        "id": "Champ-1",
        "champDescriptorId": "Descriptor-1",
        "label": "Libellé",
        "stringValue": string_value,
        "updatedAt": "2026-08-27T07:38:05+02:00",
        "prefilled": False,
        **fields,
    }


def file(filename: str = "devis n°12.pdf") -> JSON:
    return {
        "url": "https://stockage.example/devis.pdf?signature=abc",
        "filename": filename,
        "contentType": "application/pdf",
        "checksum": "VeKGQtyycZT+nSKY288CTA==",
        "byteSizeBigInt": "5000000000",
        "createdAt": "2026-08-27T07:38:05+02:00",
        "virusScanResult": "safe",
    }


def line(node: Any) -> bytes:
    return json.dumps(node, ensure_ascii=False).encode()


def rows_of(*nodes: JSON) -> Rows:
    """Return dossiers as rows by table, hard deletes included."""
    return rows_of_lines(*map(line, nodes))


def rows_of_lines(*lines: bytes) -> Rows:
    return {name: table.to_pylist() for name, table in flatten(lines, READ_AT).items()}


def champ_row(node: JSON) -> JSON:
    """Return the row of a champ."""
    (row,) = rows_of(dossier(champs=[node]))["champs"]
    return row


def values_of(row: JSON) -> JSON:
    """Return the typed values of a champ's row that are not null."""
    return {
        name: value for name, value in row.items() if name.endswith("_value") and name != "string_value"
        if value is not None
    }  # fmt: skip
