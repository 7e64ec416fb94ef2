"""Handlers of the steps of a dossier's life; each changes the dossier, and most of them its `updated_at`.

As in the API of January 2026: labels, a company's data that arrives late, the attestation, the transfer to
another user, the rebase on a new revision and the expiry do not move it; an edit that its user has not yet
submitted does, though nothing that can be read has changed.
"""

from __future__ import annotations

from collections.abc import Callable

from ds_provider.sandbox.world import french
from ds_provider.sandbox.world.clock import DAY
from ds_provider.sandbox.world.database import Database
from ds_provider.sandbox.world.dossier import Assignment, Avis, Dossier, Message, Traitement
from ds_provider.sandbox.world.form import editable
from ds_provider.sandbox.world.ids import seeded_rng
from ds_provider.sandbox.world.lifecycle import CONSERVATION, Step

Handler = Callable[[Database, Dossier, Step], None]
HANDLERS: dict[str, Handler] = {}
EXTENSION = 365 * DAY


def _touch(dossier: Dossier, stamp: int) -> None:
    dossier.updated_at = max(dossier.updated_at, stamp)


def _on(kind: str, *, touches: bool = True) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        def handle(database: Database, dossier: Dossier, step: Step) -> None:
            if touches:
                _touch(dossier, step.stamp)
            handler(database, dossier, step)

        HANDLERS[kind] = handle
        return handler

    return register


def _agent(dossier: Dossier, arg: int) -> str:
    agents = dossier.groupe.instructeurs
    return agents[arg % len(agents)]


def _record(database: Database, dossier: Dossier, event: str, at: int, motivation: str | None = None) -> None:
    agent = None if event.startswith("depose") else _agent(dossier, dossier.number)
    number = database.next_id("Traitement")
    dossier.traitements.append(Traitement(number, event, at, agent, motivation, dossier.revision))


def _mail(database: Database, dossier: Dossier, at: int, body: str) -> None:
    dossier.messages.append(Message(database.next_id("Commentaire"), at, "contact@sandbox.invalid", body))


@_on("deposer")
def _deposer(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.en_construction_at = step.stamp
    dossier.expired_at = step.stamp + CONSERVATION
    dossier.last_champ_updated_at = step.stamp
    _record(database, dossier, "depose", step.stamp)
    dossier.assignments.append(Assignment(step.stamp, "auto", dossier.groupe))


@_on("modifier")
def _modifier(database: Database, dossier: Dossier, step: Step) -> None:
    _edit(database, dossier, step, private=False)
    dossier.last_champ_updated_at = step.stamp


@_on("annoter")
def _annoter(database: Database, dossier: Dossier, step: Step) -> None:
    _edit(database, dossier, step, private=True)
    if step.arg % 2:  # annotations written through the API leave this date alone
        dossier.last_champ_private_updated_at = step.stamp


def _edit(database: Database, dossier: Dossier, step: Step, *, private: bool) -> None:
    fields = editable(dossier.revision, private=private)
    for field in seeded_rng(database.seed, "edit", dossier.number, step.arg).sample(fields, 2):
        version, _ = dossier.edits.get(field.stable_id, (0, 0))
        dossier.edits[field.stable_id] = (version + 1, step.stamp)


@_on("tampon")
def _tampon(database: Database, dossier: Dossier, step: Step) -> None:
    """An edit that waits in the user's buffer."""


@_on("message")
def _message(database: Database, dossier: Dossier, step: Step) -> None:
    rng = seeded_rng(database.seed, "message", dossier.number, step.arg)
    sender = database.usager_email(dossier) if rng.random() < 0.5 else _agent(dossier, step.arg)
    files = rng.choice((0, 0, 0, 1, 2))
    number = database.next_id("Commentaire")
    dossier.messages.append(Message(number, step.stamp, sender, french.text(rng, rng.randint(1, 3)), files))


@_on("retirer_message")
def _retirer_message(database: Database, dossier: Dossier, step: Step) -> None:
    message = dossier.messages[step.arg % len(dossier.messages)]
    if message.discarded_at is None:
        message.discarded_at, message.body, message.files = step.stamp, "", 0


@_on("correction")
def _correction(database: Database, dossier: Dossier, step: Step) -> None:
    reason = ("incomplete", "incorrect", "outdated")[step.arg % 3]
    body = "Une correction est attendue : " + french.text(seeded_rng(database.seed, step.arg))
    number = database.next_id("Commentaire")
    sender = _agent(dossier, step.arg)
    dossier.messages.append(Message(number, step.stamp, sender, body, correction=reason))


@_on("corriger")
def _corriger(database: Database, dossier: Dossier, step: Step) -> None:
    for message in dossier.messages:
        if message.correction and message.resolved_at is None:
            message.resolved_at = step.stamp
    _record(database, dossier, "depose_correction_usager", step.stamp)


@_on("avis")
def _avis(database: Database, dossier: Dossier, step: Step) -> None:
    rng = seeded_rng(database.seed, "avis", dossier.number, step.arg)
    label = "Le projet est-il conforme ?" if rng.random() < 0.5 else None
    expert = f"expert{rng.randint(1, 5)}@sandbox.invalid"
    number, claimant = database.next_id("Avis"), _agent(dossier, step.arg)
    dossier.avis.append(Avis(number, step.stamp, claimant, expert, french.text(rng), label))


@_on("rendre_avis")
def _rendre_avis(database: Database, dossier: Dossier, step: Step) -> None:
    for avis in dossier.avis:
        if avis.answered_at is None:
            rng = seeded_rng(database.seed, "reponse", avis.number)
            avis.answer, avis.answered_at = french.text(rng), step.stamp
            avis.question_answer = None if avis.question_label is None else rng.random() < 0.5


@_on("suivre")
def _suivre(database: Database, dossier: Dossier, step: Step) -> None:
    if (agent := _agent(dossier, step.arg)) not in dossier.followers:
        dossier.followers.append(agent)


@_on("ne_plus_suivre")
def _ne_plus_suivre(database: Database, dossier: Dossier, step: Step) -> None:
    del dossier.followers[:1]


@_on("etiqueter", touches=False)
def _etiqueter(database: Database, dossier: Dossier, step: Step) -> None:
    label = step.arg % len(database.demarche.labels)
    if label not in dossier.labels:
        dossier.labels.append(label)


@_on("retirer_etiquette", touches=False)
def _retirer_etiquette(database: Database, dossier: Dossier, step: Step) -> None:
    del dossier.labels[:1]


@_on("transferer", touches=False)
def _transferer(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.usager = step.arg


@_on("completer_siret", touches=False)
def _completer_siret(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.siret_known = True


@_on("attester", touches=False)
def _attester(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.attestation_at = step.stamp


@_on("accuser_lecture")
def _accuser_lecture(database: Database, dossier: Dossier, step: Step) -> None:
    if dossier.termine:
        dossier.accuse_lecture_at = step.stamp


@_on("changer_groupe")
def _changer_groupe(database: Database, dossier: Dossier, step: Step) -> None:
    previous = dossier.groupe
    database.move(dossier, step.arg)
    mode = "manual" if dossier.number % 4 else "bulk_routing"
    agent = previous.instructeurs[0] if mode == "manual" else None
    dossier.assignments.append(Assignment(step.stamp, mode, dossier.groupe, previous, agent))


@_on("passer_en_instruction")
def _passer_en_instruction(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.state, dossier.en_instruction_at = "en_instruction", step.stamp
    _record(database, dossier, "passe_en_instruction", step.stamp)
    _mail(database, dossier, step.stamp, "Votre dossier est en cours d'instruction.")


@_on("decider")
def _decider(database: Database, dossier: Dossier, step: Step) -> None:
    rng = seeded_rng(database.seed, "motivation", dossier.number, step.stamp - dossier.depose_at)
    dossier.state, dossier.processed_at = step.arg, step.stamp
    dossier.expired_at = step.stamp + CONSERVATION
    dossier.motivation = None if step.arg == "accepte" and rng.random() < 0.5 else rng.choice(french.MOTIVATIONS)
    event = "classe_sans_suite" if step.arg == "sans_suite" else step.arg
    _record(database, dossier, event, step.stamp, dossier.motivation)
    _mail(database, dossier, step.stamp, "Une décision a été prise sur votre dossier.")


@_on("repasser_en_instruction")
def _repasser_en_instruction(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.state, dossier.en_instruction_at = "en_instruction", step.stamp
    dossier.motivation, dossier.attestation_at, dossier.archived = None, None, False
    dossier.accuse_lecture_at = None
    _record(database, dossier, "repasse_en_instruction", step.stamp)


@_on("repasser_en_construction")
def _repasser_en_construction(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.state, dossier.en_construction_at = "en_construction", step.stamp
    dossier.en_instruction_at = None
    _record(database, dossier, "repasse_en_construction", step.stamp)


@_on("archiver")
def _archiver(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.archived = not dossier.archived


@_on("prolonger")
def _prolonger(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.expired_at = (dossier.expired_at or step.stamp) + EXTENSION


@_on("masquer_usager")
def _masquer_usager(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_user_at, dossier.hidden_by_reason = step.stamp, "user_request"


@_on("masquer_administration")
def _masquer_administration(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_administration_at, dossier.hidden_by_reason = step.stamp, "instructeur_request"


@_on("restaurer_usager")
def _restaurer_usager(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_user_at = None
    dossier.hidden_by_reason = "instructeur_request" if dossier.hidden_by_administration_at else None


@_on("restaurer_administration")
def _restaurer_administration(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_administration_at = None
    dossier.hidden_by_reason = "user_request" if dossier.hidden_by_user_at else None


@_on("expirer", touches=False)
def _expirer(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.hidden_by_expired_at, dossier.hidden_by_reason = step.stamp, "expired"


@_on("prolonger_et_restaurer")
def _prolonger_et_restaurer(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.expired_at = step.stamp + EXTENSION
    dossier.hidden_by_expired_at, dossier.hidden_by_reason = None, None


@_on("supprimer_usager", touches=False)
def _supprimer_usager(database: Database, dossier: Dossier, step: Step) -> None:
    dossier.usager = None
    if dossier.state == "en_construction":
        dossier.hidden_by_reason = "user_removed"
        database.purge(dossier, step.stamp)
    elif dossier.termine:
        dossier.hidden_by_user_at, dossier.hidden_by_reason = step.stamp, "user_removed"
        _touch(dossier, step.stamp)


@_on("purger", touches=False)
def _purger(database: Database, dossier: Dossier, step: Step) -> None:
    database.purge(dossier, step.stamp)
