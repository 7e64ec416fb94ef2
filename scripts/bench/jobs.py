"""A contender's job and its outcome. Each passes between two processes as a line of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

GZIP_LEVEL = 1


@dataclass(frozen=True)
class Job:
    """One group to read in full.

    :ivar folder: the folder for the rows
    :ivar query: the GraphQL text, the same for all
    :ivar concurrency: requests at a time, for contenders that can send several
    :ivar requests_per_minute: the budget, for contenders that keep one
    :ivar pauses: if false, pauses between attempts last a thousandth of their time
    :ivar truth: a file of row digests by number, to compare with the kept rows
    """

    url: str
    token: str
    groupe: int
    folder: str
    query: str
    page_size: int = 100
    concurrency: int = 1
    requests_per_minute: int = 100_000
    pauses: bool = True
    truth: str | None = None

    @property
    def file(self) -> Path:
        return Path(self.folder) / "dossiers.jsonl.gz"

    def body(self, after: str | None = None) -> dict[str, Any]:
        """Return the request for the page after a cursor."""
        return {"query": self.query, "variables": {"number": self.groupe, "first": self.page_size, "after": after}}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    :ivar error: why it failed; None if the run is green
    :ivar rows: distinct dossiers in the files that it left
    :ivar damaged: the number of rows that differ from the API's
    :ivar wall: seconds of the job
    :ivar cpu: seconds of user and system time of the job
    :ivar peak_mb: the process's peak memory
    :ivar idle_mb: the same before the job, after all imports
    """

    error: str | None
    rows: int
    damaged: int
    wall: float
    cpu: float
    peak_mb: float
    idle_mb: float
