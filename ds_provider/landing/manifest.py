"""Manifest: the one file that says what an extract holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.layout import MANIFEST, scratch_name
from ds_provider.landing.storage import names_in, replace_file

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

SCHEMA_VERSION = 1


class Part(msgspec.Struct, frozen=True):
    """File of rows.

    :param name: relative to the manifest. It begins with the generation that wrote it.
    :param rows: the count of its lines.
    :param bytes: its size as stored, compressed.
    :param sha256: of the stored bytes, in hexadecimal.
    """

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Content of an extract, and how it was read.

    :param schema_version: of the manifest itself; 1.
    :param groupe_instructeur_number: the group.
    :param groupe_instructeur_label: the group's name for people, as it was then; null if no response said it.
    :param stream: ``dossiers``, ``deleted_dossiers`` or ``pending_deleted_dossiers``.
    :param demarche_number: the démarche of its dossiers; null without any, and for deletions, which do not say it.
    :param window: its bounds, ISO 8601 in UTC, either of which may be null; null if the full group was read.
    :param date_column: the date that the bounds are about.
    :param read_from: where reading began: before the window's start by the lookback.
    :param selection: what differed from a plain read (a state, a revision, the parts of a dossier…).
    :param fingerprint: of the query's text and of all that chose the rows.
    :param rows: of all parts.
    :param bytes: of all parts, as stored.
    :param pages: how many were read for it; none of a group that was known to hold nothing in the window.
    :param requests: how many were sent for it, failed ones included; of a killed try, one for each page at least.
    :param quarantined: how many dossiers the service lists but could not give; none of them is among the rows.
    :param parts: the files of rows. Some may be of an earlier try from which this one resumed.
    :param quarantine: the file of those dossiers, one JSON line each; null if there is none.
    :param first_date: the smallest date of the date column among the rows.
    :param last_date: the largest date, or the earlier one of a row that changed while it was read: an extraction from
        there on misses nothing.
    :param read_started_at: when the first page was asked for, by the first of the tries that read it; by the service's
        clock, as the next one, so that extracts of several workers are in order.
    :param read_finished_at: when the last page was there.
    :param clock_correction: seconds from the worker's clock to the service's.
    :param generation: names this extraction.
    :param supersedes: the generation that this one replaced, whose parts stay until the next replacement.
    """

    schema_version: int = SCHEMA_VERSION
    groupe_instructeur_number: int
    groupe_instructeur_label: str | None = None
    stream: str
    demarche_number: int | None = None
    window: tuple[str | None, str | None] | None
    date_column: str | None
    read_from: str | None
    selection: dict[str, Any]
    fingerprint: str
    rows: int
    bytes: int
    pages: int
    requests: int
    quarantined: int
    parts: list[Part]
    quarantine: Part | None = None
    first_date: datetime | None
    last_date: datetime | None
    read_started_at: datetime
    read_finished_at: datetime
    clock_correction: float = 0.0
    generation: str
    supersedes: str | None

    @property
    def files(self) -> set[str]:
        """Names of all files that it lists."""
        return {part.name for part in (*self.parts, self.quarantine) if part}


def read_manifest(url: str) -> Manifest:
    """Return the manifest at a URL, which a summary gives.

    :raises DSDestinationError: if there is none, or it is not one of this provider's.
    """
    from airflow.sdk import ObjectStoragePath

    try:
        return _load(ObjectStoragePath(url))
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        raise DSDestinationError(f"no manifest can be read at {url}: {error}") from None


def find_manifest(folder: ObjectStoragePath) -> Manifest | None:
    """Return the manifest in a folder, or None if no extract was landed there, or none that can be decoded."""
    try:
        return _load(folder / MANIFEST)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def replace_manifest(folder: ObjectStoragePath, manifest: Manifest, generation: str) -> None:
    """Make an extract the one that readers see, in one step.

    :param generation: of whoever writes it: no other may have the same file in the making.
    :raises DSDestinationError: if a file that it lists was removed, by two other runs or by a pruning.
    """
    if missing := manifest.files.difference(names_in(folder)):
        raise DSDestinationError(
            f"parts were removed from {folder} before they were published ({', '.join(sorted(missing))}): "
            "run the task again, it reads them anew"
        )
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    replace_file(folder / MANIFEST, content, folder / scratch_name(generation, MANIFEST))


def _load(path: ObjectStoragePath) -> Manifest:
    with path.open("rb") as file:
        return msgspec.json.decode(file.read(), type=Manifest)
