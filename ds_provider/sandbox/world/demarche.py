"""A démarche with its groups, labels and revisions, and a second one that no token has a right on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ds_provider.sandbox.world.clock import DAY
from ds_provider.sandbox.world.dossier import Dossier, Groupe
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
    """A démarche of the API.

    :ivar published: when each revision was published, in microseconds since the epoch; its length is their number
    """

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
        """Return the API's id of a revision."""
        return typed_id("ProcedureRevision", self.number * 10 + revision)


def make_demarche(seed: int, groups: int, origin: int) -> Demarche:
    """Make the démarche of a world that begins at `origin`, in microseconds since the epoch."""
    number = 100_000 + seed % 1_000 * 10
    title = "Demande d'aide à l'installation agricole"
    return Demarche(number, title, origin - 30 * DAY, make_groups(seed, groups), published=[origin - DAY])


def make_other_demarche(seed: int, demarche: Demarche) -> Demarche:
    """Make the démarche that no token has a right on, as old as the first one."""
    groupe = Groupe(demarche.groupes[0].number - 1, "défaut", ("autre@sandbox.invalid",))
    created = demarche.created_at
    for i in range(5):
        dossier = Dossier(20_999_000 + seed % 1_000 * 10_000 + i, groupe, 0, created, created)
        dossier.updated_at = dossier.en_construction_at = created
        groupe.dossiers[dossier.number] = dossier
    number = demarche.number + 1
    return Demarche(number, "Une autre démarche", created, [groupe], published=[created], closed_to_token=True)


def make_groups(seed: int, count: int) -> list[Groupe]:
    """Make the groups of the démarche, in the order of their numbers."""
    first = 7_000 + seed % 1_000 * 10
    return [Groupe(first + i, _group_label(i), _agents(i)) for i in range(count)]


def _group_label(i: int) -> str:
    code, name = DEPARTEMENTS[i % len(DEPARTEMENTS)]
    turn = i // len(DEPARTEMENTS)
    return "défaut" if i == 0 else f"{name} ({code})" + (f", secteur {turn + 1}" if turn else "")


def _agents(i: int) -> tuple[str, ...]:
    return tuple(f"instructeur{i * 3 + j}@sandbox.invalid" for j in range(3))
