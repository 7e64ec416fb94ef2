"""World of dossiers that change, and its extracts as they land."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from ds_provider.landing.manifest import Manifest
from ds_provider.warehouse.extracts import LandedExtract, LandedExtracts

START = datetime(2026, 10, 25, tzinfo=timezone.utc)
DEMARCHE = 12


@dataclass
class Living:
    """Dossier of the world.

    :ivar secret: a text that no table may hold once the dossier is purged.
    :ivar silent: a content whose changes move no date.
    """

    number: int
    group: int
    modified: int
    silent: int = 0
    messages: int = 0
    hidden: int | None = None
    expired: bool = False

    @property
    def secret(self) -> str:
        return f"secret-{self.number}"

    @property
    def is_shown(self) -> bool:
        return self.hidden is None and not self.expired


@dataclass
class World:
    """:ivar now: in seconds; nothing happens twice in one second."""

    now: int = 0
    dossiers: dict[int, Living] = field(default_factory=dict)
    purged: dict[int, tuple[int, int]] = field(default_factory=dict)

    def tick(self) -> int:
        self.now += 1
        return self.now

    def play(self, event: str, number: int, group: int) -> None:
        """Play an event of a dossier, if it is possible. The first event of each is its deposit."""
        now = self.tick()
        one = self.dossiers.get(number)
        if one is None:
            if number not in self.purged:
                self.dossiers[number] = Living(number, group, now)
        elif event == "silent":
            one.silent = now
        elif event == "purge" or (event == "purge_hidden" and one.hidden):
            # the service dates a deletion back to when it was asked for
            self.purged[number] = (one.group, one.hidden or now)
            del self.dossiers[number]
        elif event == "restore" and not one.is_shown:
            one.hidden, one.expired, one.modified = None, False, now
        elif one.is_shown:
            self._change(one, event, group, now)

    def _change(self, one: Living, event: str, group: int, now: int) -> None:
        if event == "expire":
            one.expired = True
        elif event == "hide":
            one.hidden = one.modified = now
        elif event == "move":
            one.group, one.modified = group, now
        elif event in ("touch", "message", "withdraw"):
            one.messages = {"touch": one.messages, "message": one.messages + 1, "withdraw": 0}[event]
            one.modified = now

    def read(self, group: int, since: int | None = None) -> LandedExtracts:
        """Read a group's dossiers changed at or after a second, and its deletions, each in a second of its own."""
        pending = self._landed(group, "pending_deleted_dossiers", self._pending(group))
        deleted = self._landed(group, "deleted_dossiers", self._deleted(group))
        shown = [one for one in self.dossiers.values() if one.group == group and one.is_shown]
        chosen = [_node(one) for one in shown if since is None or one.modified >= since]
        dossiers = self._landed(group, "dossiers", chosen)
        return LandedExtracts(dossiers=[dossiers], deleted=[deleted], pending=[pending])

    def read_numbers(self, group: int, numbers: Sequence[int]) -> LandedExtracts:
        found = [self.dossiers[n] for n in numbers if n in self.dossiers and self.dossiers[n].is_shown]
        nodes = [_node(one) for one in found]
        return LandedExtracts(dossiers=[self._landed(group, "dossiers", nodes, numbers={"count": len(numbers)})])

    def _pending(self, group: int) -> list[dict[str, Any]]:
        found = [one for one in self.dossiers.values() if one.group == group and one.hidden]
        return [_deletion(one.number, one.hidden) for one in found]

    def _deleted(self, group: int) -> list[dict[str, Any]]:
        return [_deletion(number, at) for number, (of, at) in self.purged.items() if of == group]

    def _landed(self, group: int, stream: str, rows: list[dict[str, Any]], **selection: Any) -> LandedExtract:
        read_at = _instant(self.tick())
        manifest = Manifest(
            groupe_instructeur_number=group, stream=stream, window=None, date_column=None, read_from=None,
            selection=selection, fingerprint="", rows=len(rows), bytes=0, pages=1, requests=1, quarantined=0, parts=[],
            first_date=None, last_date=None, read_started_at=read_at, read_finished_at=read_at,
            generation=str(self.now), supersedes=None,
        )  # fmt: skip
        lines = [json.dumps(row).encode() for row in rows]
        return Landed(f"memory://{group}/{stream}/{self.now}", manifest, tuple(lines))


@dataclass(frozen=True)
class Landed(LandedExtract):
    """Extract with its rows in memory."""

    rows: tuple[bytes, ...] = ()

    def lines(self) -> Iterator[Sequence[bytes]]:
        for start in range(0, len(self.rows), 2):
            yield self.rows[start : start + 2]

    def lines_at(self, indexes: Sequence[int]) -> Iterator[Sequence[bytes]]:
        assert list(indexes) == sorted(set(indexes))
        for start in range(0, len(indexes), 2):
            yield [self.rows[index] for index in indexes[start : start + 2]]


def together(*extracts: LandedExtracts) -> LandedExtracts:
    """Return the extracts of several reads as those of one load."""
    return LandedExtracts(
        dossiers=[one for each in extracts for one in each.dossiers],
        deleted=[one for each in extracts for one in each.deleted],
        pending=[one for each in extracts for one in each.pending],
    )


def again(extracts: LandedExtracts) -> LandedExtracts:
    """Return the same files."""
    return replace(extracts)


def _instant(second: int) -> datetime:
    return START + timedelta(seconds=second)


def paris(second: int) -> str:
    return (_instant(second) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S+01:00")


def _node(one: Living) -> dict[str, Any]:
    return {
        "__typename": "Dossier",
        "number": one.number,
        "state": "en_construction",
        "dateDepot": paris(0),
        "dateDerniereModification": paris(one.modified),
        "demarche": {"number": DEMARCHE, "revision": {"id": "r1"}},
        "groupeInstructeur": {"id": f"g{one.group}", "number": one.group, "label": "défaut", "closed": False},
        "usager": {"id": "u", "email": one.secret},
        "demandeur": {"__typename": "PersonnePhysique", "id": "p", "nom": one.secret},
        "champs": [
            {"__typename": "TextChamp", "id": "c1", "champDescriptorId": "c1", "label": "Nom", "prefilled": False,
             "stringValue": one.secret, "value": f"{one.secret}-{one.silent}", "updatedAt": paris(0)},
        ],
        "annotations": [],
        "messages": [
            {"id": f"m{i}", "email": one.secret, "body": one.secret, "createdAt": paris(i), "discardedAt": None,
             "attachments": []}
            for i in range(one.messages)
        ],
    }  # fmt: skip


def _deletion(number: int, at: int | None) -> dict[str, Any]:
    return {
        "id": "d",
        "number": number,
        "state": "en_construction",
        "reason": "user_request",
        "dateSupression": paris(at or 0),
    }
