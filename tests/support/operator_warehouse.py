"""A small world of dossiers that the service in memory shows, and a warehouse in memory for the operators to fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from ds_provider.tables.schemas import DOSSIERS
from tests.support.operator_service import START, Dossier, Service, Store, Ti
from tests.support.quick_warehouse import QuickWarehouse

PERSON = "Zinedine.Quelquun@example.org"
GROUPES = (7, 8)
NOW = datetime.now(timezone.utc)
COLUMNS = ("number", "groupe_instructeur_number", "read_at", "deletion_stage")


@dataclass
class World:
    """Dossiers of two groups. Dates are in seconds after the start; changes show at once."""

    service: Service
    shown: dict[int, Dossier] = field(default_factory=dict)
    groupe_of: dict[int, int] = field(default_factory=dict)
    pending: dict[int, Dossier] = field(default_factory=dict)
    deleted: dict[int, Dossier] = field(default_factory=dict)

    def show(self, number: int, groupe: int = 7, *, at: int = 0, state: str = "accepte") -> None:
        """Show a dossier, in place of what was shown or deleted before."""
        self._forget(number)
        self.shown[number] = _row(number, at, **_node(number, groupe, state))
        self.groupe_of[number] = groupe
        self._publish()

    def hide(self, number: int, *, at: int = 0) -> None:
        self._forget(number)
        self.pending[number] = _row(number, at, state="en_construction", reason="user_request")
        self._publish()

    def delete(self, number: int, *, at: int = 0) -> None:
        self._forget(number)
        self.deleted[number] = _row(number, at, state="accepte", reason="expired")
        self._publish()

    def expire(self, number: int) -> None:
        self._forget(number)
        self._publish()

    def _forget(self, number: int) -> None:
        for rows in (self.shown, self.pending, self.deleted):
            rows.pop(number, None)

    def _publish(self) -> None:
        lists = {"dossiers": self.shown, "pendingDeletedDossiers": self.pending, "deletedDossiers": self.deleted}
        for connection, rows in lists.items():
            for groupe in GROUPES:
                of_groupe = [row for number, row in rows.items() if self.groupe_of[number] == groupe]
                self.service.holds(groupe, *of_groupe, connection=connection)


@dataclass
class Hooks:
    """Warehouse's hook.

    :ivar asked: the arguments of each that was made.
    """

    warehouse: QuickWarehouse
    asked: list[tuple[str | None, str]] = field(default_factory=list)

    def __call__(self, conn_id: str | None, dataset: str) -> Any:
        self.asked.append((conn_id, dataset))
        return SimpleNamespace(warehouse=lambda: self.warehouse)


def context() -> dict[str, Any]:
    return {"ti": Ti(), "task_state_store": Store()}


def held_dossiers(*rows: tuple[Any, ...]) -> pa.Table:
    """Return what the warehouse holds.

    :param rows: number, group, days since it was read and, if it is flagged, the stage of a deletion.
    """
    held = [(number, group, NOW - timedelta(days=days), *stage) for number, group, days, *stage in rows]
    columns = [[row[i] if i < len(row) else None for row in held] for i in range(len(COLUMNS))]
    schema = pa.schema([DOSSIERS.schema.field(name) for name in COLUMNS])
    return pa.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema)


def _row(number: int, at: int, **more: Any) -> Dossier:
    return Dossier(number, START + timedelta(seconds=at or number), tuple(more.items()))


def _node(number: int, groupe: int, state: str) -> dict[str, Any]:
    return {
        "__typename": "Dossier",
        "state": state,
        "archived": False,
        "demarche": {"number": 12, "revision": {"id": "r1"}},
        "groupeInstructeur": {"id": f"g{groupe}", "number": groupe, "label": "défaut", "closed": False},
        "usager": {"id": "u", "email": PERSON},
        "demandeur": {"__typename": "PersonnePhysique", "id": "p", "nom": PERSON},
        "champs": [
            {"__typename": "TextChamp", "id": "c", "champDescriptorId": "c", "label": "Nom", "stringValue": PERSON,
             "value": f"{PERSON}-{number}", "updatedAt": START.isoformat(), "prefilled": False},
        ],
        "annotations": [],
    }  # fmt: skip
