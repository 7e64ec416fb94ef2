"""Faults that change a complete answer."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from ds_provider.sandbox.graphql.errors import error

JSON = dict[str, Any]
Path = tuple[Any, ...]


def row_lists(value: Any, path: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    """Yield each list of rows in an answer, with its path."""
    for key, child in value.items() if isinstance(value, dict) else ():
        if key == "nodes" and isinstance(child, list):
            yield (*path, key), child
        else:
            yield from row_lists(child, (*path, key))


def count_rows(answer: JSON) -> int:
    """Return the number of rows in an answer."""
    return sum(len(rows) for _, rows in row_lists(answer.get("data")))


def null_node(answer: JSON, rng: Random) -> JSON:
    """Replace one row with null, as the API does when its data is bad."""
    for path, rows in row_lists(answer["data"]):
        if rows:
            lost = rng.randrange(len(rows))
            field = ("Dossier", "demandeur") if path[-2] == "dossiers" else ("DeletedDossier", "reason")
            rows[lost] = None
            message = f"Cannot return null for non-nullable field {'.'.join(field)}"
            problem = error(message, "invalid_null", path=[*path, lost, field[1]])
            return {"errors": [*answer.get("errors", []), problem], "data": answer["data"]}
    return answer
