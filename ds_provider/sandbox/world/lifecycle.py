"""Life of one dossier, planned in advance as steps in time.

Each dossier has a scenario, which writes its steps. Nothing here knows the clock: the world runs the steps as
its time goes by. The rules of deletion are those of the API's nightly jobs, in Paris time: 01:00 hides finished
dossiers that have expired, 02:00 purges dossiers that have been hidden for two weeks.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from ds_provider.sandbox.world.clock import DAY, HOUR, MINUTE, SECOND, next_paris

CONSERVATION = 30 * DAY
BEFORE_PURGE = 14 * DAY

SMALL_EVENTS = {
    "en_construction": (
        ("modifier", 5), ("tampon", 3), ("message", 4), ("suivre", 2), ("etiqueter", 2), ("annoter", 2),
        ("changer_groupe", 1), ("transferer", 1), ("correction", 1),
    ),
    "en_instruction": (
        ("annoter", 4), ("message", 3), ("suivre", 2), ("ne_plus_suivre", 1), ("avis", 3), ("etiqueter", 2),
        ("retirer_etiquette", 1), ("changer_groupe", 1),
    ),
    "termine": (("message", 2), ("annoter", 1), ("etiqueter", 2), ("retirer_message", 1), ("archiver", 3)),
}  # fmt: skip
SLOW_COMMITS = {"modifier", "message", "annoter", "tampon"}


class Step(NamedTuple):
    """Something that happens to a dossier.

    :ivar at: when it becomes visible, in microseconds since the epoch
    :ivar stamp: instant that it writes into the dossier's dates; in a slow transaction it is older than `at`
    """

    at: int
    kind: str
    stamp: int
    arg: Any = None


class Script:
    """Steps of a life in the making; its time moves forward as steps are added.

    :param groupes: numbers of the groups that the dossier may move to
    :param stays_in_group: whether the dossier stays in its first group
    """

    def __init__(self, rng: Random, start: int, groupes: list[int], groupe: int, stays_in_group: bool) -> None:
        self.rng = rng
        self.at = start
        self.state = "en_construction"
        self.steps: list[Step] = []
        self._groupes = groupes
        self._groupe = groupe
        self._stays_in_group = stays_in_group

    def do(self, kind: str, arg: Any = None, *, delay: int = 0) -> Script:
        """Add a step, `delay` microseconds after the present time."""
        self.steps.append(Step(self.at + delay, kind, self.at + delay, arg))
        return self

    def wait(self, low: float, high: float) -> Script:
        """Move forward by a random number of days."""
        self.at += int(self.rng.uniform(low, high) * DAY)
        return self

    def live(self, low: float, high: float, per_day: float = 0.3) -> Script:
        """Move forward by a random number of days, with `per_day` small events a day."""
        start = self.at
        self.wait(low, high)
        for _ in range(min(12, int((self.at - start) / DAY * per_day + self.rng.random()))):
            self._add_small_event(self.rng.randrange(start + SECOND, max(start + 2 * SECOND, self.at - MINUTE)))
        return self

    def nightly(self, hour: int, wait: int) -> Script:
        """Move forward to the first nightly job at least `wait` microseconds later.

        :param hour: hour of the job in Paris
        """
        self.at = next_paris(self.at + wait, hour)
        return self

    def _add_small_event(self, stamp: int) -> None:
        kinds, weights = zip(*SMALL_EVENTS[self.state], strict=True)
        kind = self.rng.choices(kinds, weights)[0]
        arg = self._argument(kind)
        late = self.rng.random() < 0.05 and kind in SLOW_COMMITS
        at = stamp + (self.rng.randrange(SECOND // 5, 25 * SECOND) if late else 0)
        if kind != "changer_groupe" or arg is not None:
            self.steps.append(Step(at, kind, stamp, arg))
        if kind == "correction":
            self.steps.append(Step(self.at - SECOND, "corriger", self.at - SECOND))
        if kind == "avis" and self.rng.random() < 0.7:
            self.steps.append(Step(self.at - SECOND, "rendre_avis", self.at - SECOND))

    def _argument(self, kind: str) -> int | None:
        if kind != "changer_groupe":
            return self.rng.randrange(1 << 30)
        others = [groupe for groupe in self._groupes if groupe != self._groupe]
        if self._stays_in_group or not others:
            return None
        self._groupe = self.rng.choice(others)
        return self._groupe


def _instruct(script: Script, low: float = 2, high: float = 12) -> None:
    script.live(low, high).do("passer_en_instruction")
    script.state = "en_instruction"


def _decide(script: Script, low: float = 2, high: float = 15) -> None:
    decision = script.rng.choices(("accepte", "refuse", "sans_suite"), (65, 15, 20))[0]
    script.live(low, high).do("decider", decision)
    script.state = "termine"
    if decision == "accepte":
        script.do("attester", delay=script.rng.randrange(20 * SECOND, 5 * MINUTE))
    if script.at % 3 == 0:
        script.do("accuser_lecture", delay=HOUR + script.at % (20 * HOUR))


def _conclude(script: Script) -> None:
    _instruct(script)
    if script.rng.random() < 0.05:
        script.wait(1, 3).do("repasser_en_construction")
        script.state = "en_construction"
        _instruct(script)
    _decide(script)


def _extend_conservation(script: Script) -> None:
    """Extend the conservation, so that the dossier does not expire."""
    script.wait(0.5, 3).do("prolonger")


def _purge(script: Script, wait: int = BEFORE_PURGE) -> None:
    backlog = script.rng.randrange(3) * DAY if script.rng.random() < 0.2 else 0
    script.nightly(2, wait + backlog)
    script.at += script.rng.randrange(90 * SECOND)
    script.do("purger")


def _expire(script: Script) -> None:
    script.nightly(1, CONSERVATION)
    script.at += script.rng.randrange(60 * SECOND)
    script.do("expirer")


def ordinary(script: Script) -> None:
    """Plan a decision, perhaps a second one."""
    _conclude(script)
    if script.rng.random() < 0.1:
        script.wait(0.5, 4).do("repasser_en_instruction")
        script.state = "en_instruction"
        _decide(script)
    _extend_conservation(script)
    script.live(10, 60)


def waiting(script: Script) -> None:
    """Plan weeks without a decision, then an ordinary life."""
    script.live(60, 110, per_day=0.1)
    ordinary(script)


def abandoned(script: Script) -> None:
    """Plan a deletion by the user before a decision."""
    script.live(1, 7).do("masquer_usager")
    _purge(script)


def hesitant(script: Script) -> None:
    """Plan a deletion by the user that is taken back, and perhaps repeated."""
    script.live(1, 6).do("masquer_usager").wait(1, 9).do("restaurer_usager").live(1, 6)
    if script.rng.random() < 0.5:
        script.do("masquer_usager")
        _purge(script)
    else:
        ordinary(script)


def tidied(script: Script) -> None:
    """Plan a decision, after which the user hides the dossier and perhaps restores it."""
    _conclude(script)
    _extend_conservation(script)
    script.live(1, 10).do("masquer_usager")
    if script.rng.random() < 0.3:
        script.wait(2, 20).do("restaurer_usager")


def withdrawn(script: Script) -> None:
    """Plan a decision, after which the administration hides the dossier."""
    _conclude(script)
    _extend_conservation(script)
    script.live(1, 8).do("masquer_administration")


def withdrawn_then_restored(script: Script) -> None:
    """Plan a dossier that the administration hides and restores."""
    withdrawn(script)
    script.wait(3, 20).do("restaurer_administration").live(5, 20)


def withdrawn_by_both(script: Script) -> None:
    """Plan a dossier that the administration and the user hide, and its purge."""
    withdrawn(script)
    script.wait(0.1, 5).do("masquer_usager")
    _purge(script)


def withdrawn_then_expired(script: Script) -> None:
    """Plan a dossier that expires while the administration hides it."""
    _decide_quickly(script)
    start = script.at
    script.wait(1, 8).do("masquer_administration")
    script.at = start
    _expire(script)
    _purge(script)


def expired(script: Script) -> None:
    """Plan a quick decision, an expiry and a purge."""
    _decide_quickly(script)
    _expire(script)
    _purge(script)


def extended(script: Script) -> None:
    """Plan an expiry that the administration takes back in time."""
    _decide_quickly(script)
    _expire(script)
    script.wait(2, 10).do("prolonger_et_restaurer").live(5, 30)


def user_removed(script: Script) -> None:
    """Plan the removal of the user's account before a decision."""
    script.live(1, 8).do("supprimer_usager")


def user_removed_in_instruction(script: Script) -> None:
    """Plan the removal of the user's account while the dossier is in instruction."""
    _instruct(script)
    script.wait(1, 5).do("supprimer_usager")
    _decide(script)
    _extend_conservation(script)


def user_removed_when_done(script: Script) -> None:
    """Plan the removal of the user's account after a decision."""
    _conclude(script)
    _extend_conservation(script)
    script.wait(1, 8).do("supprimer_usager")


def _decide_quickly(script: Script) -> None:
    _instruct(script, 1, 3)
    _decide(script, 1, 5)


SCENARIOS: dict[str, tuple[Callable[[Script], None], int]] = {
    "ordinary": (ordinary, 56),
    "waiting": (waiting, 14),
    "abandoned": (abandoned, 7),
    "hesitant": (hesitant, 4),
    "tidied": (tidied, 4),
    "withdrawn": (withdrawn, 3),
    "withdrawn_then_restored": (withdrawn_then_restored, 2),
    "withdrawn_by_both": (withdrawn_by_both, 2),
    "withdrawn_then_expired": (withdrawn_then_expired, 1),
    "expired": (expired, 3),
    "extended": (extended, 1),
    "user_removed": (user_removed, 2),
    "user_removed_in_instruction": (user_removed_in_instruction, 1),
    "user_removed_when_done": (user_removed_when_done, 1),
}


def plan_life(rng: Random, deposit: int, groupe: int, groupes: list[int], scenario: str | None = None) -> list[Step]:
    """Return the steps of a dossier's life, in the order of their times.

    :param deposit: when it is deposited, in microseconds since the epoch
    :param groupe: number of its first group
    :param groupes: numbers of the groups that it may move to
    :param scenario: one of :data:`SCENARIOS`, in which the dossier stays in its group; None for a random one
    """
    names = list(SCENARIOS)
    drawn = scenario or rng.choices(names, [SCENARIOS[name][1] for name in names])[0]
    script = Script(rng, deposit, groupes, groupe, stays_in_group=scenario is not None)
    script.do("deposer")
    if rng.random() < 0.3:
        script.do("completer_siret", delay=rng.randrange(MINUTE, DAY))
    SCENARIOS[drawn][0](script)
    return sorted(script.steps, key=lambda step: step.at)
