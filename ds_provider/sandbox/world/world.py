"""The world: one démarche and its dossiers, and the life that time brings them.

The same seed, number of groups and of dossiers give the same world relative to its origin, the midnight of
Paris :data:`~ds_provider.sandbox.world.deposits.HISTORY_DAYS` days before its start; only the nightly jobs follow
the calendar.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from ds_provider.sandbox.world.clock import DAY, HOUR, SECOND, paris_at, paris_day
from ds_provider.sandbox.world.demarche import Demarche, groupes
from ds_provider.sandbox.world.deposits import CLOSING_DAY, HISTORY_DAYS, Sower
from ds_provider.sandbox.world.dossier import DeletedRow, Dossier, Groupe
from ds_provider.sandbox.world.events import HANDLERS, deleted_row
from ds_provider.sandbox.world.ids import dice
from ds_provider.sandbox.world.lifecycle import Step, write

REPUBLICATION_DAYS = (30, 75, 97)  # the last one lies a week after the start
MAINTENANCE_EVERY, MAINTENANCE_DAY = 20, 8
NOBODY = 0


class World:
    """All dossiers as they stand at the last instant the world was brought to.

    :param seed: what all is drawn from
    :param groups: how many groupes instructeurs; where there are three or more, the last one is closed
    :param dossiers: how many dossiers each group is given in the days before the start
    :param start: the instant at which the world is first seen, in microseconds since the epoch
    """

    def __init__(self, seed: int, groups: int, dossiers: int, start: int) -> None:
        self.seed = seed
        self.lock = threading.RLock()
        self.first_day = paris_day(start) - timedelta(days=HISTORY_DAYS)
        self.origin = paris_at(self.first_day, 0)
        self.now = self.origin
        self.version = 0
        self.demarche = self._found_demarche(groups)
        self.dossiers: dict[int, Dossier] = {}
        self.deleted: list[DeletedRow] = []
        self.other = self._found_other_demarche()
        self._sowers = [Sower(seed, i, dossiers, self._closes(i)) for i in range(groups)]
        self._ids: Counter[str] = Counter()
        self._number = self.first_number = 21_000_000 + seed % 1_000 * 10_000
        self._row = self.first_number
        self._day, self._next_day_at = 0, self.origin
        self._steps: list[tuple[int, int, int, Step]] = []
        self._order = itertools.count()
        self._bury_the_old()
        self.advance(start)

    def advance(self, now: int) -> None:
        """Live on to this instant; one that is already past changes nothing."""
        with self.lock:
            while min(self._next_day_at, self._next_step_at()) <= now:
                if self._next_day_at <= self._next_step_at():
                    self._begin_day()
                else:
                    self._play()
            self.now = max(self.now, now)

    def groupe(self, number: int) -> Groupe | None:
        """A group of the démarche or of the other one."""
        every = (*self.demarche.groupes, *self.other.groupes)
        return next((groupe for groupe in every if groupe.number == number), None)

    def demarche_of(self, groupe: Groupe) -> Demarche:
        return self.other if groupe in self.other.groupes else self.demarche

    def dossier(self, number: int) -> Dossier | None:
        """A dossier of either démarche that the API would find: neither hidden nor purged."""
        dossier = self.dossiers.get(number) or self.other.groupes[0].dossiers.get(number)
        return dossier if dossier is not None and dossier.visible else None

    def usager_email(self, dossier: Dossier) -> str:
        name = "-supprime" if dossier.usager is None else dossier.usager
        return f"usager{name}@sandbox.invalid"

    def next_id(self, kind: str) -> int:
        self._ids[kind] += 1
        return 500_000 + self._ids[kind]

    def next_row(self, number: int) -> int:
        """The next row of the deleted ones: it may be another dossier's number, never its own."""
        self._row += 1
        if self._row == number:
            self._row += 1
        return self._row

    def move(self, dossier: Dossier, groupe: int) -> None:
        """Give a dossier to another group: the old one keeps no trace."""
        target = next(each for each in self.demarche.groupes if each.number == groupe)
        del dossier.groupe.dossiers[dossier.number]
        dossier.groupe.version += 1
        dossier.groupe = target
        target.dossiers[dossier.number] = dossier

    def purge(self, dossier: Dossier, at: int) -> None:
        """Put a row among the deleted ones in a dossier's place."""
        self.deleted.append(deleted_row(self, dossier, at))
        del dossier.groupe.dossiers[dossier.number], self.dossiers[dossier.number]

    def _found_demarche(self, groups: int) -> Demarche:
        number = 100_000 + self.seed % 1_000 * 10
        title = "Demande d'aide à l'installation agricole"
        return Demarche(
            number, title, self.origin - 30 * DAY, groupes(self.seed, groups), published=[self.origin - DAY]
        )

    def _found_other_demarche(self) -> Demarche:
        number = self.demarche.number + 1
        groupe = Groupe(self.demarche.groupes[0].number - 1, "défaut", ("autre@sandbox.invalid",))
        created = self.origin - 30 * DAY
        for i in range(5):
            dossier = Dossier(20_999_000 + self.seed % 1_000 * 10_000 + i, groupe, 0, created, created)
            dossier.updated_at = dossier.en_construction_at = created
            groupe.dossiers[dossier.number] = dossier
        return Demarche(number, "Une autre démarche", created, [groupe], published=[created], closed_to_token=True)

    def _closes(self, i: int) -> bool:
        return len(self.demarche.groupes) >= 3 and i == len(self.demarche.groupes) - 1

    def _bury_the_old(self) -> None:
        """Rows from before groups were kept: only the démarche lists them."""
        for i in range(3):
            at = self.origin - 2_000 * DAY + i * HOUR
            number = 1_000 + i
            self.deleted.append(DeletedRow(self.next_row(number), number, None, "accepte", "manager_request", at))

    def _next_step_at(self) -> int:
        return self._steps[0][0] if self._steps else 1 << 62

    def _begin_day(self) -> None:
        day, start = self._day, self._next_day_at
        self._day += 1
        self._next_day_at = paris_at(self.first_day + timedelta(days=self._day), 0)
        for step in self._common_steps(day, start):
            self._push(NOBODY, step)
        for i, sower in enumerate(self._sowers):
            for deposit in sower.deposits(day):
                self._sow(self.demarche.groupes[i], start + deposit.offset, deposit.fate)

    def _common_steps(self, day: int, start: int) -> Iterator[Step]:
        if day % MAINTENANCE_EVERY == MAINTENANCE_DAY:
            yield Step(start + 3 * HOUR, "entretenir", start + 3 * HOUR, day // MAINTENANCE_EVERY)
        if day in REPUBLICATION_DAYS:
            yield Step(start + 9 * HOUR, "publier", start + 9 * HOUR)
        if day == CLOSING_DAY and self._closes(len(self.demarche.groupes) - 1):
            yield Step(start, "fermer", start)

    def _sow(self, groupe: Groupe, at: int, fate: str | None) -> None:
        number = self._next_number()
        rng = dice(self.seed, "life", number)
        open_groups = [g.number for g in self.demarche.groupes[: -1 if len(self.demarche.groupes) >= 3 else None]]
        for step in write(rng, at, groupe.number, open_groups, fate):
            self._push(number, step._replace(arg=groupe.number) if step.kind == "deposer" else step)

    def _next_number(self) -> int:
        """Numbers are given to drafts: they rise with time, though not quite as deposits do."""
        self._number += 1
        return self._number ^ 1

    def _push(self, number: int, step: Step) -> None:
        heapq.heappush(self._steps, (step.at, number, next(self._order), step))

    def _play(self) -> None:
        self.now, number, _, step = heapq.heappop(self._steps)
        self.version += 1
        if number == NOBODY:
            self._play_common(step)
            return
        dossier = self._deposit(number, step) if step.kind == "deposer" else self.dossiers[number]
        HANDLERS[step.kind](self, dossier, step)
        dossier.content += 1
        dossier.groupe.version += 1

    def _play_common(self, step: Step) -> None:
        if step.kind == "publier":
            self._republish(step.at)
        elif step.kind == "entretenir":
            self._maintain(step.at, self.demarche.groupes[step.arg % len(self.demarche.groupes)])
        else:
            self.demarche.groupes[-1].closed = True

    def _deposit(self, number: int, step: Step) -> Dossier:
        rng = dice(self.seed, "deposit", number)
        groupe = next(each for each in self.demarche.groupes if each.number == step.arg)
        created = step.stamp - rng.randrange(SECOND, 10 * DAY)
        dossier = Dossier(number, groupe, self.demarche.revision, created, step.stamp, usager=rng.randrange(1 << 20))
        dossier.siret_known = rng.random() < 0.6
        self.dossiers[number] = groupe.dossiers[number] = dossier
        return dossier

    def _republish(self, at: int) -> None:
        """Publish the next revision, and take along the dossiers that are not decided: their dates stay."""
        self.demarche.published.append(at)
        for dossier in self.dossiers.values():
            if not dossier.termine:
                dossier.revision = self.demarche.revision
                dossier.content += 1

    def _maintain(self, at: int, groupe: Groupe) -> None:
        """A mass job touches a third of a group's finished dossiers: many in one second, some in one microsecond."""
        found = (d for d in groupe.dossiers.values() if d.termine and d.visible and d.number % 3 == 0)
        for i, dossier in enumerate(found):
            dossier.updated_at = max(dossier.updated_at, at - SECOND + i // 3 * 7)
        groupe.version += 1
