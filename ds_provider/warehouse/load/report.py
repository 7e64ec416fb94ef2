"""What a load is told to do with dossiers that are gone, and what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ds_provider.tables.drift import Drift
from ds_provider.warehouse.extracts import instant
from ds_provider.warehouse.tombstones import DELETED, VANISHED, Tombstone

DeletionAction = Literal["flag", "erase"]


@dataclass(frozen=True)
class Policy:
    """What becomes of the rows of a dossier that is hidden or gone.

    :param on_pending: ``flag`` keeps them and says so in ``dossiers.deletion_stage``; ``erase`` removes them, and a
        dossier that is restored comes back with its next reading.
    :param on_deleted: the same for a definitive deletion.
    :param vanished_before: a dossier that no list of the service has shown since then is erased.
    """

    on_pending: DeletionAction = "flag"
    on_deleted: DeletionAction = "erase"
    vanished_before: datetime | None = None

    def erases(self, stone: Tombstone) -> bool:
        if stone.stage == VANISHED:
            seen = instant(stone.read)
            return self.vanished_before is not None and seen is not None and seen < self.vanished_before
        return (self.on_deleted if stone.stage == DELETED else self.on_pending) == "erase"


@dataclass
class Report:
    """What a load did.

    :param rows: rows written, by table.
    :param older: dossiers of which a later version was there already.
    :param gone: dossiers that were not loaded since they are hidden or deleted by now.
    :param erased: dossiers of which every row was removed.
    :param restored: dossiers that had a tombstone and are shown again.
    :param tombstones: those that are new or changed, by stage.
    :param drift: how the forms changed, in revisions that were not known before.
    """

    rows: Counter[str] = field(default_factory=Counter)
    older: int = 0
    gone: int = 0
    erased: int = 0
    restored: int = 0
    tombstones: Counter[str] = field(default_factory=Counter)
    drift: list[Drift] = field(default_factory=list)

    def told(self) -> str:
        """In a line."""
        counts = {"older": self.older, "gone": self.gone, "erased": self.erased, "restored": self.restored}
        rows = ", ".join(f"{count} {name}" for name, count in self.rows.items() if count)
        return f"rows: {rows or 'none'}; dossiers: {', '.join(f'{count} {name}' for name, count in counts.items())}"

    def as_dict(self) -> dict[str, Any]:
        """For XCom."""
        counts = {"rows": dict(self.rows), "tombstones": dict(self.tombstones)}
        return {**vars(self), **counts, "drift": [each.as_dict() for each in self.drift]}
