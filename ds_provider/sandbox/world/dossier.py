"""Rows of the API's database: groups, dossiers with their history, and the rows that outlive purged dossiers."""

from __future__ import annotations

from dataclasses import dataclass, field

from ds_provider.sandbox.world.ids import typed_id

TERMINES = ("accepte", "refuse", "sans_suite")


@dataclass(eq=False)
class Groupe:
    """A group (groupe instructeur); `version` counts the changes of its dossiers."""

    number: int
    label: str
    instructeurs: tuple[str, ...]
    closed: bool = False
    version: int = 0
    dossiers: dict[int, Dossier] = field(default_factory=dict)


@dataclass(frozen=True)
class Traitement:
    """A change of state. `at` is in microseconds since the epoch."""

    number: int
    event: str
    at: int
    agent: str | None = None
    motivation: str | None = None
    revision: int = 0


@dataclass
class Message:
    """A message, perhaps with a request for a correction. Instants are microseconds since the epoch."""

    number: int
    at: int
    email: str
    body: str
    files: int = 0
    discarded_at: int | None = None
    correction: str | None = None
    resolved_at: int | None = None


@dataclass
class Avis:
    """An opinion requested from an expert. Instants are microseconds since the epoch."""

    number: int
    at: int
    claimant: str
    expert: str
    question: str
    question_label: str | None = None
    answer: str | None = None
    question_answer: bool | None = None
    answered_at: int | None = None


@dataclass(frozen=True)
class Assignment:
    """A dossier's assignment to a group, which it has from `at` on (microseconds since the epoch)."""

    at: int
    mode: str
    groupe: Groupe
    previous: Groupe | None = None
    agent: str | None = None


@dataclass(eq=False)
class Dossier:
    """A dossier. Instants are microseconds since the epoch.

    :ivar content: version of its champs, which grows with each change
    :ivar edits: version and instant of the last edit, by stable id of the champ
    :ivar usager: number of its user; None if the account was removed
    """

    number: int
    groupe: Groupe
    revision: int
    created_at: int
    depose_at: int
    state: str = "en_construction"
    archived: bool = False
    updated_at: int = 0
    en_construction_at: int = 0
    en_instruction_at: int | None = None
    processed_at: int | None = None
    expired_at: int | None = None
    last_champ_updated_at: int | None = None
    last_champ_private_updated_at: int | None = None
    hidden_by_user_at: int | None = None
    hidden_by_administration_at: int | None = None
    hidden_by_expired_at: int | None = None
    hidden_by_reason: str | None = None
    motivation: str | None = None
    attestation_at: int | None = None
    accuse_lecture_at: int | None = None
    usager: int | None = 0
    siret_known: bool = True
    content: int = 0
    edits: dict[int, tuple[int, int]] = field(default_factory=dict)
    labels: list[int] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    traitements: list[Traitement] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    avis: list[Avis] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Id of the API."""
        return typed_id("Dossier", self.number)

    @property
    def termine(self) -> bool:
        """Return whether it is decided."""
        return self.state in TERMINES

    @property
    def visible(self) -> bool:
        """Return whether `dossiers` lists it."""
        if self.hidden_by_administration_at is not None or self.hidden_by_expired_at is not None:
            return False
        return self.hidden_by_user_at is None or self.state != "en_construction"

    @property
    def pending(self) -> bool:
        """Return whether `pendingDeletedDossiers` lists it."""
        if self.hidden_by_administration_at is not None:
            return True
        return self.state == "en_construction" and self.hidden_by_user_at is not None

    @property
    def pending_at(self) -> int | None:
        """Sort key of `pendingDeletedDossiers`."""
        if self.state == "en_construction":
            return self.hidden_by_user_at
        return self.hidden_by_administration_at


@dataclass(frozen=True)
class DeletedRow:
    """Remains of a purged dossier. Its key, `row`, is neither the dossier's number nor that in the pending row's id."""

    row: int
    number: int
    groupe: Groupe | None
    state: str
    reason: str
    deleted_at: int
