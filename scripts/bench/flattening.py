"""Measure how fast landed dossiers become tables, on one core: ``python -m scripts.bench.flattening [FOLDER]``.

FOLDER holds parts as the provider lands them, ``*.jsonl.gz``. Without one, the sandbox's dossiers are repeated, each
with 60 champs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
from isal import igzip

from ds_provider.api.paging.reader import read
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.transport.client import DSClient
from ds_provider.tables.rows.flatten import flatten
from scripts.bench.processes import sandbox
from scripts.bench.worker import cpu_seconds, peak_mb

BATCH = 500
SAMPLE = 500
CHAMPS, ANNOTATIONS = 50, 10
INCLUDES: dict[str, object] = {"messages": True, "avis": True, "labels": True, "corrections": True}


def main() -> None:
    parser = argparse.ArgumentParser(prog="flattening", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--dossiers", type=int, default=20_000, metavar="N", help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.folder:
        measure(arguments.folder)
    else:
        generate_and_measure(arguments.dossiers)


def measure(folder: Path) -> None:
    """Flatten all parts below a folder, and print what it took."""
    began, spent, idle = time.perf_counter(), cpu_seconds(), peak_mb()
    dossiers = rows = size = 0
    for lines in batches(folder):
        tables = flatten(lines, datetime.now(timezone.utc))
        dossiers += len(lines)
        rows += sum(table.num_rows for table in tables.values())
        size += sum(map(len, lines))
    cpu, wall = cpu_seconds() - spent, time.perf_counter() - began
    print(
        f"{dossiers:,} dossiers of {size / dossiers / 1000:.1f} kB, {rows:,} rows: "
        f"{dossiers / cpu:,.0f} dossiers a second of processor time, {dossiers / wall:,.0f} of the clock's; "
        f"peak {peak_mb():.0f} MB, {idle:.0f} of it at rest"
    )


def batches(folder: Path) -> Iterator[list[bytes]]:
    lines = (line for part in sorted(folder.rglob("*.jsonl.gz")) for line in igzip.open(part))
    while batch := list(islice(lines, BATCH)):
        yield batch


def generate_and_measure(dossiers: int) -> None:
    """Measure in a process of its own, which has never held the sample."""
    with tempfile.TemporaryDirectory(prefix="ds-bench-") as folder:
        sample = [widen(line) for line in read_sample(Path(folder))]
        with igzip.open(Path(folder) / "part.jsonl.gz", "wb", compresslevel=1) as part:
            part.writelines(line + b"\n" for line in islice(cycle(sample), dossiers))
        subprocess.run([sys.executable, "-m", "scripts.bench.flattening", folder], check=True)


def read_sample(folder: Path) -> list[bytes]:
    with sandbox(folder, SAMPLE) as service, DSClient(url=service.url, token=service.token, user_agent="") as client:
        flow = read(select_dossiers(service.groupe, includes=INCLUDES))
        return [row.raw for page in client.iterate(flow) for row in page.rows]


def widen(line: bytes) -> bytes:
    """Return the dossier with its champs repeated."""
    dossier = msgspec.json.decode(line)
    champs, annotations = repeated(dossier["champs"], CHAMPS), repeated(dossier["annotations"], ANNOTATIONS)
    return msgspec.json.encode({**dossier, "champs": champs, "annotations": annotations})


def repeated(champs: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [{**champ, "id": f"{champ['id']}{index}"} for index, champ in enumerate(islice(cycle(champs), count))]


if __name__ == "__main__":
    main()
