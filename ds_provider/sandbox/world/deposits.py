"""Plan of the deposits by day and group, drawn from the seed."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

from ds_provider.sandbox.world.clock import MINUTE, SECOND
from ds_provider.sandbox.world.ids import seeded_rng

HISTORY_DAYS = 90
CLOSING_DAY = 60
BURST_EVERY = 10

# (day, scenario): every group has these dossiers, so that each of its lists has rows when the world starts
GUARANTEED_SCENARIOS = (
    (50, "waiting"), (20, "abandoned"), (35, "withdrawn"), (80, "abandoned"), (46, "expired"), (5, "expired"),
    (30, "tidied"), (40, "user_removed"), (15, "withdrawn_by_both"), (25, "hesitant"), (33, "extended"),
    (10, "withdrawn_then_expired"), (28, "user_removed_when_done"),
)  # fmt: skip


class Deposit(NamedTuple):
    """A deposit, `offset` microseconds into its day.

    :ivar scenario: scenario of the dossier's life; None for a random one
    """

    offset: int
    scenario: str | None


class DepositPlan:
    """The deposits of one group.

    :param groupe: index of the group
    :param dossiers: number of deposits in the first :data:`HISTORY_DAYS`; later days keep that pace
    :param closes: whether the group receives no deposits from :data:`CLOSING_DAY` on
    """

    def __init__(self, seed: int, groupe: int, dossiers: int, closes: bool) -> None:
        self._seed, self._groupe, self._closes = seed, groupe, closes
        self._dossiers = dossiers
        self._guaranteed: dict[int, list[str]] = {}
        for day, scenario in GUARANTEED_SCENARIOS[:dossiers]:
            self._guaranteed.setdefault(min(day, self._open_days - 5), []).append(scenario)
        self._past = self._draw_past(dossiers - len(GUARANTEED_SCENARIOS[:dossiers]))

    @property
    def _open_days(self) -> int:
        return CLOSING_DAY if self._closes else HISTORY_DAYS

    def _draw_past(self, count: int) -> Counter[int]:
        days = range(self._open_days)
        weights = [8 if day % BURST_EVERY == 3 else 1 for day in days]
        return Counter(seeded_rng(self._seed, "past", self._groupe).choices(days, weights, k=count))

    def deposits(self, day: int) -> list[Deposit]:
        """Return the deposits of a day, in the order of their times. Day 0 is the world's first."""
        rng = seeded_rng(self._seed, "day", self._groupe, day)
        scenarios: list[str | None] = [*self._guaranteed.get(day, []), *[None] * self._count(day)]
        burst = self._draw_offset(rng) // SECOND * SECOND if day % BURST_EVERY == 3 else None
        offsets = [self._draw_offset(rng) if burst is None else burst + rng.randrange(3) * 250_001 for _ in scenarios]
        return sorted((Deposit(*pair) for pair in zip(offsets, scenarios, strict=True)), key=lambda d: d.offset)

    def _count(self, day: int) -> int:
        if day < HISTORY_DAYS or self._closes:
            return self._past[day]
        return (day + 1) * self._dossiers // HISTORY_DAYS - day * self._dossiers // HISTORY_DAYS

    @staticmethod
    def _draw_offset(rng: Random) -> int:
        return rng.randrange(7 * 60 * MINUTE, 22 * 60 * MINUTE)
