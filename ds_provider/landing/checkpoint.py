"""Checkpoints: how far an extraction came, kept where the next try finds it.

A checkpoint says which files hold an extraction's pages. It is saved before the first page and at each part that is
closed; the pages in a part that is still open are found in the part itself.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec

from ds_provider.api.query.selection import digest
from ds_provider.landing.layout import generation_time
from ds_provider.landing.manifest import Manifest, Part

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

FORMAT = 1
# a try that comes later reads anew, so that what it lands is of one time, and no removal of orphans can reach its parts
RESUMABLE = timedelta(days=1)


class CheckpointStore(Protocol):
    """Store for one small JSON value that outlives a try, until the task succeeds.

    Neither method raises: an extraction does not fail for it.
    """

    def load(self) -> object | None:
        """Return what was saved last, or None if nothing was or the store fails."""

    def save(self, value: dict[str, Any]) -> bool:
        """Save a value in place of the last one. Return false if that fails."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """State of an unfinished extraction.

    :param made_by: a hash of what was asked, where it lands and how a checkpoint is written.
    :param generation: whose files hold what is in no listed part.
    :param previous: the generation that readers saw when the try began.
    :param parts: the parts that are closed, those of earlier tries first.
    :param pages: how many pages were read by then, in all tries.
    :param requests: how many requests they took.
    :param read_started_at: when the first of the tries began.
    """

    made_by: str
    generation: str
    previous: str | None
    parts: list[Part]
    pages: int
    requests: int
    read_started_at: Annotated[datetime, msgspec.Meta(tz=True)]


class Checkpointer:
    """Saves the checkpoints of one extraction, and finds that of an earlier try.

    :ivar tried: true once a checkpoint was to be saved.
    :ivar kept: true once that worked.
    :param store: without one nothing is kept or found.
    :param folder: where the extraction lands.
    :param fingerprint: of what is being read.
    """

    def __init__(self, store: CheckpointStore | None, folder: ObjectStoragePath, fingerprint: str) -> None:
        self.tried = self.kept = False
        self._store = store
        self._place = str(folder)
        self._made_by = digest({"format": FORMAT, "folder": self._place, "selection": fingerprint})

    def find(self, published: Manifest | None) -> Checkpoint | None:
        """Return the checkpoint that an extraction may resume from, if there is one that fits.

        :param published: what readers see now.
        """
        value = self._store.load() if self._store else None
        if value is None:
            return None
        try:
            checkpoint = msgspec.convert(value, Checkpoint)
            self._check(checkpoint, published)
        except msgspec.ValidationError as error:
            log.info("%s: the checkpoint of an earlier try is ignored: %s", self._place, error)
            return None
        return _completed(checkpoint, published)

    def save(self, **state: Any) -> None:
        """Save a checkpoint.

        :param state: the fields of :class:`Checkpoint`.
        """
        self.tried = True
        if self._store:
            value = msgspec.to_builtins(Checkpoint(made_by=self._made_by, **state))
            self.kept = self._store.save(value) or self.kept

    def _check(self, checkpoint: Checkpoint, published: Manifest | None) -> None:
        if checkpoint.made_by != self._made_by:
            raise msgspec.ValidationError("it is of another query, window or destination")
        # the names tell when by the clocks of workers, as the age of files does; the service's clock may differ
        oldest = min([checkpoint.generation, *(part.name for part in checkpoint.parts)])
        if oldest < generation_time(datetime.now(timezone.utc) - RESUMABLE):
            raise msgspec.ValidationError(f"it is of {checkpoint.read_started_at.isoformat(timespec='seconds')}")
        if (published.generation if published else None) not in (checkpoint.previous, checkpoint.generation):
            raise msgspec.ValidationError("another run has landed the same since")


def _completed(checkpoint: Checkpoint, published: Manifest | None) -> Checkpoint:
    """Return the checkpoint of a try that published though its task was not over by then, with all that it landed."""
    if published is None or published.generation != checkpoint.generation:
        return checkpoint
    return msgspec.structs.replace(
        checkpoint, parts=published.parts, pages=published.pages, requests=published.requests
    )
