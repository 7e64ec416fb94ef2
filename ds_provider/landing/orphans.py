"""Orphans: files that no manifest lists and no reader needs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ds_provider.landing.layout import files_in, generation_time
from ds_provider.landing.manifest import Manifest

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# An extraction that was killed leaves parts that no manifest lists. None is still being written after that time, nor
# resumed: a checkpoint is too old long before.
ORPHANS_LIVE = timedelta(days=7)


def remove_orphans(folder: ObjectStoragePath, published: Manifest, previous: Manifest | None) -> None:
    """Remove what the last replacement left, and what killed extractions left long ago. Never what may be in use.

    :param previous: what was published before: it is still being read.
    """
    horizon = generation_time(datetime.now(timezone.utc) - ORPHANS_LIVE)
    kept = published.files | (previous.files if previous else set())
    for file in files_in(folder):
        if file.name in kept:
            continue
        if file.generation < horizon or (previous and file.generation == previous.supersedes):
            (folder / file.name).unlink()
