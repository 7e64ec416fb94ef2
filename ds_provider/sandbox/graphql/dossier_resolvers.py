"""Resolvers of a dossier and of the objects that belong to it."""

from __future__ import annotations

from typing import Any

from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.descriptors import Revision, label, profile
from ds_provider.sandbox.graphql.errors import ServerError
from ds_provider.sandbox.graphql.execution import Resolver
from ds_provider.sandbox.world import files
from ds_provider.sandbox.world.dossier import Assignment, Avis, Dossier, Message, Traitement
from ds_provider.sandbox.world.files import PDF, Attachment
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import read_id, typed_id

Arguments = dict[str, Any]


def champs(dossier: Dossier, context: Context, arguments: Arguments) -> list[JSON]:
    """Resolve the champs."""
    return _champs(dossier, context, arguments, private=False)


def private_champs(dossier: Dossier, context: Context, arguments: Arguments) -> list[JSON]:
    """Resolve the annotations."""
    return _champs(dossier, context, arguments, private=True)


def _champs(dossier: Dossier, context: Context, arguments: Arguments, *, private: bool) -> list[JSON]:
    """Return the visible champs; with an id, those of that descriptor, even if a condition hides them."""
    wanted = arguments.get("id")
    found = context.content.champs(dossier, private=private, include_hidden=wanted is not None)
    return found if wanted is None else [champ for champ in found if champ["champDescriptorId"] == wanted]


def _filter_by_id(rows: list[Any], kind: str, arguments: Arguments) -> list[Any]:
    wanted = arguments.get("id")
    return rows if wanted is None else [row for row in rows if str(row.number) == read_id(wanted, kind)]


def messages(dossier: Dossier, context: Context, arguments: Arguments) -> list[JSON]:
    """Resolve the messages, oldest first."""
    chosen = _filter_by_id(dossier.messages, "Commentaire", arguments)
    return [_message(message, context) for message in sorted(chosen, key=lambda m: m.at)]


def _message(message: Message, context: Context) -> JSON:
    attached = [files.make_attachment(f"message/{message.number}/{i}", message.at) for i in range(message.files)]
    correction = message.correction and {"reason": message.correction, "dateResolution": message.resolved_at}
    return {
        "id": typed_id("Commentaire", message.number),
        "email": message.email,
        "body": message.body,
        "createdAt": message.at,
        "discardedAt": message.discarded_at,
        "attachments": context.visible_files(attached),
        "correction": correction,
    }


def avis(dossier: Dossier, context: Context, arguments: Arguments) -> list[JSON]:
    """Resolve the requested opinions."""
    return [_avis(one, context) for one in _filter_by_id(dossier.avis, "Avis", arguments)]


def _avis(one: Avis, context: Context) -> JSON:
    """Return an opinion; every third answer has a file."""
    answered = one.answered_at if one.number % 3 == 0 else None
    attached = [] if answered is None else [files.make_attachment(f"avis/{one.number}", answered)]
    return {
        "id": typed_id("Avis", one.number),
        "question": one.question,
        "questionLabel": one.question_label,
        "questionAnswer": one.question_answer,
        "reponse": one.answer,
        "dateQuestion": one.at,
        "dateReponse": one.answered_at,
        "claimant": profile("Instructeur", one.claimant),
        "expert": profile("Expert", one.expert),
        "attachments": context.visible_files(attached),
    }


def traitements(dossier: Dossier, context: Context, _: Arguments) -> list[JSON]:
    """Resolve the history of states."""
    return [_traitement(one, dossier, context) for one in dossier.traitements]


def _traitement(one: Traitement, dossier: Dossier, context: Context) -> JSON:
    return {
        "id": typed_id("Traitement", one.number),
        "event": one.event,
        "dateTraitement": one.at,
        "emailAgentTraitant": one.agent,
        "motivation": one.motivation,
        "revision": Revision(context.world.demarche_of(dossier.groupe), one.revision),
        "changedColumns": [],
    }


def assignments(dossier: Dossier, context: Context, arguments: Arguments) -> list[JSON]:
    """Resolve the history of the dossier's groups, or the part with one mode, oldest first."""
    mode = arguments.get("mode")
    return [_assignment(one) for one in dossier.assignments if mode in (None, one.mode)]


def _assignment(one: Assignment) -> JSON:
    return {
        "mode": one.mode,
        "assignedAt": one.at,
        "assignedBy": one.agent,
        "groupeInstructeurNumber": one.groupe.number,
        "groupeInstructeurLabel": one.groupe.label,
        "previousGroupeInstructeurNumber": one.previous and one.previous.number,
        "previousGroupeInstructeurLabel": one.previous and one.previous.label,
    }


def labels(dossier: Dossier, context: Context, _: Arguments) -> list[JSON]:
    """Resolve the labels."""
    demarche = context.world.demarche_of(dossier.groupe)
    return [label(demarche, i) for i in sorted(dossier.labels)]


def form(dossier: Dossier, context: Context, _: Arguments) -> Revision:
    """Resolve the démarche at the dossier's own revision."""
    return Revision(context.world.demarche_of(dossier.groupe), dossier.revision)


def usager(dossier: Dossier, context: Context, _: Arguments) -> JSON:
    """Resolve the user; a removed account has an id that is not one."""
    if dossier.usager is None:
        return {"id": "<deleted>", "email": context.world.usager_email(dossier)}
    return profile("User", context.world.usager_email(dossier))


def connection_usager(dossier: Dossier, context: Context, _: Arguments) -> str:
    """Resolve the user's way of logging in."""
    if dossier.usager is None:
        return "deleted"
    return "france_connect" if dossier.usager % 3 == 0 else "password"


def demandeur(dossier: Dossier, context: Context, _: Arguments) -> JSON:
    """Resolve the demandeur.

    :raises ServerError: if the dossier is poisoned
    """
    if dossier.number in context.poisoned:
        raise ServerError(f"dossier {dossier.number}")
    return context.content.demandeur(dossier)


def mandataire(part: int) -> Resolver:
    """Return a resolver of the mandataire's family name (0) or first name (1)."""

    def resolve(dossier: Dossier, context: Context, _: Arguments) -> str | None:
        found = context.content.mandataire(dossier)
        return None if found is None else found[part]

    return resolve


def attestation(dossier: Dossier, context: Context, _: Arguments) -> JSON | None:
    """Resolve the attestation of an accepted dossier."""
    if dossier.attestation_at is None:
        return None
    key = f"attestation/{dossier.number}/{dossier.attestation_at}"
    return context.file(Attachment(key, "attestation.pdf", PDF, dossier.attestation_at))


def motivation_attachment(dossier: Dossier, context: Context, _: Arguments) -> JSON | None:
    """Resolve the file attached to a decision; every fifth dossier has one."""
    if not dossier.termine or dossier.processed_at is None or dossier.number % 5:
        return None
    key = f"motivation/{dossier.number}/{dossier.processed_at}"
    return context.file(Attachment(key, "courrier de décision.pdf", PDF, dossier.processed_at))


def pseudo_file(name: str, content_type: str) -> Resolver:
    """Return a resolver of a file that the API makes on demand."""

    def resolve(dossier: Dossier, context: Context, _: Arguments) -> JSON:
        filename = f"dossier-{dossier.number}.{name}"
        return context.file(Attachment(f"{name}/{dossier.number}", filename, content_type, context.now, True))

    return resolve


def correction_waiting(dossier: Dossier, context: Context, _: Arguments) -> int | None:
    """Resolve the date of the last correction that the user has not yet made."""
    waiting = [m.at for m in dossier.messages if m.correction and m.resolved_at is None]
    return max(waiting, default=None)


def expiration(dossier: Dossier, context: Context, _: Arguments) -> int | None:
    """Resolve the date of expiry; a dossier in instruction has none."""
    return None if dossier.state == "en_instruction" else dossier.expired_at


def attribute(name: str) -> Resolver:
    """Return a resolver that reads an attribute."""
    return lambda source, context, arguments: getattr(source, name)


ATTRIBUTES = {
    "id": "id", "number": "number", "state": "state", "archived": "archived", "motivation": "motivation",
    "groupeInstructeur": "groupe", "dateDepot": "depose_at", "datePassageEnConstruction": "en_construction_at",
    "datePassageEnInstruction": "en_instruction_at", "dateTraitement": "processed_at",
    "dateDerniereModification": "updated_at", "dateSuppressionParUsager": "hidden_by_user_at",
    "dateSuppressionParAdministration": "hidden_by_administration_at",
    "dateAccuseLectureAgreement": "accuse_lecture_at",
}  # fmt: skip

DOSSIER_RESOLVERS: dict[str, Resolver] = {
    **{f"Dossier.{name}": attribute(column) for name, column in ATTRIBUTES.items()},
    "Dossier.dateDerniereModificationChamps": lambda d, *_: d.last_champ_updated_at or d.created_at,
    "Dossier.dateDerniereModificationAnnotations": lambda d, *_: d.last_champ_private_updated_at or d.created_at,
    "Dossier.dateDerniereModificationChampsParInstructeur": lambda *_: None,
    "Dossier.dateExpiration": expiration,
    "Dossier.dateDerniereCorrectionEnAttente": correction_waiting,
    "Dossier.datePrevisionnelleDecisionSVASVR": lambda *_: None,
    "Dossier.dateTraitementSVASVR": lambda *_: None,
    "Dossier.prefilled": lambda d, *_: d.number % 11 == 0,
    "Dossier.deposeParUnTiers": lambda d, context, _: context.content.mandataire(d) is not None,
    "Dossier.nomMandataire": mandataire(0),
    "Dossier.prenomMandataire": mandataire(1),
    "Dossier.connectionUsager": connection_usager,
    "Dossier.usager": usager,
    "Dossier.demandeur": demandeur,
    "Dossier.demarche": form,
    "Dossier.instructeurs": lambda d, *_: [profile("Instructeur", email) for email in d.followers],
    "Dossier.champs": champs,
    "Dossier.annotations": private_champs,
    "Dossier.messages": messages,
    "Dossier.avis": avis,
    "Dossier.traitements": traitements,
    "Dossier.assignments": assignments,
    "Dossier.labels": labels,
    "Dossier.attestation": attestation,
    "Dossier.motivationAttachment": motivation_attachment,
    "Dossier.pdf": pseudo_file("pdf", PDF),
    "Dossier.geojson": pseudo_file("geojson", "application/json"),
}
