"""GraphQL types of champs, which depend on the fragments of the client's document.

A type that no fragment of the document names is sent as a more general one.
"""

from __future__ import annotations

from ds_provider.sandbox.graphql.schema import is_january
from ds_provider.sandbox.world.french import JSON

INTROSPECTION = "IntrospectionQuery"

CHAMP_TYPES = {
    "address": "AddressChamp", "carte": "CarteChamp", "checkbox": "CheckboxChamp", "civilite": "CiviliteChamp",
    "communes": "CommuneChamp", "date": "DateChamp", "datetime": "DatetimeChamp",
    "decimal_number": "DecimalNumberChamp", "departements": "DepartementChamp",
    "dossier_link": "DossierLinkChamp", "drop_down_list": "DropDownListChamp",
    "engagement_juridique": "EngagementJuridiqueChamp", "epci": "EpciChamp", "explication": "ExplicationChamp",
    "header_section": "HeaderSectionChamp", "integer_number": "IntegerNumberChamp",
    "linked_drop_down_list": "LinkedDropDownListChamp",
    "multiple_drop_down_list": "MultipleDropDownListChamp", "pays": "PaysChamp",
    "piece_justificative": "PieceJustificativeChamp", "regions": "RegionChamp", "repetition": "RepetitionChamp",
    "rna": "RNAChamp", "rnf": "RNFChamp", "siret": "SiretChamp", "titre_identite": "TitreIdentiteChamp",
    "yes_no": "YesNoChamp",
}  # fmt: skip
FALLBACK_TYPES = {
    "AddressChamp": "TextChamp", "CommuneChamp": "TextChamp", "DepartementChamp": "TextChamp",
    "RegionChamp": "TextChamp", "PaysChamp": "TextChamp", "HeaderSectionChamp": "TextChamp",
    "ExplicationChamp": "TextChamp", "DropDownListChamp": "TextChamp", "YesNoChamp": "CheckboxChamp",
    "DatetimeChamp": "DateChamp", "TitreIdentiteChamp": "PieceJustificativeChamp",
}  # fmt: skip
DESCRIPTOR_PREFIXES = {
    "aah": "AAH", "aeeh": "AEEH", "annuaire_education": "AnnuaireEducation", "cojo": "COJO", "communes": "Commune",
    "departements": "Departement", "regions": "Region", "rna": "RNA", "rnf": "RNF",
}  # fmt: skip


# kinds that January's server has, and what a newer one has instead
NEWER_KINDS = {
    "cnaf": "quotient_familial", "dgfip": "aah", "mesri": "etudiant_boursier", "pole_emploi": "aeeh",
    "titre_identite": "piece_justificative",
}  # fmt: skip


def champ_type(kind: str, named_types: frozenset[str]) -> str:
    """Return the type of a kind of champ, in a document whose fragments name these types."""
    exact = CHAMP_TYPES.get(kind, "TextChamp")
    return exact if exact in named_types else FALLBACK_TYPES.get(exact, exact)


def demandeur_type(demandeur: JSON, named_types: frozenset[str]) -> str:
    """Return the type of a demandeur.

    An incomplete company whose fragment is missing is sent as a complete one, and fails.
    """
    exact = str(demandeur["__typename"])
    if exact == "PersonneMoraleIncomplete" and exact not in named_types:
        return "PersonneMorale"
    return exact


def served_kind(kind: str) -> str:
    """Return the kind of a champ of the form as the server that is asked has it."""
    return kind if is_january() else NEWER_KINDS.get(kind, kind)


def descriptor_type(kind: str) -> str:
    """Return the type of the descriptor of a kind of champ."""
    camel = "".join(word.capitalize() for word in kind.split("_"))
    return DESCRIPTOR_PREFIXES.get(kind, camel) + "ChampDescriptor"
