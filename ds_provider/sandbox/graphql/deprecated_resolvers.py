"""Resolvers of fields that the API has deprecated and still answers: many clients ask for them."""

from __future__ import annotations

from datetime import date
from typing import Any

from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.descriptors import DESCRIPTOR_RESOLVERS
from ds_provider.sandbox.graphql.dossier_resolvers import form
from ds_provider.sandbox.graphql.execution import Resolver
from ds_provider.sandbox.world.clock import paris_at
from ds_provider.sandbox.world.french import JSON

# events whose name is not that of the state they lead to
STATES = {
    "depose": "en_construction", "depose_correction_instructeur": "en_construction",
    "depose_correction_usager": "en_construction", "repasse_en_construction": "en_construction",
    "passe_en_instruction": "en_instruction", "passe_en_instruction_automatiquement": "en_instruction",
    "repasse_en_instruction": "en_instruction", "accepte_automatiquement": "accepte",
    "refuse_automatiquement": "refuse", "classe_sans_suite": "sans_suite",
}  # fmt: skip
RENAMED_URLS = ("cadreJuridique", "demarche", "dpo", "notice", "siteWeb")
POSTAL_FIELDS = {
    "codeInseeLocalite": "cityCode", "codePostal": "postalCode", "localite": "cityName", "numeroVoie": "streetNumber",
}  # fmt: skip


def state_after(traitement: JSON, *_: Any) -> str:
    """Resolve the state that an event led to."""
    event: str = traitement["event"]
    return STATES.get(event, event)


def first_attachment(message: JSON, *_: Any) -> JSON | None:
    """Resolve the first attachment of a message or an opinion."""
    return next(iter(message["attachments"]), None)


def first_file(champ: JSON, context: Context, _: Any) -> JSON | None:
    """Resolve the first file of a champ."""
    return next(iter(context.visible_files(champ["files"])), None)


def champs_of_rows(champ: JSON, *_: Any) -> list[JSON]:
    """Resolve the champs of all rows of a repetition, one row after the other."""
    return [inner for row in champ["rows"] for inner in row["champs"]]


def instant(champ: JSON, *_: Any) -> int | None:
    """Resolve a date as an instant: a day begins at midnight in Paris, a date with a time is itself."""
    if champ.get("datetime") is not None:
        return int(champ["datetime"])
    return None if champ["date"] is None else paris_at(date.fromisoformat(champ["date"]), 0)


def postal_field(name: str) -> Resolver:
    """Return a resolver of a field of a company's address; an incomplete company has none."""
    return lambda company, *_: (company.get("address") or {}).get(name)


def street(part: int) -> Resolver:
    """Return a resolver of the kind of a company's street (0) or of its name (1)."""

    def resolve(company: JSON, *_: Any) -> str | None:
        address = company.get("address")
        return address and address["streetName"].split(" ", 1)[part]

    return resolve


def postal_address(company: JSON, *_: Any) -> str | None:
    """Resolve a company's address in the lines of an envelope."""
    address = company.get("address")
    if address is None:
        return None
    town = f"{address['postalCode']} {address['cityName']}"
    return "\r\n".join((company["entreprise"]["raisonSociale"], address["streetAddress"], town, "FRANCE"))


DEPRECATED_RESOLVERS: dict[str, Resolver] = {
    "Traitement.state": state_after,
    "Message.attachment": first_attachment,
    "Avis.attachment": first_attachment,
    "Avis.instructeur": lambda avis, *_: avis["claimant"],
    "PieceJustificativeChamp.file": first_file,
    "RepetitionChamp.champs": champs_of_rows,
    "DateChamp.value": instant,
    "File.byteSize": lambda file, *_: int(file["byteSizeBigInt"]),
    "Dossier.revision": form,
    **{f"DemarcheDescriptor.{name}Url": DESCRIPTOR_RESOLVERS[f"DemarcheDescriptor.{name}URL"] for name in RENAMED_URLS},
    "PersonneMorale.adresse": postal_address,
    "PersonneMorale.complementAdresse": lambda *_: None,
    "PersonneMorale.typeVoie": street(0),
    "PersonneMorale.nomVoie": street(1),
    **{f"PersonneMorale.{name}": postal_field(now) for name, now in POSTAL_FIELDS.items()},
    "ParcelleCadastrale.codeArr": lambda area, *_: area["prefixe"],
    "ParcelleCadastrale.codeDep": lambda area, *_: area["commune"][:2],
    "ParcelleCadastrale.codeCom": lambda area, *_: area["commune"][2:],
    "ParcelleCadastrale.surfaceParcelle": lambda area, *_: float(area["surface"]),
    # what the land registry no longer gives, the API fills with these
    "ParcelleCadastrale.nomCom": lambda *_: "",
    "ParcelleCadastrale.feuille": lambda *_: 1,
    "ParcelleCadastrale.surfaceIntersection": lambda *_: 0.0,
}
