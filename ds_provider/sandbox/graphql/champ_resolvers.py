"""Resolvers of champs' fields that depend on more than the champ itself."""

from __future__ import annotations

from typing import Any

from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.errors import hidden
from ds_provider.sandbox.graphql.execution import Resolver
from ds_provider.sandbox.world.content import company
from ds_provider.sandbox.world.dossier import Dossier
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import typed_id

# the type of column of each kind of champ; the other kinds have one of text
COLUMN_TYPES = {
    "piece_justificative": "AttachmentsColumn", "checkbox": "BooleanColumn", "yes_no": "BooleanColumn",
    "date": "DateColumn", "datetime": "DateTimeColumn", "decimal_number": "DecimalColumn",
    "drop_down_list": "EnumColumn", "multiple_drop_down_list": "EnumsColumn", "integer_number": "IntegerColumn",
}  # fmt: skip
COLUMN_VALUES = {
    "DateColumn": "date",
    "DateTimeColumn": "datetime",
    "EnumsColumn": "values",
    "TextColumn": "stringValue",
}
NO_COLUMNS = {"repetition", "titre_identite", "header_section", "explication", "carte"}


def linked_dossier(champ: JSON, context: Context, _: Any) -> Dossier | None:
    """Resolve the linked dossier; null if it is hidden or purged.

    :raises FieldError: if the token has no right on it
    """
    number = champ["linked"]
    found = None if number is None else context.world.dossier(number)
    if found is None:
        return None
    if context.world.demarche_of(found.groupe).closed_to_token:
        raise hidden("Dossier")
    return found


def files_of(champ: JSON, context: Context, _: Any) -> list[JSON]:
    """Resolve the files in which no virus was found."""
    return context.visible_files(champ["files"])


def etablissement(champ: JSON, context: Context, _: Any) -> JSON | None:
    """Resolve the company of a SIRET; null if it was not found."""
    number = champ["etablissement"]
    return None if number is None else company(number)


def columns(champ: JSON, context: Context, _: Any) -> list[JSON]:
    """Resolve the columns of a champ."""
    if champ["kind"] in NO_COLUMNS:
        return []
    column = COLUMN_TYPES.get(champ["kind"], "TextColumn")
    if column == "AttachmentsColumn":
        value: Any = context.visible_files(champ["files"])
    else:
        value = champ.get(COLUMN_VALUES.get(column, "value"))
    key = f"type_de_champ/{champ['champDescriptorId']}"
    column_fields = {"id": typed_id("Column", key), "label": champ["label"], "stringValue": champ["stringValue"]}
    return [{**column_fields, "__typename": column, "value": value}]


def checked(champ: JSON, context: Context, _: Any) -> bool:
    """Resolve the value of a checkbox; a yes/no champ without an answer, sent as a checkbox, is false."""
    return bool(champ["value"])


def nature(champ: JSON, context: Context, _: Any) -> str:
    """Resolve the kind of document that is attached."""
    return "TITRE_IDENTITE" if champ["kind"] == "titre_identite" else "NON_SPECIFIE"


CHAMP_RESOLVERS: dict[str, Resolver] = {
    "DossierLinkChamp.dossier": linked_dossier,
    "PieceJustificativeChamp.files": files_of,
    "PieceJustificativeChamp.nature": nature,
    "SiretChamp.etablissement": etablissement,
    "CheckboxChamp.value": checked,
    "ParcelleCadastrale.id": lambda area, *_: typed_id("GeoArea", area["key"]),
    "SelectionUtilisateur.id": lambda area, *_: typed_id("GeoArea", area["key"]),
    # an incomplete company that is sent as a complete one lacks what must not be null
    "PersonneMorale.siegeSocial": lambda found, *_: found.get("siegeSocial"),
    "PersonneMorale.libelleNaf": lambda found, *_: found.get("libelleNaf"),
    "PersonneMorale.address": lambda found, *_: found.get("address"),
    "PersonneMorale.naf": lambda found, *_: found.get("naf"),
    "PersonneMorale.entreprise": lambda found, *_: found.get("entreprise"),
    "PersonneMorale.association": lambda found, *_: found.get("association"),
}
