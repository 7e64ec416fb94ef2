"""A démarche: its groups, labels and revisions, and the other one that the token has no right on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ds_provider.sandbox.world.dossier import Groupe
from ds_provider.sandbox.world.french import DEPARTEMENTS
from ds_provider.sandbox.world.ids import typed_id

LABELS = (
    ("Urgent", "pink_macaron"),
    ("À relancer", "yellow_tournesol"),
    ("Visite prévue 🚜", "green_emeraude"),
    ("Hors délai", "brown_cafe_creme"),
)


@dataclass(eq=False)
class Demarche:
    """:ivar published: when each revision was published, in microseconds; its length is their number"""

    number: int
    title: str
    created_at: int
    groupes: list[Groupe]
    labels: tuple[tuple[str, str], ...] = LABELS
    published: list[int] = field(default_factory=list)
    closed_to_token: bool = False

    @property
    def revision(self) -> int:
        """The revision that new dossiers are deposited on."""
        return len(self.published) - 1

    def revision_id(self, revision: int) -> str:
        return typed_id("ProcedureRevision", self.number * 10 + revision)


def groupes(seed: int, count: int) -> list[Groupe]:
    """The groups, by label, as the API lists them; where there are three or more, the last will be closed."""
    first = 7_000 + seed % 1_000 * 10
    return [Groupe(first + i, label(i), agents(i)) for i in range(count)]


def label(i: int) -> str:
    code, name = DEPARTEMENTS[i % len(DEPARTEMENTS)]
    turn = i // len(DEPARTEMENTS)
    return "défaut" if i == 0 else f"{name} ({code})" + (f", secteur {turn + 1}" if turn else "")


def agents(i: int) -> tuple[str, ...]:
    return tuple(f"instructeur{i * 3 + j}@sandbox.invalid" for j in range(3))
