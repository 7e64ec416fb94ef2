"""What a fault does to an answer that is already there."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from ds_provider.sandbox.http.answers import error

JSON = dict[str, Any]
Path = tuple[Any, ...]


def row_lists(value: Any, path: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    """Each list of rows in an answer, with its path."""
    for key, below in value.items() if isinstance(value, dict) else ():
        if key == "nodes" and isinstance(below, list):
            yield (*path, key), below
        else:
            yield from row_lists(below, (*path, key))


def count_rows(answer: JSON) -> int:
    return sum(len(rows) for _, rows in row_lists(answer.get("data")))


def null_node(answer: JSON, rng: Random) -> JSON:
    """Lose one row to bad data."""
    for path, rows in row_lists(answer["data"]):
        if rows:
            lost = rng.randrange(len(rows))
            field = ("Dossier", "demandeur") if path[-2] == "dossiers" else ("DeletedDossier", "reason")
            rows[lost] = None
            message = f"Cannot return null for non-nullable field {'.'.join(field)}"
            told = error(message, "invalid_null", path=[*path, lost, field[1]])
            return {"errors": [*answer.get("errors", []), told], "data": answer["data"]}
    return answer
