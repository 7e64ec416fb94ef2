"""The world: one démarche and its dossiers, which change as time goes by.

The same seed, number of groups and of dossiers give the same world relative to its origin, the midnight of
Paris :data:`~ds_provider.sandbox.world.deposits.HISTORY_DAYS` days before its start; only the nightly jobs follow
the calendar.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta

from ds_provider.sandbox.world.clock import DAY, HOUR, SECOND, paris_at, paris_day
from ds_provider.sandbox.world.database import Database
from ds_provider.sandbox.world.deposits import CLOSING_DAY, HISTORY_DAYS, DepositPlan
from ds_provider.sandbox.world.dossier import Dossier, Groupe
from ds_provider.sandbox.world.events import HANDLERS
from ds_provider.sandbox.world.ids import seeded_rng
from ds_provider.sandbox.world.lifecycle import Step, plan_life

REPUBLICATION_DAYS = (30, 75, 97)  # the last one lies a week after the start
MAINTENANCE_EVERY, MAINTENANCE_DAY = 20, 8
GROUPS_WITH_A_CLOSED_ONE = 3
NO_DOSSIER = 0


class World(Database):
    """All dossiers as they stand at the instant the world was last advanced to.

    :param seed: seed of all random values
    :param groups: number of groups; of three or more, the last one closes
    :param dossiers: number of dossiers that each group receives before the start
    :param start: instant up to which the world lives at once, in microseconds since the epoch
    """

    def __init__(self, seed: int, groups: int, dossiers: int, start: int) -> None:
        self.first_day = paris_day(start) - timedelta(days=HISTORY_DAYS)
        self.origin = paris_at(self.first_day, 0)
        super().__init__(seed, groups, self.origin)
        self.lock = threading.RLock()
        self.now = self.origin
        self.version = 0
        self._has_closing_group = groups >= GROUPS_WITH_A_CLOSED_ONE
        self._deposit_plans = [DepositPlan(seed, i, dossiers, self._is_closing(i)) for i in range(groups)]
        self._last_number = self.first_number
        self._day, self._next_day_at = 0, self.origin
        self._steps: list[tuple[int, int, int, Step]] = []
        self._order = itertools.count()
        self.advance(start)

    def advance(self, now: int) -> None:
        """Live up to an instant, in microseconds since the epoch. An instant in the past changes nothing."""
        with self.lock:
            while min(self._next_day_at, self._next_step_at()) <= now:
                if self._next_day_at <= self._next_step_at():
                    self._begin_day()
                else:
                    self._run_step()
            self.now = max(self.now, now)

    def _is_closing(self, i: int) -> bool:
        return self._has_closing_group and i == len(self.demarche.groupes) - 1

    def _next_step_at(self) -> int:
        return self._steps[0][0] if self._steps else 1 << 62

    def _begin_day(self) -> None:
        day, start = self._day, self._next_day_at
        self._day += 1
        self._next_day_at = paris_at(self.first_day + timedelta(days=self._day), 0)
        for step in self._common_steps(day, start):
            self._schedule(NO_DOSSIER, step)
        for groupe, plan in zip(self.demarche.groupes, self._deposit_plans, strict=True):
            for deposit in plan.deposits(day):
                self._schedule_life(groupe, start + deposit.offset, deposit.scenario)

    def _common_steps(self, day: int, start: int) -> Iterator[Step]:
        """Yield the steps of a day that concern no single dossier."""
        if day % MAINTENANCE_EVERY == MAINTENANCE_DAY:
            yield Step(start + 3 * HOUR, "entretenir", start + 3 * HOUR, day // MAINTENANCE_EVERY)
        if day in REPUBLICATION_DAYS:
            yield Step(start + 9 * HOUR, "publier", start + 9 * HOUR)
        if day == CLOSING_DAY and self._has_closing_group:
            yield Step(start, "fermer", start)

    def _schedule_life(self, groupe: Groupe, at: int, scenario: str | None) -> None:
        number = self._next_number()
        rng = seeded_rng(self.seed, "life", number)
        open_groups = [each.number for i, each in enumerate(self.demarche.groupes) if not self._is_closing(i)]
        for step in plan_life(rng, at, groupe.number, open_groups, scenario):
            self._schedule(number, step._replace(arg=groupe.number) if step.kind == "deposer" else step)

    def _next_number(self) -> int:
        """Return the next dossier's number.

        Drafts get their numbers when they are begun: numbers rise with time, though not quite as deposits do.
        """
        self._last_number += 1
        return self._last_number ^ 1

    def _schedule(self, number: int, step: Step) -> None:
        heapq.heappush(self._steps, (step.at, number, next(self._order), step))

    def _run_step(self) -> None:
        self.now, number, _, step = heapq.heappop(self._steps)
        self.version += 1
        if number == NO_DOSSIER:
            self._run_common_step(step)
            return
        dossier = self._deposit(number, step) if step.kind == "deposer" else self.dossiers[number]
        HANDLERS[step.kind](self, dossier, step)
        dossier.content += 1
        dossier.groupe.version += 1

    def _run_common_step(self, step: Step) -> None:
        if step.kind == "publier":
            self._republish(step.at)
        elif step.kind == "entretenir":
            self._maintain(step.at, self.demarche.groupes[step.arg % len(self.demarche.groupes)])
        else:
            self.demarche.groupes[-1].closed = True

    def _deposit(self, number: int, step: Step) -> Dossier:
        rng = seeded_rng(self.seed, "deposit", number)
        groupe = next(each for each in self.demarche.groupes if each.number == step.arg)
        created = step.stamp - rng.randrange(SECOND, 10 * DAY)
        dossier = Dossier(number, groupe, self.demarche.revision, created, step.stamp, usager=rng.randrange(1 << 20))
        dossier.siret_known = rng.random() < 0.6
        self.dossiers[number] = groupe.dossiers[number] = dossier
        return dossier

    def _republish(self, at: int) -> None:
        """Publish the next revision and rebase the undecided dossiers on it: their dates stay."""
        self.demarche.published.append(at)
        for dossier in self.dossiers.values():
            if not dossier.termine:
                dossier.revision = self.demarche.revision
                dossier.content += 1

    def _maintain(self, at: int, groupe: Groupe) -> None:
        """Touch a third of a group's finished dossiers, as a mass job does.

        Many are modified in one second, some in one microsecond.
        """
        found = (d for d in groupe.dossiers.values() if d.termine and d.visible and d.number % 3 == 0)
        for i, dossier in enumerate(found):
            dossier.updated_at = max(dossier.updated_at, at - SECOND + i // 3 * 7)
        groupe.version += 1
