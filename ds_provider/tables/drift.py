"""Changes of a form from one of its revisions to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

import pyarrow as pa

from ds_provider.tables.schemas import ANNOTATIONS, ERASED

Row = dict[str, Any]
Form = dict[tuple[str, str], Row]


@dataclass(frozen=True)
class Change:
    """A change of one champ.

    :param change: ``added``, ``removed``, ``renamed``, ``retyped`` or ``moved`` (to another repetition block, or
        between one and the root). A champ may have several.
    :param part: ``champs`` or ``annotations``.
    :param champ_descriptor_id: the champ, the same in all revisions.
    :param label: its label after the change; the last that it had, if it was removed.
    :param before: the label, type or block (null for the root) before the change; null for a champ that is added.
    :param after: the same after the change; null for a champ that is removed. For one that is added or removed, the
        type is given.
    """

    change: str
    part: str
    champ_descriptor_id: str
    label: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Drift:
    """Changes between two successive revisions of a form.

    :param published_at: when the later one was published; null while it is in the making.
    """

    demarche_number: int
    revision_before: str
    revision_after: str
    published_at: datetime | None
    changes: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for XCom."""
        published_at = None if self.published_at is None else self.published_at.isoformat()
        return {**asdict(self), "published_at": published_at, "changes": [asdict(change) for change in self.changes]}


# the column of a descriptor that shows each change, in the order of one champ's changes
_CHANGES = {"renamed": "label", "retyped": "type", "moved": "repetition_descriptor_id"}


def detect_drift(descriptors: pa.Table, revisions: pa.Table) -> list[Drift]:
    """Compare each revision with the one before it, by démarche and in the order of publication.

    Drafts come last: their changes are to come. Changes are in the order of the later form, then the champs that were
    removed.

    :param descriptors: the table ``champ_descriptors``.
    :param revisions: the table ``revisions``, with dates.
    :returns: a drift for each two revisions that differ.
    """
    forms = _forms(descriptors)
    # of a revision that only a dossier named the dates are not known
    ordered = sorted((row for row in revisions.to_pylist() if row["date_creation"] is not None), key=_order)
    found = (
        Drift(number, before["id"], after["id"], after["date_publication"], tuple(changes))
        for number, of_demarche in groupby(ordered, key=lambda row: row["demarche_number"])
        for before, after in pairwise(of_demarche)
        if (changes := list(_changes(forms.get(before["id"], {}), forms.get(after["id"], {}))))
    )
    return list(found)


def _forms(descriptors: pa.Table) -> dict[str, Form]:
    """Return the champs of each revision: those of the root before those of blocks, annotations last."""
    rows = [row for row in descriptors.to_pylist() if not row.get(ERASED)]
    rows.sort(key=lambda row: (row["part"] == ANNOTATIONS, row["repetition_descriptor_id"] or "", row["position"]))
    forms: dict[str, Form] = {}
    for row in rows:
        forms.setdefault(row["revision_id"], {})[row["part"], row["id"]] = row
    return forms


def _order(revision: Row) -> tuple[Any, ...]:
    published = revision["date_publication"]
    return (
        revision["demarche_number"],
        published is None,
        published or revision["date_creation"],
        revision["date_creation"],
        revision["id"],
    )


def _changes(before: Form, after: Form) -> Iterator[Change]:
    for key, new in after.items():
        old = before.get(key)
        if old is None:
            yield Change("added", *key, new["label"], None, new["type"])
            continue
        for change, column in _CHANGES.items():
            if old[column] != new[column]:
                yield Change(change, *key, new["label"], old[column], new[column])
    for key, old in before.items():
        if key not in after:
            yield Change("removed", *key, old["label"], old["type"], None)
