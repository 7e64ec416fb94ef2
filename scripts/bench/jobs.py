"""What a contender is asked and what came of it, each one line of JSON between two processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

GZIP_LEVEL = 1


@dataclass(frozen=True)
class Job:
    """One group to read whole.

    :ivar folder: where the rows go
    :ivar query: the GraphQL text, the same for all
    :ivar concurrency: requests under way at a time, for those who can
    :ivar requests_per_minute: the budget to keep to, for those who can
    :ivar pauses: whether pauses between attempts are made; without, they last a thousandth
    :ivar truth: a file of row digests by number, to compare with what was kept
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
        """The request for the page behind a cursor."""
        return {"query": self.query, "variables": {"number": self.groupe, "first": self.page_size, "after": after}}


@dataclass(frozen=True)
class Outcome:
    """What a job came to.

    :ivar error: why it failed; None if the run is green
    :ivar rows: distinct dossiers in the files that it left
    :ivar damaged: how many of them are not as the API has them
    :ivar wall: seconds of the reading
    :ivar cpu: seconds of user and system time of the reading
    :ivar peak_mb: the most memory that the process ever had
    :ivar idle_mb: the same before the reading: what the imports take
    """

    error: str | None
    rows: int
    damaged: int
    wall: float
    cpu: float
    peak_mb: float
    idle_mb: float


def to_line(message: Job | Outcome) -> bytes:
    return json.dumps(asdict(message)).encode() + b"\n"
