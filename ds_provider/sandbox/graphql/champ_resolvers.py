"""The fields of champs that depend on more than the champ itself."""

from __future__ import annotations

from typing import Any

from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.execution import Resolver
from ds_provider.sandbox.http.answers import hidden
from ds_provider.sandbox.world.content import company
from ds_provider.sandbox.world.dossier import Dossier
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import typed_id

# the columns that each kind of champ has; the others have one of text
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
    """Null if hidden or purged, an error of its own if it is out of the token's reach."""
    number = champ["linked"]
    found = None if number is None else context.world.dossier(number)
    if found is None:
        return None
    if context.world.demarche_of(found.groupe).closed_to_token:
        raise hidden("Dossier")
    return found


def files_of(champ: JSON, context: Context, _: Any) -> list[JSON]:
    return context.shown(champ["files"])


def etablissement(champ: JSON, context: Context, _: Any) -> JSON | None:
    number = champ["etablissement"]
    return None if number is None else company(number)


def columns(champ: JSON, context: Context, _: Any) -> list[JSON]:
    if champ["kind"] in NO_COLUMNS:
        return []
    column = COLUMN_TYPES.get(champ["kind"], "TextColumn")
    if column == "AttachmentsColumn":
        value: Any = context.shown(champ["files"])
    else:
        value = champ.get(COLUMN_VALUES.get(column, "value"))
    key = f"type_de_champ/{champ['champDescriptorId']}"
    told = {"id": typed_id("Column", key), "label": champ["label"], "stringValue": champ["stringValue"]}
    return [{**told, "__typename": column, "value": value}]


def checked(champ: JSON, context: Context, _: Any) -> bool:
    """A yes/no champ without an answer reads as false where it is sent as a checkbox."""
    return bool(champ["value"])


CHAMP_RESOLVERS: dict[str, Resolver] = {
    "DossierLinkChamp.dossier": linked_dossier,
    "PieceJustificativeChamp.files": files_of,
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
