"""Instructions to a load about deletions, and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ds_provider.tables import schemas
from ds_provider.tables.drift import Drift
from ds_provider.tables.instants import to_microseconds
from ds_provider.warehouse.tombstones import DELETED, VANISHED, Tombstone
from ds_provider.wording import counted

DeletionAction = Literal["flag", "erase"]


@dataclass(frozen=True)
class Policy:
    """Rules for the rows of a dossier that is hidden or gone.

    :param on_pending: ``flag`` keeps them and says so in ``dossiers.deletion_stage``; ``erase`` removes them, and a
        dossier that is restored comes back with its next extraction.
    :param on_deleted: the same for a definitive deletion.
    :param vanished_before: a dossier that no list of the service has shown since then is erased.
    """

    on_pending: DeletionAction = "flag"
    on_deleted: DeletionAction = "erase"
    vanished_before: datetime | None = None

    def erases(self, tombstone: Tombstone) -> bool:
        """Return whether the rows of a dossier with this tombstone are to be removed."""
        if tombstone.stage == VANISHED:
            return self.vanished_before is not None and tombstone.read_at < to_microseconds(self.vanished_before)
        return (self.on_deleted if tombstone.stage == DELETED else self.on_pending) == "erase"


@dataclass
class LoadReport:
    """Counts of a load.

    :param rows: rows written, by table.
    :param new: dossiers that the warehouse did not hold.
    :param updated: dossiers that changed since the version that it held, by their date of last change.
    :param older: dossiers that the warehouse held in a later version already.
    :param gone: dossiers that were not loaded since they are hidden or deleted by now.
    :param erased: dossiers whose rows were all removed.
    :param restored: dossiers that had a tombstone and are shown again.
    :param tombstones: those that are new or changed, by stage.
    :param drift: how the forms changed, in revisions that were not known before.
    """

    rows: Counter[str] = field(default_factory=Counter)
    new: int = 0
    updated: int = 0
    older: int = 0
    gone: int = 0
    erased: int = 0
    restored: int = 0
    tombstones: Counter[str] = field(default_factory=Counter)
    drift: list[Drift] = field(default_factory=list)

    def including(self, earlier: Iterable[LoadReport]) -> LoadReport:
        """Add what attempts changed that came to no end: the last one found it as they had left it."""
        for report in earlier:
            known = {each.revision_after for each in self.drift}
            self.drift[:0] = [each for each in report.drift if each.revision_after not in known]
            self.new = max(self.new, report.new)
            self.updated = max(self.updated, report.updated)
            self.erased = max(self.erased, report.erased)
            self.restored = max(self.restored, report.restored)
            self.tombstones |= report.tombstones
        return self

    @property
    def changes(self) -> dict[str, int]:
        """Dossiers loaded, by what they are to the tables."""
        unchanged = self.rows[schemas.DOSSIERS.name] - self.new - self.updated
        return {"new": self.new, "updated": self.updated, "unchanged": max(0, unchanged)}

    def summary_line(self) -> str:
        """Return the counts of dossiers in one line, for the log: "loaded 3 dossiers (1 new, 2 updated), 1 erased"."""
        loaded = self.rows[schemas.DOSSIERS.name]
        others = {
            "erased": self.erased,
            "restored": self.restored,
            "left out, hidden or deleted by now": self.gone,
            "left out, held in a later version": self.older,
        }
        detail = ", ".join(f"{count} {kind}" for kind, count in self.changes.items() if count)
        return (
            f"loaded {counted(loaded, 'dossier')}"
            + (f" ({detail})" if detail else "")
            + "".join(f", {count} {what}" for what, count in others.items() if count)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report in plain types, for XCom."""
        counts = {"rows": dict(self.rows), "tombstones": dict(self.tombstones)}
        return {**vars(self), **counts, "drift": [each.as_dict() for each in self.drift]}
