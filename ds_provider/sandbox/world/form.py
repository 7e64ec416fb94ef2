"""The form of the démarche, with all types of champs that the API has, over four revisions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

REVISIONS = 4
CHOICES = ("Culture", "Élevage", "Pêche & aquaculture", "Autre (à préciser)")
LINKED = {"Fruits": ("Pommes", "Poires"), "Légumes": ("Choux-fleurs", "Pois d'Angole")}


@dataclass(frozen=True)
class Field:
    """A champ or an annotation as the form describes it.

    :ivar kind: one of the API's `TypeDeChamp`
    :ivar since: first revision that has it
    :ivar until: first revision that no longer has it
    :ivar condition: stable id of the yes/no champ that must be true for it to show
    :ivar children: champs of each row of a repetition
    """

    stable_id: int
    kind: str
    label: str
    required: bool = False
    since: int = 0
    until: int = REVISIONS
    condition: int | None = None
    children: tuple[Field, ...] = ()
    options: tuple[str, ...] = ()
    level: int = 1

    def is_on(self, revision: int) -> bool:
        """Return whether a revision has the champ."""
        return self.since <= revision < self.until


CHAMPS = (
    Field(1001, "header_section", "1. Le demandeur"),
    Field(1002, "civilite", "Civilité", required=True),
    Field(1003, "text", "Objet de la demande", required=True),
    Field(1004, "textarea", "Description du projet"),
    Field(1005, "formatted", "Référence interne"),
    Field(1006, "email", "Adresse électronique de contact"),
    Field(1007, "phone", "Téléphone"),
    Field(1008, "address", "Adresse du projet", required=True),
    Field(1009, "communes", "Commune"),
    Field(1010, "departements", "Département"),
    Field(1011, "regions", "Région"),
    Field(1012, "pays", "Pays"),
    Field(1013, "epci", "Intercommunalité"),
    Field(1014, "header_section", "2. Le projet", level=2),
    Field(1015, "explication", "Comment remplir cette partie"),
    Field(1016, "date", "Date de début", required=True),
    Field(1017, "datetime", "Rendez-vous souhaité"),
    Field(1018, "integer_number", "Montant demandé (centimes)"),
    Field(1019, "decimal_number", "Surface (ha)"),
    Field(1020, "number", "Nombre d'emplois", until=1),
    Field(1021, "checkbox", "J'atteste sur l'honneur", required=True),
    Field(1022, "yes_no", "Le demandeur est-il une personne morale ?", required=True),
    Field(1023, "siret", "SIRET", condition=1022),
    Field(1024, "rna", "Numéro RNA", condition=1022),
    Field(1025, "rnf", "Numéro RNF", condition=1022),
    Field(1026, "iban", "IBAN"),
    Field(1027, "drop_down_list", "Filière", options=CHOICES),
    Field(1028, "multiple_drop_down_list", "Domaines", options=CHOICES),
    Field(1029, "linked_drop_down_list", "Production", options=tuple(LINKED)),
    Field(1030, "referentiel", "Référence au catalogue", since=1),
    Field(1031, "dossier_link", "Dossier précédent"),
    Field(1032, "carte", "Emprise du projet"),
    Field(1033, "piece_justificative", "Devis et plans"),
    Field(1034, "titre_identite", "Pièce d'identité"),
    Field(1035, "repetition", "Parcelles", children=(
        Field(1036, "text", "Nom de la parcelle"),
        Field(1037, "decimal_number", "Surface de la parcelle (ha)"),
        Field(1038, "drop_down_list", "Usage", options=CHOICES),
        Field(1039, "piece_justificative", "Acte", since=1),
    )),
    Field(1040, "yes_no", "D'autres aides ont-elles été demandées ?"),
    Field(1041, "cnaf", "Quotient familial", condition=1040),
    Field(1042, "dgfip", "Justificatif de revenus", condition=1040),
    Field(1043, "pole_emploi", "Numéro d'allocataire", condition=1040),
    Field(1044, "mesri", "Identifiant national étudiant", condition=1040),
    Field(1045, "cojo", "Numéro d'accréditation", condition=1040, until=2),
    Field(1046, "annuaire_education", "Établissement scolaire"),
    Field(1047, "engagement_juridique", "Engagement juridique", since=2),
    Field(1048, "textarea", "Observations", since=3),
)  # fmt: skip

ANNOTATIONS = (
    Field(2001, "header_section", "Instruction"),
    Field(2002, "text", "Numéro de suivi"),
    Field(2003, "checkbox", "Pièces vérifiées"),
    Field(2004, "date", "Date de la commission"),
    Field(2005, "integer_number", "Montant retenu (centimes)"),
    Field(2006, "drop_down_list", "Priorité", options=("Haute", "Basse")),
    Field(2007, "repetition", "Versements", since=1, children=(
        Field(2008, "decimal_number", "Montant versé"),
        Field(2009, "datetime", "Versé le"),
    )),
)  # fmt: skip

WITHOUT_VALUE = {"header_section", "explication", "repetition"}


@lru_cache(maxsize=16)
def fields(revision: int, *, private: bool) -> tuple[Field, ...]:
    """Return the champs of a revision (0 to 3), or its annotations if `private`."""
    return tuple(field for field in (ANNOTATIONS if private else CHAMPS) if field.is_on(revision))


@lru_cache(maxsize=16)
def editable(revision: int, *, private: bool) -> tuple[Field, ...]:
    """Return the champs that a person fills in and that no other champ depends on."""
    return tuple(f for f in fields(revision, private=private) if f.kind not in WITHOUT_VALUE | {"yes_no"})
