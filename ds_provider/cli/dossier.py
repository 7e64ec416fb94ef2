"""``airflow ds dossier``: one dossier, as a table or as the API sends it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import parse_includes, parse_number
from ds_provider.cli.command import Row, command, print_rows
from ds_provider.cli.selections import included
from ds_provider.hooks.ds import DSHook

# these have rows of their own, or say nothing to a person
_LEFT_OUT = ("__typename", "id", "champs", "annotations")


@command
def dossier(args: Namespace) -> None:
    """Show one dossier, with the labels of its champs."""
    number, includes = parse_number(args.number, "number"), parse_includes(included(args))
    with DSHook(args.ds_conn_id).client() as client:
        found = client.result(lookups.get_dossier(number, includes))
    if args.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print_rows(list(rows_of(found)), args.output)


def rows_of(found: Mapping[str, Any]) -> Iterator[Row]:
    """Yield a row for each value of a dossier that is not empty, then for each of its champs and annotations."""
    for name, value in _values(found, ""):
        yield {"part": "dossier", "label": name, "value": value}
    for part in ("champs", "annotations"):
        for label, value in _champs(found.get(part) or (), ""):
            yield {"part": part, "label": label, "value": value}


def _values(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if name in _LEFT_OUT or value in (None, "", []):
            continue
        if isinstance(value, Mapping) and "filename" not in value:
            yield from _values(value, f"{prefix}{name}.")
        elif isinstance(value, list) and not any("filename" in one for one in value):
            for index, one in enumerate(value, 1):
                yield from _values(one, f"{prefix}{name} {index}.")
        else:
            yield f"{prefix}{name}", _file_names(value)


def _champs(champs: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[tuple[str, Any]]:
    for champ in champs:
        rows = champ.get("rows")
        if rows is None:
            yield f"{prefix}{champ['label']}", _file_names(champ.get("files")) or champ.get("stringValue")
        for index, row in enumerate(rows or (), 1):
            yield from _champs(row["champs"], f"{prefix}{champ['label']} {index} / ")


def _file_names(value: Any) -> Any:
    """Return the names of a file or of several, and anything else as it is."""
    files = value if isinstance(value, list) else [value]
    return ", ".join(file["filename"] for file in files) if files and _is_file(files[0]) else value


def _is_file(value: object) -> bool:
    return isinstance(value, Mapping) and "filename" in value
