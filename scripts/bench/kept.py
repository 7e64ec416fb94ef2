"""Compare the rows that a contender kept with the API's."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec


class Row(msgspec.Struct):
    number: int


decoder = msgspec.json.Decoder(Row | None)


def count(folder: Path, truth: Path | None) -> tuple[int, int]:
    """Count the kept dossiers, and those that differ from the API's. Without a truth, the second is 0."""
    if truth is None:
        return len(numbers(folder)), 0
    there, kept = json.loads(truth.read_text()), digests(folder)
    return len(kept), sum(there.get(str(number)) != digest for number, digest in kept.items())


def numbers(folder: Path) -> set[int]:
    # a contender that keeps a null for a dossier has not kept the dossier
    return {row.number for row in map(decoder.decode, lines_of(folder)) if row is not None}


def digests(folder: Path) -> dict[int, str]:
    """Return a digest of each row by its number. The order and spacing of its JSON do not matter."""
    rows = (json.loads(line, object_hook=without_url) for line in lines_of(folder))
    return {row["number"]: digest(row) for row in rows if row is not None}


def digest(row: dict[str, Any]) -> str:
    return hashlib.md5(json.dumps(row, sort_keys=True).encode()).hexdigest()


def without_url(value: dict[str, Any]) -> dict[str, Any]:
    """Replace a file's URL, which is signed anew in each answer, by whether there is one."""
    return {**value, "url": value["url"] is not None} if "url" in value else value


def lines_of(folder: Path) -> Iterator[bytes]:
    for path in files_of(folder):
        with gzip.open(path) as lines:
            yield from lines


def files_of(folder: Path) -> Iterator[Path]:
    """Find a contender's own file, or the parts that a landing zone's manifests list: readers trust nothing else."""
    yield from folder.glob("*.jsonl.gz")
    for manifest in folder.rglob("manifest.json"):
        yield from (manifest.with_name(part["name"]) for part in json.loads(manifest.read_text())["parts"])
