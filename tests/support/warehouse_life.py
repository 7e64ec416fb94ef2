"""A small world of dossiers with a life, and readings of it as they land."""

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
    """A dossier.

    :ivar secret: what nothing may hold once the dossier is purged.
    :ivar silent: a content that changes without a date.
    """

    number: int
    groupe: int
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

    def play(self, event: str, number: int, groupe: int) -> None:
        """Have something happen to a dossier, if it can; whatever happens first to one is that it is deposited."""
        now = self.tick()
        one = self.dossiers.get(number)
        if one is None:
            if number not in self.purged:
                self.dossiers[number] = Living(number, groupe, now)
        elif event == "silent":
            one.silent = now
        elif event == "purge" or (event == "purge_hidden" and one.hidden):
            # the service dates a deletion back to when it was asked for
            self.purged[number] = (one.groupe, one.hidden or now)
            del self.dossiers[number]
        elif event == "restore" and not one.is_shown:
            one.hidden, one.expired, one.modified = None, False, now
        elif one.is_shown:
            self._change(one, event, groupe, now)

    def _change(self, one: Living, event: str, groupe: int, now: int) -> None:
        if event == "expire":
            one.expired = True
        elif event == "hide":
            one.hidden = one.modified = now
        elif event == "move":
            one.groupe, one.modified = groupe, now
        elif event in ("touch", "message", "withdraw"):
            one.messages = {"touch": one.messages, "message": one.messages + 1, "withdraw": 0}[event]
            one.modified = now

    def read(self, groupe: int, since: int | None = None) -> LandedExtracts:
        """A group's dossiers last changed at or after a second, and its deletions, each read in a second of its own."""
        pending = self._landed(groupe, "pending_deleted_dossiers", self._pending(groupe))
        deleted = self._landed(groupe, "deleted_dossiers", self._deleted(groupe))
        shown = [one for one in self.dossiers.values() if one.groupe == groupe and one.is_shown]
        chosen = [_node(one) for one in shown if since is None or one.modified >= since]
        dossiers = self._landed(groupe, "dossiers", chosen)
        return LandedExtracts(dossiers=[dossiers], deleted=[deleted], pending=[pending])

    def read_numbers(self, groupe: int, numbers: Sequence[int]) -> LandedExtracts:
        found = [self.dossiers[n] for n in numbers if n in self.dossiers and self.dossiers[n].is_shown]
        nodes = [_node(one) for one in found]
        return LandedExtracts(dossiers=[self._landed(groupe, "dossiers", nodes, numbers={"count": len(numbers)})])

    def _pending(self, groupe: int) -> list[dict[str, Any]]:
        found = [one for one in self.dossiers.values() if one.groupe == groupe and one.hidden]
        return [_deletion(one.number, one.hidden) for one in found]

    def _deleted(self, groupe: int) -> list[dict[str, Any]]:
        return [_deletion(number, at) for number, (of, at) in self.purged.items() if of == groupe]

    def _landed(self, groupe: int, stream: str, rows: list[dict[str, Any]], **selection: Any) -> LandedExtract:
        read_at = _instant(self.tick())
        manifest = Manifest(
            groupe_instructeur_number=groupe, stream=stream, window=None, window_column=None, read_from=None,
            selection=selection, fingerprint="", rows=len(rows), bytes=0, pages=1, requests=1, quarantined=0, parts=[],
            first_date=None, last_date=None, read_started_at=read_at, read_finished_at=read_at,
            generation=str(self.now), supersedes=None,
        )  # fmt: skip
        lines = [json.dumps(row).encode() for row in rows]
        return Landed(f"memory://{groupe}/{stream}/{self.now}", manifest, tuple(lines))


@dataclass(frozen=True)
class Landed(LandedExtract):
    """A reading whose rows are at hand."""

    rows: tuple[bytes, ...] = ()

    def lines(self) -> Iterator[Sequence[bytes]]:
        # in several batches, of which one may be empty
        for start in range(0, len(self.rows), 2):
            yield list(self.rows[start : start + 2])


def together(*readings: LandedExtracts) -> LandedExtracts:
    """To be loaded at once."""
    return LandedExtracts(
        dossiers=[one for each in readings for one in each.dossiers],
        deleted=[one for each in readings for one in each.deleted],
        pending=[one for each in readings for one in each.pending],
    )


def again(readings: LandedExtracts) -> LandedExtracts:
    """The same files."""
    return replace(readings)


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
        "groupeInstructeur": {"id": f"g{one.groupe}", "number": one.groupe, "label": "défaut", "closed": False},
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
