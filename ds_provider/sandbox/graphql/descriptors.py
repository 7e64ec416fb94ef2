"""Resolvers of the démarche, its revisions and its form."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, cast

from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.execution import Resolver
from ds_provider.sandbox.graphql.projection import descriptor_type, served_kind
from ds_provider.sandbox.world import french
from ds_provider.sandbox.world.clock import DAY
from ds_provider.sandbox.world.demarche import Demarche
from ds_provider.sandbox.world.files import PDF, Attachment
from ds_provider.sandbox.world.form import LINKED, REVISIONS, Field, fields
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import seeded_rng, typed_id
from ds_provider.sandbox.world.lifecycle import CONSERVATION

Arguments = dict[str, Any]
CODED = {"departements": french.DEPARTEMENTS, "regions": french.REGIONS, "pays": french.PAYS}


class Revision(NamedTuple):
    """A revision of a démarche, counted from 0."""

    demarche: Demarche
    number: int


@lru_cache(maxsize=4_096)
def profile(kind: str, email: str) -> JSON:
    """Return a person as the API shows one."""
    return {"id": typed_id(kind, seeded_rng(kind, email).randrange(10_000, 99_999)), "email": email}


def descriptors(revision: int, *, private: bool) -> list[JSON]:
    """Describe the champs of a revision, or its annotations if `private`."""
    return [describe(field, revision) for field in fields(revision, private=private)]


def describe(field: Field, revision: int) -> JSON:
    """Describe one champ of the form, with the fields of all descriptor types: each type selects its own."""
    children = [describe(child, revision) for child in field.children if child.is_on(revision)]
    kind = served_kind(field.kind)
    return {
        "__typename": descriptor_type(kind),
        "id": typed_id("Champ", field.stable_id),
        "label": field.label,
        "description": None if field.stable_id % 3 else f"Aide à la saisie : {field.label.lower()}.",
        "required": field.required,
        "level": field.level,
        "options": _options(field),
        "otherOption": field.kind == "drop_down_list",
        "collapsibleExplanationEnabled": True,
        "collapsibleExplanationText": "Reportez-vous à la notice.",
        "type": kind,
        "condition": _condition(field),
        "champDescriptors": children if field.kind == "repetition" else None,
    }


def _condition(field: Field) -> list[Any] | None:
    """Return the condition under which a champ shows, as the API writes it: the operator first."""
    return None if field.condition is None else ["=", ["champ", typed_id("Champ", field.condition)], True]


def _options(field: Field) -> list[Any]:
    if field.kind in CODED:
        return [{"code": code, "name": name} for code, name in CODED[field.kind]]
    if field.kind == "linked_drop_down_list":
        return [option for first, seconds in LINKED.items() for option in (f"--{first}--", *seconds)]
    return list(field.options)


def file_template(descriptor: JSON, context: Context, _: Arguments) -> JSON | None:
    """Resolve the template of an attachment."""
    at = context.world.demarche.created_at
    return context.file(Attachment(f"template/{descriptor['id']}", "modèle.pdf", PDF, at))


def service(demarche: Demarche) -> JSON:
    """Return the service in charge of a démarche."""
    return {
        "id": typed_id("Service", demarche.number),
        "nom": "Service des aides agricoles",
        "organisme": "Direction fictive des territoires",
        "siret": french.siret(seeded_rng("service", demarche.number)),
        "departement": None,
        "typeOrganisme": "service_deconcentre_de_l_etat",
    }


def label(demarche: Demarche, i: int) -> JSON:
    """Return a label of a démarche by its index."""
    name, color = demarche.labels[i]
    return {"id": typed_id("Label", demarche.number * 10 + i), "name": name, "color": color}


def labels(demarche: Demarche, context: Context, _: Arguments) -> list[JSON]:
    """Resolve the labels of a démarche."""
    return [label(demarche, i) for i in range(len(demarche.labels))]


def published_revision(demarche: Demarche, context: Context, _: Arguments) -> Revision:
    """Resolve the last published revision."""
    return Revision(demarche, demarche.revision)


def draft_revision(demarche: Demarche, context: Context, _: Arguments) -> Revision:
    """Resolve the draft: the next revision to be published, or a copy of the last."""
    return Revision(demarche, demarche.revision + 1)


def revisions(demarche: Demarche, context: Context, _: Arguments) -> list[Revision]:
    """Resolve the published revisions and the draft."""
    return [Revision(demarche, i) for i in range(len(demarche.published) + 1)]


def revision_created(revision: Revision, context: Context, _: Arguments) -> int:
    """Resolve when a revision was begun, in microseconds since the epoch."""
    demarche, number = revision
    return demarche.created_at if number == 0 else demarche.published[number - 1]


def revision_published(revision: Revision, context: Context, _: Arguments) -> int | None:
    """Resolve when a revision was published, in microseconds since the epoch; null for the draft."""
    demarche, number = revision
    return demarche.published[number] if number < len(demarche.published) else None


def _form(private: bool) -> Resolver:
    def resolve(revision: Revision, context: Context, _: Arguments) -> list[JSON]:
        return descriptors(min(revision.number, REVISIONS - 1), private=private)

    return resolve


def _active_form(private: bool) -> Resolver:
    """Return a resolver of the form that new dossiers are deposited on."""
    resolve = _form(private)
    return lambda demarche, context, arguments: resolve(Revision(demarche, demarche.revision), context, arguments)


def _common(type_name: str, demarche_of: Callable[[Any], Demarche]) -> dict[str, Resolver]:
    constants = {"state": "publiee", "declarative": None, "dateDepublication": None, "dateFermeture": None}
    return {
        **{f"{type_name}.{name}": _constant(value) for name, value in constants.items()},
        f"{type_name}.id": lambda found, *_: typed_id("Procedure", demarche_of(found).number),
        f"{type_name}.number": lambda found, *_: demarche_of(found).number,
        f"{type_name}.title": lambda found, *_: demarche_of(found).title,
        f"{type_name}.description": _constant("Une démarche fictive, pour essayer.\nRien n'en est vrai."),
        f"{type_name}.dateCreation": lambda found, *_: demarche_of(found).created_at,
        f"{type_name}.datePublication": lambda found, *_: demarche_of(found).published[0],
        f"{type_name}.dateDerniereModification": lambda found, *_: demarche_of(found).published[-1],
        f"{type_name}.service": lambda found, *_: service(demarche_of(found)),
    }


def dossiers_count(revision: Revision, *_: Any) -> int:
    """Resolve the number of dossiers of a démarche."""
    return sum(len(groupe.dossiers) for groupe in revision.demarche.groupes)


def _constant(value: Any) -> Resolver:
    return lambda source, context, arguments: value


NULL_FIELDS = ("cadreJuridiqueURL", "dateLimite", "deliberation", "dpoURL", "logo", "notice", "noticeURL", "siteWebURL")

DESCRIPTOR_RESOLVERS: dict[str, Resolver] = {
    **_common("Demarche", lambda found: cast(Demarche, found)),
    **_common("DemarcheDescriptor", lambda found: cast(Revision, found).demarche),
    **{f"DemarcheDescriptor.{name}": _constant(None) for name in NULL_FIELDS},
    "Demarche.activeRevision": published_revision,
    "Demarche.publishedRevision": published_revision,
    "Demarche.draftRevision": draft_revision,
    "Demarche.champDescriptors": _active_form(private=False),
    "Demarche.annotationDescriptors": _active_form(private=True),
    "Demarche.revisions": revisions,
    "Demarche.labels": labels,
    "Demarche.administrateurs": lambda *_: [profile("Administrateur", "administrateur@sandbox.invalid")],
    "Demarche.chorusConfiguration": _constant(None),
    "DemarcheDescriptor.revision": lambda found, *_: found,
    "DemarcheDescriptor.dossiersCount": dossiers_count,
    "DemarcheDescriptor.forIndividual": _constant(True),
    "DemarcheDescriptor.demarcheURL": lambda found, context, _: f"{context.root}/commencer/aide-agricole",
    "DemarcheDescriptor.dureeConservationDossiers": _constant(CONSERVATION // (30 * DAY)),
    "DemarcheDescriptor.opendata": _constant(True),
    "DemarcheDescriptor.tags": _constant(["agriculture", "installation"]),
    "DemarcheDescriptor.zones": _constant(["Ministère fictif"]),
    "Revision.id": lambda revision, *_: revision[0].revision_id(revision[1]),
    "Revision.dateCreation": revision_created,
    "Revision.datePublication": revision_published,
    "Revision.champDescriptors": _form(private=False),
    "Revision.annotationDescriptors": _form(private=True),
    "PieceJustificativeChampDescriptor.fileTemplate": file_template,
}
