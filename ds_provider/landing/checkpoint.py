"""How far a reading came, kept where the next try finds it.

A checkpoint says which files hold a reading's pages. It is saved before the first page and at each part that is closed;
the pages in a part that is still open are found in the part itself.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec

from ds_provider.api.query.selection import Selection
from ds_provider.landing.layout import digest, fingerprint
from ds_provider.landing.manifest import Manifest, Part

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

FORMAT = 1
# a try that comes later reads anew, so that what it lands is of one time, and no orphan's removal can reach its parts
RESUMABLE = timedelta(days=1)


class CheckpointStore(Protocol):
    """A place for one small JSON value that outlives a try, until the task succeeds.

    Neither of these raises: a reading does not fail for it.
    """

    def load(self) -> object | None:
        """What was saved last; none where nothing was, or the place fails."""

    def save(self, value: dict[str, Any]) -> bool:
        """Keep a value in place of the last one; false where that fails."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint holds.

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
    """Keeps the progress of one reading in a checkpoint, and finds that of an earlier try.

    :param checkpoint: none where there is no place for it: then nothing is kept or found.
    :param folder: where the reading lands.
    :param selection: what is being read.
    """

    def __init__(self, checkpoint: CheckpointStore | None, folder: ObjectStoragePath, selection: Selection) -> None:
        self._checkpoint = checkpoint
        self._folder = folder
        self._made_by = digest({"format": FORMAT, "folder": str(folder), "selection": fingerprint(selection)})
        #: whether this reading was saved once, and whether that worked
        self.tried = self.kept = False

    def find(self, published: Manifest | None) -> Checkpoint | None:
        """The progress that a reading may go on from; none where there is none, or none that fits.

        :param published: what readers see now.
        """
        value = self._checkpoint.load() if self._checkpoint else None
        if value is None:
            return None
        try:
            progress = msgspec.convert(value, Checkpoint)
            self._check(progress, published)
        except (msgspec.ValidationError, _MisfitError) as error:
            log.info("%s: the checkpoint of an earlier try is ignored: %s", self._folder, error)
            return None
        return _completed(progress, published)

    def save(self, **progress: Any) -> None:
        """Keep the progress made so far, the arguments of :class:`Checkpoint`."""
        self.tried = True
        if self._checkpoint:
            value = msgspec.to_builtins(Checkpoint(made_by=self._made_by, **progress))
            self.kept = self._checkpoint.save(value) or self.kept

    def _check(self, progress: Checkpoint, published: Manifest | None) -> None:
        if progress.made_by != self._made_by:
            raise _MisfitError("it is of another query, window or destination")
        if progress.read_started_at < datetime.now(timezone.utc) - RESUMABLE:
            raise _MisfitError(f"it is of {progress.read_started_at.isoformat(timespec='seconds')}")
        if (published.generation if published else None) not in (progress.previous, progress.generation):
            raise _MisfitError("another run has landed the same since")


class _MisfitError(Exception):
    """Why a checkpoint is not one to go on from."""


def _completed(progress: Checkpoint, published: Manifest | None) -> Checkpoint:
    """A try that published, and whose task was not over by then, landed all that its manifest lists."""
    if published is None or published.generation != progress.generation:
        return progress
    return msgspec.structs.replace(progress, parts=published.parts, pages=published.pages, requests=published.requests)
