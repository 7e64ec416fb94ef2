"""What each step of a life does to a dossier, and whether it moves `updated_at`.

As in the API of January 2026: labels, a company's data that arrives late, the attestation, the transfer to
another user, the rebase on a new revision and the expiry do not move it; an edit that its user has not yet
submitted does, though nothing that can be read has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ds_provider.sandbox.world import french
from ds_provider.sandbox.world.clock import DAY
from ds_provider.sandbox.world.dossier import Avis, DeletedRow, Dossier, Message, Traitement
from ds_provider.sandbox.world.form import editable
from ds_provider.sandbox.world.ids import dice
from ds_provider.sandbox.world.lifecycle import CONSERVATION, Step

if TYPE_CHECKING:
    from ds_provider.sandbox.world.world import World

Handler = Callable[["World", Dossier, Step], None]
HANDLERS: dict[str, Handler] = {}
EXTENSION = 365 * DAY


def _touch(dossier: Dossier, stamp: int) -> None:
    dossier.updated_at = max(dossier.updated_at, stamp)


def _on(kind: str, *, touches: bool = True) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        def handle(world: World, dossier: Dossier, step: Step) -> None:
            if touches:
                _touch(dossier, step.stamp)
            handler(world, dossier, step)

        HANDLERS[kind] = handle
        return handler

    return register


def _agent(dossier: Dossier, arg: int) -> str:
    agents = dossier.groupe.instructeurs
    return agents[arg % len(agents)]


def _record(world: World, dossier: Dossier, event: str, at: int, motivation: str | None = None) -> None:
    agent = None if event.startswith("depose") else _agent(dossier, dossier.number)
    number = world.next_id("Traitement")
    dossier.traitements.append(Traitement(number, event, at, agent, motivation, dossier.revision))


def _mail(world: World, dossier: Dossier, at: int, body: str) -> None:
    dossier.messages.append(Message(world.next_id("Commentaire"), at, "contact@sandbox.invalid", body))


@_on("deposer")
def _deposer(world: World, dossier: Dossier, step: Step) -> None:
    dossier.en_construction_at = step.stamp
    dossier.expired_at = step.stamp + CONSERVATION
    dossier.last_champ_updated_at = step.stamp
    _record(world, dossier, "depose", step.stamp)


@_on("modifier")
def _modifier(world: World, dossier: Dossier, step: Step) -> None:
    _edit(world, dossier, step, private=False)
    dossier.last_champ_updated_at = step.stamp


@_on("annoter")
def _annoter(world: World, dossier: Dossier, step: Step) -> None:
    _edit(world, dossier, step, private=True)
    if step.arg % 2:  # annotations written through the API leave this date alone
        dossier.last_champ_private_updated_at = step.stamp


def _edit(world: World, dossier: Dossier, step: Step, *, private: bool) -> None:
    fields = editable(dossier.revision, private=private)
    for field in dice(world.seed, "edit", dossier.number, step.arg).sample(fields, 2):
        version, _ = dossier.edits.get(field.stable_id, (0, 0))
        dossier.edits[field.stable_id] = (version + 1, step.stamp)


@_on("tampon")
def _tampon(world: World, dossier: Dossier, step: Step) -> None:
    """An edit that waits in the user's buffer."""


@_on("message")
def _message(world: World, dossier: Dossier, step: Step) -> None:
    rng = dice(world.seed, "message", dossier.number, step.arg)
    sender = world.usager_email(dossier) if rng.random() < 0.5 else _agent(dossier, step.arg)
    files = rng.choice((0, 0, 0, 1, 2))
    number = world.next_id("Commentaire")
    dossier.messages.append(Message(number, step.stamp, sender, french.text(rng, rng.randint(1, 3)), files))


@_on("retirer_message")
def _retirer_message(world: World, dossier: Dossier, step: Step) -> None:
    message = dossier.messages[step.arg % len(dossier.messages)]
    if message.discarded_at is None:
        message.discarded_at, message.body, message.files = step.stamp, "", 0


@_on("correction")
def _correction(world: World, dossier: Dossier, step: Step) -> None:
    reason = ("incomplete", "incorrect", "outdated")[step.arg % 3]
    body = "Une correction est attendue : " + french.text(dice(world.seed, step.arg))
    number = world.next_id("Commentaire")
    sender = _agent(dossier, step.arg)
    dossier.messages.append(Message(number, step.stamp, sender, body, correction=reason))


@_on("corriger")
def _corriger(world: World, dossier: Dossier, step: Step) -> None:
    for message in dossier.messages:
        if message.correction and message.resolved_at is None:
            message.resolved_at = step.stamp
    _record(world, dossier, "depose_correction_usager", step.stamp)


@_on("avis")
def _avis(world: World, dossier: Dossier, step: Step) -> None:
    rng = dice(world.seed, "avis", dossier.number, step.arg)
    label = "Le projet est-il conforme ?" if rng.random() < 0.5 else None
    expert = f"expert{rng.randint(1, 5)}@sandbox.invalid"
    number, claimant = world.next_id("Avis"), _agent(dossier, step.arg)
    dossier.avis.append(Avis(number, step.stamp, claimant, expert, french.text(rng), label))


@_on("rendre_avis")
def _rendre_avis(world: World, dossier: Dossier, step: Step) -> None:
    for avis in dossier.avis:
        if avis.answered_at is None:
            rng = dice(world.seed, "reponse", avis.number)
            avis.answer, avis.answered_at = french.text(rng), step.stamp
            avis.question_answer = None if avis.question_label is None else rng.random() < 0.5


@_on("suivre")
def _suivre(world: World, dossier: Dossier, step: Step) -> None:
    if (agent := _agent(dossier, step.arg)) not in dossier.followers:
        dossier.followers.append(agent)


@_on("ne_plus_suivre")
def _ne_plus_suivre(world: World, dossier: Dossier, step: Step) -> None:
    del dossier.followers[:1]


@_on("etiqueter", touches=False)
def _etiqueter(world: World, dossier: Dossier, step: Step) -> None:
    label = step.arg % len(world.demarche.labels)
    if label not in dossier.labels:
        dossier.labels.append(label)


@_on("retirer_etiquette", touches=False)
def _retirer_etiquette(world: World, dossier: Dossier, step: Step) -> None:
    del dossier.labels[:1]


@_on("transferer", touches=False)
def _transferer(world: World, dossier: Dossier, step: Step) -> None:
    dossier.usager = step.arg


@_on("completer_siret", touches=False)
def _completer_siret(world: World, dossier: Dossier, step: Step) -> None:
    dossier.siret_known = True


@_on("attester", touches=False)
def _attester(world: World, dossier: Dossier, step: Step) -> None:
    dossier.attestation_at = step.stamp


@_on("changer_groupe")
def _changer_groupe(world: World, dossier: Dossier, step: Step) -> None:
    world.move(dossier, step.arg)


@_on("passer_en_instruction")
def _passer_en_instruction(world: World, dossier: Dossier, step: Step) -> None:
    dossier.state, dossier.en_instruction_at = "en_instruction", step.stamp
    _record(world, dossier, "passe_en_instruction", step.stamp)
    _mail(world, dossier, step.stamp, "Votre dossier est en cours d'instruction.")


@_on("decider")
def _decider(world: World, dossier: Dossier, step: Step) -> None:
    rng = dice(world.seed, "motivation", dossier.number, step.stamp - dossier.depose_at)
    dossier.state, dossier.processed_at = step.arg, step.stamp
    dossier.expired_at = step.stamp + CONSERVATION
    dossier.motivation = None if step.arg == "accepte" and rng.random() < 0.5 else rng.choice(french.MOTIVATIONS)
    event = "classe_sans_suite" if step.arg == "sans_suite" else step.arg
    _record(world, dossier, event, step.stamp, dossier.motivation)
    _mail(world, dossier, step.stamp, "Une décision a été prise sur votre dossier.")


@_on("repasser_en_instruction")
def _repasser_en_instruction(world: World, dossier: Dossier, step: Step) -> None:
    dossier.state, dossier.en_instruction_at = "en_instruction", step.stamp
    dossier.motivation, dossier.attestation_at, dossier.archived = None, None, False
    _record(world, dossier, "repasse_en_instruction", step.stamp)


@_on("repasser_en_construction")
def _repasser_en_construction(world: World, dossier: Dossier, step: Step) -> None:
    dossier.state, dossier.en_construction_at = "en_construction", step.stamp
    dossier.en_instruction_at = None
    _record(world, dossier, "repasse_en_construction", step.stamp)


@_on("archiver")
def _archiver(world: World, dossier: Dossier, step: Step) -> None:
    dossier.archived = not dossier.archived


@_on("prolonger")
def _prolonger(world: World, dossier: Dossier, step: Step) -> None:
    dossier.expired_at = (dossier.expired_at or step.stamp) + EXTENSION


@_on("masquer_usager")
def _masquer_usager(world: World, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_user_at, dossier.hidden_by_reason = step.stamp, "user_request"


@_on("masquer_administration")
def _masquer_administration(world: World, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_administration_at, dossier.hidden_by_reason = step.stamp, "instructeur_request"


@_on("restaurer_usager")
def _restaurer_usager(world: World, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_user_at = None
    dossier.hidden_by_reason = "instructeur_request" if dossier.hidden_by_administration_at else None


@_on("restaurer_administration")
def _restaurer_administration(world: World, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_administration_at = None
    dossier.hidden_by_reason = "user_request" if dossier.hidden_by_user_at else None


@_on("expirer", touches=False)
def _expirer(world: World, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_expired_at, dossier.hidden_by_reason = step.stamp, "expired"


@_on("prolonger_et_restaurer")
def _prolonger_et_restaurer(world: World, dossier: Dossier, step: Step) -> None:
    dossier.expired_at = step.stamp + EXTENSION
    dossier.hidden_by_expired_at, dossier.hidden_by_reason = None, None


@_on("supprimer_usager", touches=False)
def _supprimer_usager(world: World, dossier: Dossier, step: Step) -> None:
    dossier.usager = None
    if dossier.state == "en_construction":
        dossier.hidden_by_reason = "user_removed"
        world.purge(dossier, step.stamp)
    elif dossier.termine:
        dossier.hidden_by_user_at, dossier.hidden_by_reason = step.stamp, "user_removed"
        _touch(dossier, step.stamp)


@_on("purger", touches=False)
def _purger(world: World, dossier: Dossier, step: Step) -> None:
    world.purge(dossier, step.stamp)


def deleted_row(world: World, dossier: Dossier, at: int) -> DeletedRow:
    """What the purge at this instant writes: the date of a user's own request goes back to that request."""
    reason = dossier.hidden_by_reason or "user_request"
    asked = dossier.hidden_by_user_at if reason == "user_request" and not dossier.termine else None
    row = world.next_row(dossier.number)
    return DeletedRow(row, dossier.number, dossier.groupe, dossier.state, reason, asked or at)
