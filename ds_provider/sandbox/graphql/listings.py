"""The API's three lists of a group or of a whole démarche, in the API's order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from ds_provider.sandbox.graphql.connections import Entry
from ds_provider.sandbox.graphql.cursors import Key
from ds_provider.sandbox.world.demarche import Demarche
from ds_provider.sandbox.world.dossier import DeletedRow, Dossier, Groupe
from ds_provider.sandbox.world.world import World

Scope = Groupe | Demarche


class Listings:
    """Sorted lists, cached until the world changes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cache: dict[tuple[int, str], list[Entry]] = {}
        self._version = -1

    def dossiers(self, scope: Scope, arguments: dict[str, Any]) -> Sequence[Entry]:
        """Return the visible dossiers, by date of deposit.

        With `updatedSince` they are sorted by last modification, and `createdSince` is ignored.
        """
        updated_since = arguments.get("updatedSince")
        column = "depose_at" if updated_since is None else "updated_at"
        since = arguments.get("createdSince") if updated_since is None else updated_since
        entries = _since(self._sorted(scope, column), since)
        state, archived = arguments.get("state"), arguments.get("archived")
        if state is not None:
            entries = [entry for entry in entries if entry.row.state == state]
        if archived is not None:
            entries = [entry for entry in entries if entry.row.archived is archived]
        return entries

    def pending(self, scope: Scope, arguments: dict[str, Any]) -> Sequence[Entry]:
        """Return the dossiers that are hidden and not yet purged."""
        entries = self._sorted(scope, "pending_at")
        since = arguments.get("deletedSince")
        return entries if since is None else [entry for entry in entries if _hidden_since(entry.row, since)]

    def deleted(self, scope: Scope, arguments: dict[str, Any]) -> Sequence[Entry]:
        """Return the rows of purged dossiers."""
        return _since(self._sorted(scope, "deleted_at"), arguments.get("deletedSince"))

    def _sorted(self, scope: Scope, column: str) -> list[Entry]:
        if self._version != self._world.version:
            self._cache.clear()
            self._version = self._world.version
        entries = self._cache.get((id(scope), column))
        if entries is None:
            entries = self._cache[id(scope), column] = sorted(self._entries(scope, column), key=lambda e: e.key)
        return entries

    def _entries(self, scope: Scope, column: str) -> Iterable[Entry]:
        if column == "deleted_at":
            return (Entry(Key(row.deleted_at, row.row), row) for row in self._rows(scope))
        if column == "pending_at":
            found = ((dossier.pending_at, dossier) for dossier in dossiers_of(scope) if dossier.pending)
            return (Entry(Key(at, dossier.number), dossier) for at, dossier in found if at is not None)
        visible = (dossier for dossier in dossiers_of(scope) if dossier.visible)
        return (Entry(Key(getattr(dossier, column), dossier.number), dossier) for dossier in visible)

    def _rows(self, scope: Scope) -> Iterable[DeletedRow]:
        if isinstance(scope, Groupe):
            return (row for row in self._world.deleted if row.groupe is scope)
        return self._world.deleted if scope is self._world.demarche else ()


def dossiers_of(scope: Scope) -> Iterable[Dossier]:
    """Return all dossiers that are not purged, hidden ones included."""
    if isinstance(scope, Groupe):
        return scope.dossiers.values()
    return (dossier for groupe in scope.groupes for dossier in groupe.dossiers.values())


def _since(entries: list[Entry], since: int | None) -> list[Entry]:
    return entries if since is None else entries[bisect_left(entries, since, key=lambda entry: entry.key.at) :]


def _hidden_since(dossier: Dossier, since: int) -> bool:
    return any(
        at is not None and at >= since for at in (dossier.hidden_by_user_at, dossier.hidden_by_administration_at)
    )
