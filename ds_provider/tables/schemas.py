"""Schemas of the tables: their columns, named as the API names them in snake case, and the keys of their rows.

What each table and column holds is described in :mod:`ds_provider.tables.descriptions`.

Dates are instants in UTC: the API's Paris offsets are read, not kept. JSON is kept as text, as the API sent it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.string()
JSON = pa.string()
BOOLEAN = pa.bool_()
INTEGER = pa.int64()
DECIMAL = pa.float64()
DATE = pa.date32()
INSTANT = pa.timestamp("us", tz="UTC")

ERASED = "_erased"
"""Column of a batch that marks hard deletes: a row in which it is true removes the rows that have its key.

No table of a warehouse has it.
"""

# what a file or a geographic area belongs to
CHAMPS, ANNOTATIONS, MESSAGES, AVIS = "champs", "annotations", "messages", "avis"
ATTESTATION, MOTIVATION = "attestation", "motivation"


@dataclass(frozen=True)
class Table:
    """Schema of one table.

    :param columns: name and Arrow type of each.
    :param key: rows that are loaded replace all those that have the same values in these columns.
    :param required: a column that has a value in every row: a staged row in which it is null is a hard delete.
    :param unique: whether the key names one row.
    :param json: the columns that hold JSON.
    :param parts: all values of ``part``, where the key has that column.
    """

    name: str
    columns: dict[str, pa.DataType]
    key: tuple[str, ...]
    required: str
    unique: bool = False
    json: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of a batch: the columns, and the one that marks a hard delete."""
        return pa.schema([*self.columns.items(), (ERASED, BOOLEAN)])


def _child_table(
    name: str, columns: dict[str, pa.DataType], json: tuple[str, ...] = (), parts: tuple[str, ...] = ()
) -> Table:
    """Return a table whose rows are replaced all together with their dossier, or with a part of it."""
    key = ("dossier_number", "part") if parts else ("dossier_number",)
    return Table(name, {"dossier_number": INTEGER, **columns}, key, "position", json=json, parts=parts)


VALUE_COLUMNS = {
    "text_value": TEXT,
    "boolean_value": BOOLEAN,
    "integer_value": INTEGER,
    "decimal_value": DECIMAL,
    "date_value": DATE,
    "timestamp_value": INSTANT,
    "json_value": JSON,
}
"""Columns of a champ's typed value: one for each kind, which it is named after."""

_CHAMP_COLUMNS = {
    "champ_descriptor_id": TEXT,
    "id": TEXT,
    "repetition_descriptor_id": TEXT,
    "row_id": TEXT,
    "row_index": INTEGER,
    "position": INTEGER,
    "label": TEXT,
    "type": TEXT,
    "string_value": TEXT,
    **VALUE_COLUMNS,
    "prefilled": BOOLEAN,
    "updated_at": INSTANT,
}

# the place of a file or of a geographic area
_PLACE_COLUMNS = {
    "part": TEXT,
    "parent_id": TEXT,
    "champ_descriptor_id": TEXT,
    "row_id": TEXT,
    "position": INTEGER,
}

DOSSIERS = Table(
    "dossiers",
    {
        "number": INTEGER,
        "id": TEXT,
        "state": TEXT,
        "archived": BOOLEAN,
        "prefilled": BOOLEAN,
        "connection_usager": TEXT,
        "depose_par_un_tiers": BOOLEAN,
        "nom_mandataire": TEXT,
        "prenom_mandataire": TEXT,
        "motivation": TEXT,
        "date_depot": INSTANT,
        "date_passage_en_construction": INSTANT,
        "date_passage_en_instruction": INSTANT,
        "date_traitement": INSTANT,
        "date_expiration": INSTANT,
        "date_derniere_modification": INSTANT,
        "date_derniere_modification_champs": INSTANT,
        "date_derniere_modification_annotations": INSTANT,
        "date_suppression_par_usager": INSTANT,
        "date_suppression_par_administration": INSTANT,
        "date_previsionnelle_decision_svasvr": DATE,
        "date_traitement_svasvr": INSTANT,
        "date_derniere_correction_en_attente": INSTANT,
        "demarche_number": INTEGER,
        "revision_id": TEXT,
        "groupe_instructeur_number": INTEGER,
        "usager_id": TEXT,
        "usager_email": TEXT,
        "demandeur_type": TEXT,
        "demandeur_id": TEXT,
        "demandeur_civilite": TEXT,
        "demandeur_nom": TEXT,
        "demandeur_prenom": TEXT,
        "demandeur_date_de_naissance": DATE,
        "demandeur_email": TEXT,
        "demandeur_siret": TEXT,
        "demandeur_siege_social": BOOLEAN,
        "demandeur_naf": TEXT,
        "demandeur_libelle_naf": TEXT,
        "demandeur_address": JSON,
        "demandeur_entreprise_siren": TEXT,
        "demandeur_entreprise_siret_siege_social": TEXT,
        "demandeur_entreprise_raison_sociale": TEXT,
        "demandeur_entreprise_nom_commercial": TEXT,
        "demandeur_entreprise_enseigne": TEXT,
        "demandeur_entreprise_nom": TEXT,
        "demandeur_entreprise_prenom": TEXT,
        "demandeur_entreprise_forme_juridique": TEXT,
        "demandeur_entreprise_forme_juridique_code": TEXT,
        "demandeur_entreprise_capital_social": INTEGER,
        "demandeur_entreprise_code_effectif_entreprise": TEXT,
        "demandeur_entreprise_effectif_mensuel": JSON,
        "demandeur_entreprise_effectif_annuel": JSON,
        "demandeur_entreprise_etat_administratif": TEXT,
        "demandeur_entreprise_numero_tva_intracommunautaire": TEXT,
        "demandeur_entreprise_date_creation": DATE,
        "demandeur_entreprise_inline_adresse": TEXT,
        "demandeur_association_rna": TEXT,
        "demandeur_association_titre": TEXT,
        "demandeur_association_objet": TEXT,
        "demandeur_association_date_creation": DATE,
        "demandeur_association_date_declaration": DATE,
        "demandeur_association_date_publication": DATE,
        "deletion_stage": TEXT,
        "deletion_reason": TEXT,
        "deletion_date": INSTANT,
        "read_at": INSTANT,
    },
    key=("number",),
    required="read_at",
    unique=True,
    json=("demandeur_address", "demandeur_entreprise_effectif_mensuel", "demandeur_entreprise_effectif_annuel"),
)

CHAMP_ROWS = _child_table("champs", _CHAMP_COLUMNS, json=("json_value",))
ANNOTATION_ROWS = _child_table("annotations", _CHAMP_COLUMNS, json=("json_value",))

FICHIERS = _child_table(
    "fichiers",
    {
        **_PLACE_COLUMNS,
        "filename": TEXT,
        "content_type": TEXT,
        "byte_size": INTEGER,
        "checksum": TEXT,
        "created_at": INSTANT,
        "virus_scan_result": TEXT,
    },
    parts=(CHAMPS, ANNOTATIONS, MESSAGES, AVIS, ATTESTATION, MOTIVATION),
)

GEO_AREAS = _child_table(
    "geo_areas",
    {
        **_PLACE_COLUMNS,
        "id": TEXT,
        "type": TEXT,
        "source": TEXT,
        "description": TEXT,
        "commune": TEXT,
        "prefixe": TEXT,
        "section": TEXT,
        "numero": TEXT,
        "surface": TEXT,
        "geometry": JSON,
    },
    json=("geometry",),
    parts=(CHAMPS, ANNOTATIONS),
)

TRAITEMENTS = _child_table(
    "traitements",
    {
        "id": TEXT,
        "position": INTEGER,
        "event": TEXT,
        "date_traitement": INSTANT,
        "email_agent_traitant": TEXT,
        "motivation": TEXT,
        "revision_id": TEXT,
    },
)

MESSAGE_ROWS = _child_table(
    "messages",
    {
        "id": TEXT,
        "position": INTEGER,
        "email": TEXT,
        "body": TEXT,
        "created_at": INSTANT,
        "discarded_at": INSTANT,
        "correction_reason": TEXT,
        "correction_date_resolution": INSTANT,
    },
)

AVIS_ROWS = _child_table(
    "avis",
    {
        "id": TEXT,
        "position": INTEGER,
        "question": TEXT,
        "question_label": TEXT,
        "question_answer": BOOLEAN,
        "reponse": TEXT,
        "date_question": INSTANT,
        "date_reponse": INSTANT,
        "claimant_email": TEXT,
        "expert_email": TEXT,
    },
)

INSTRUCTEURS = _child_table("instructeurs", {"id": TEXT, "position": INTEGER, "email": TEXT})
LABELS = _child_table("labels", {"id": TEXT, "position": INTEGER, "name": TEXT, "color": TEXT})

GROUPES_INSTRUCTEURS = Table(
    "groupes_instructeurs",
    {
        "number": INTEGER,
        "id": TEXT,
        "label": TEXT,
        "closed": BOOLEAN,
        "demarche_number": INTEGER,
        "read_at": INSTANT,
    },
    key=("number",),
    required="read_at",
    unique=True,
)

REVISIONS = Table(
    "revisions",
    {
        "id": TEXT,
        "demarche_number": INTEGER,
        "date_creation": INSTANT,
        "date_publication": INSTANT,
        "read_at": INSTANT,
    },
    key=("id",),
    required="read_at",
    unique=True,
)

CHAMP_DESCRIPTORS = Table(
    "champ_descriptors",
    {
        "revision_id": TEXT,
        "demarche_number": INTEGER,
        "id": TEXT,
        "part": TEXT,
        "repetition_descriptor_id": TEXT,
        "position": INTEGER,
        "label": TEXT,
        "description": TEXT,
        "type": TEXT,
        "required": BOOLEAN,
        "options": JSON,
        "read_at": INSTANT,
    },
    key=("revision_id",),
    required="read_at",
    json=("options",),
)

DELETED_DOSSIERS = Table(
    "deleted_dossiers",
    {
        "number": INTEGER,
        "groupe_instructeur_number": INTEGER,
        "state": TEXT,
        "reason": TEXT,
        "date_supression": INSTANT,
        "stage": TEXT,
        "read_at": INSTANT,
    },
    key=("number",),
    required="read_at",
    unique=True,
)

CHAMP_COLUMNS = Table(
    "champ_columns",
    {
        "relation": TEXT,
        "column_name": TEXT,
        "demarche_number": INTEGER,
        "part": TEXT,
        "repetition_descriptor_id": TEXT,
        "champ_descriptor_id": TEXT,
        "path": TEXT,
        "kind": TEXT,
        "label": TEXT,
    },
    key=("relation", "column_name"),
    required="label",
    unique=True,
)

LOADS = Table(
    "loads",
    {
        "manifest": TEXT,
        "generation": TEXT,
        "groupe_instructeur_number": INTEGER,
        "stream": TEXT,
        "parts": TEXT,
        "date_column": TEXT,
        "window_start": INSTANT,
        "window_end": INSTANT,
        "complete": BOOLEAN,
        "rows": INTEGER,
        "quarantined": INTEGER,
        "quarantined_numbers": TEXT,
        "read_started_at": INSTANT,
        "read_finished_at": INSTANT,
        "clock_correction": DECIMAL,
        "loaded_at": INSTANT,
    },
    key=("manifest", "generation"),
    required="loaded_at",
    unique=True,
)

RECONCILIATIONS = Table(
    "reconciliations",
    {
        "groupe_instructeur_number": INTEGER,
        "reconciled_at": INSTANT,  # by the service's clock, when the latest one began
    },
    key=("groupe_instructeur_number",),
    required="reconciled_at",
    unique=True,
)

DOSSIER_COLUMNS = {
    "number": INTEGER,
    "state": TEXT,
    "groupe_instructeur_number": INTEGER,
    "date_depot": INSTANT,
    "date_derniere_modification": INSTANT,
    "date_traitement": INSTANT,
}
"""Columns of a dossier in each row of the wide tables."""
BLOCK_COLUMNS = {"row_id": TEXT, "row_index": INTEGER}
"""Columns of a repetition's row, in the wide tables of blocks."""

CHILD_TABLES = (
    CHAMP_ROWS,
    ANNOTATION_ROWS,
    FICHIERS,
    GEO_AREAS,
    TRAITEMENTS,
    MESSAGE_ROWS,
    AVIS_ROWS,
    INSTRUCTEURS,
    LABELS,
)
TABLES = (
    DOSSIERS,
    *CHILD_TABLES,
    GROUPES_INSTRUCTEURS,
    REVISIONS,
    CHAMP_DESCRIPTORS,
    DELETED_DOSSIERS,
    CHAMP_COLUMNS,
    RECONCILIATIONS,
    LOADS,
)
