"""What readings leave behind and no reader needs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ds_provider.landing.manifest import Manifest
from ds_provider.landing.storage import names_in

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# A reading that was killed leaves parts that no manifest lists. None is still being written after so long, nor taken
# over: a checkpoint is too old long before.
ORPHANS_LIVE = timedelta(days=7)

_GENERATION = re.compile(r"\.?(\d{8}T\d{6}-[0-9a-f]{8})-")


def remove_orphans(folder: ObjectStoragePath, published: Manifest, previous: Manifest | None) -> None:
    """Remove what the last replacement left, and what killed readings left long ago. Never what may be in use.

    :param previous: what was published before: it is still being read.
    """
    horizon = (datetime.now(timezone.utc) - ORPHANS_LIVE).strftime("%Y%m%dT%H%M%S")
    kept = published.files | (previous.files if previous else set())
    for name in names_in(folder):
        named = _GENERATION.match(name)
        generation = named.group(1) if named else None
        if generation is None or name in kept:
            continue
        if generation < horizon or (previous and generation == previous.supersedes):
            (folder / name).unlink()
