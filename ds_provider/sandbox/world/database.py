"""Rows of the API's database, and the changes that span several of them."""

from __future__ import annotations

from collections import Counter

from ds_provider.sandbox.world.clock import DAY, HOUR
from ds_provider.sandbox.world.demarche import Demarche, make_demarche, make_other_demarche
from ds_provider.sandbox.world.dossier import DeletedRow, Dossier, Groupe


class Database:
    """Démarches, groups, dossiers and the rows that outlive purged dossiers.

    :param seed: seed of all random values
    :param groups: number of groups
    :param origin: first instant of the world, in microseconds since the epoch
    """

    def __init__(self, seed: int, groups: int, origin: int) -> None:
        self.seed = seed
        self.demarche = make_demarche(seed, groups, origin)
        self.other = make_other_demarche(seed, self.demarche)
        self.dossiers: dict[int, Dossier] = {}
        self.deleted: list[DeletedRow] = []
        self.first_number = 21_000_000 + seed % 1_000 * 10_000
        self._ids: Counter[str] = Counter()
        self._last_row = self.first_number
        self._add_old_deletions(origin)

    def groupe(self, number: int) -> Groupe | None:
        """Return a group of either démarche, None if there is none with this number."""
        groups = (*self.demarche.groupes, *self.other.groupes)
        return next((groupe for groupe in groups if groupe.number == number), None)

    def demarche_of(self, groupe: Groupe) -> Demarche:
        """Return the démarche that a group belongs to."""
        return self.other if groupe in self.other.groupes else self.demarche

    def dossier(self, number: int) -> Dossier | None:
        """Return a dossier of either démarche that the API would find: neither hidden nor purged."""
        dossier = self.dossiers.get(number) or self.other.groupes[0].dossiers.get(number)
        return dossier if dossier is not None and dossier.visible else None

    def usager_email(self, dossier: Dossier) -> str:
        """Return the address of a dossier's user, which the API shows even for a removed account."""
        name = "-supprime" if dossier.usager is None else dossier.usager
        return f"usager{name}@sandbox.invalid"

    def next_id(self, kind: str) -> int:
        """Return the next key of a table."""
        self._ids[kind] += 1
        return 500_000 + self._ids[kind]

    def move(self, dossier: Dossier, groupe: int) -> None:
        """Give a dossier to another group: the old one keeps no trace."""
        target = next(each for each in self.demarche.groupes if each.number == groupe)
        del dossier.groupe.dossiers[dossier.number]
        dossier.groupe.version += 1
        dossier.groupe = target
        target.dossiers[dossier.number] = dossier

    def purge(self, dossier: Dossier, at: int) -> None:
        """Replace a dossier with a deleted row.

        A deletion that the user requested is dated back to the request.
        """
        reason = dossier.hidden_by_reason or "user_request"
        requested = dossier.hidden_by_user_at if reason == "user_request" and not dossier.termine else None
        row = self._next_row(dossier.number)
        self.deleted.append(DeletedRow(row, dossier.number, dossier.groupe, dossier.state, reason, requested or at))
        del dossier.groupe.dossiers[dossier.number], self.dossiers[dossier.number]

    def _next_row(self, number: int) -> int:
        """Return the next key of a deleted row: it may be another dossier's number, never its own."""
        self._last_row += 1
        if self._last_row == number:
            self._last_row += 1
        return self._last_row

    def _add_old_deletions(self, origin: int) -> None:
        """Add rows from before the API kept a deleted row's group: only the démarche lists them."""
        for i in range(3):
            at = origin - 2_000 * DAY + i * HOUR
            number = 1_000 + i
            self.deleted.append(DeletedRow(self._next_row(number), number, None, "accepte", "manager_request", at))
