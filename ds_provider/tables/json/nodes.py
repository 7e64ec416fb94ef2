"""A dossier as our documents ask for it, aliases included. All but its number and version may be missing.

A value that becomes a column has a field of its own. A value that stays JSON stays the bytes that the API sent. A
file's ``url`` has no field: it is signed, and opens the file to whoever holds it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from ds_provider.exceptions import DSMalformedResponseError
from ds_provider.tables.json.lenient import LenientDecoder

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
BigInt = str | int | None
NULL = msgspec.Raw(b"null")


class Node(msgspec.Struct, rename="camel", gc=False):
    """An object that the API sends. No node refers to one that holds it, so none needs the garbage collector."""


class File(Node):
    """A file of a champ, a message, an avis or the dossier itself."""

    filename: str | None = None
    content_type: str | None = None
    checksum: str | None = None
    byte_size_big_int: BigInt = None
    created_at: str | None = None
    virus_scan_result: str | None = None


class GeoArea(Node):
    """An area that was drawn on a map, or a cadastral parcel."""

    type: str | None = msgspec.field(default=None, name="__typename")
    id: str | None = None
    source: str | None = None
    description: str | None = None
    geometry: msgspec.Raw = NULL
    commune: str | None = None
    prefixe: str | None = None
    section: str | None = None
    numero: str | None = None
    surface: str | None = None


class LinkedDossier(Node):
    """The dossier that a champ links to."""

    number: Int64 | None = None


class Champ(Node):
    """A champ of whichever type: the fields of all of them."""

    type: str | None = msgspec.field(default=None, name="__typename")
    id: str | None = None
    champ_descriptor_id: str | None = None
    label: str | None = None
    string_value: str | None = None
    updated_at: str | None = None
    prefilled: bool | None = None
    value: str | None = None
    checked: bool | None = None
    selected: bool | None = None
    civilite: str | None = None
    date: str | None = None
    datetime: str | None = None
    decimal_number: float | None = None
    integer_number: BigInt = None
    level: Int64 | None = None
    rows: list[Row] | None = None
    files: list[File] | None = None
    geo_areas: list[msgspec.Raw] | None = None
    address: msgspec.Raw = NULL
    rna: msgspec.Raw = NULL
    rnf: msgspec.Raw = NULL
    commune: msgspec.Raw = NULL
    epci: msgspec.Raw = NULL
    departement: msgspec.Raw = NULL
    region: msgspec.Raw = NULL
    pays: msgspec.Raw = NULL
    dossier: msgspec.Raw = NULL
    engagement_juridique: msgspec.Raw = NULL
    etablissement: msgspec.Raw = NULL
    primary_value: msgspec.Raw = NULL
    secondary_value: msgspec.Raw = NULL
    values: msgspec.Raw = NULL
    grant_type: str | None = None
    filled: bool | None = None


class Row(Node):
    """A row of a repetition block."""

    id: str | None = None
    champs: list[Champ] | None = None


class Revision(Node):
    """A revision of a démarche's form."""

    id: str | None = None


class Demarche(Node):
    """A dossier's démarche, and the revision of the form that the dossier follows."""

    number: Int64 | None = None
    revision: Revision | None = None


class GroupeInstructeur(Node):
    """The group that handles a dossier."""

    id: str | None = None
    number: Int64 | None = None
    label: str | None = None
    closed: bool | None = None


class Profile(Node):
    """A person who takes part: the usager, an instructeur, an expert."""

    id: str | None = None
    email: str | None = None


class Entreprise(Node):
    """The entreprise of a demandeur that is a legal person."""

    siren: str | None = None
    siret_siege_social: str | None = None
    raison_sociale: str | None = None
    nom_commercial: str | None = None
    enseigne: str | None = None
    nom: str | None = None
    prenom: str | None = None
    forme_juridique: str | None = None
    forme_juridique_code: str | None = None
    capital_social: BigInt = None
    code_effectif_entreprise: str | None = None
    effectif_mensuel: msgspec.Raw = NULL
    effectif_annuel: msgspec.Raw = NULL
    etat_administratif: str | None = None
    numero_tva_intracommunautaire: str | None = None
    date_creation: str | None = None
    inline_adresse: str | None = None


class Association(Node):
    """The association of a demandeur that is a legal person."""

    rna: str | None = None
    titre: str | None = None
    objet: str | None = None
    date_creation: str | None = None
    date_declaration: str | None = None
    date_publication: str | None = None


class Demandeur(Node):
    """A demandeur of whichever type: the fields of all of them."""

    type: str | None = msgspec.field(default=None, name="__typename")
    id: str | None = None
    civilite: str | None = None
    nom: str | None = None
    prenom: str | None = None
    date_de_naissance: str | None = None
    email: str | None = None
    siret: str | None = None
    siege_social: bool | None = None
    naf: str | None = None
    libelle_naf: str | None = None
    address: msgspec.Raw = NULL
    entreprise: Entreprise | None = None
    association: Association | None = None


class Label(Node):
    """A label that instructeurs put on a dossier."""

    id: str | None = None
    name: str | None = None
    color: str | None = None


class Traitement(Node):
    """A change of a dossier's state."""

    id: str | None = None
    event: str | None = None
    date_traitement: str | None = None
    email_agent_traitant: str | None = None
    motivation: str | None = None
    revision: Revision | None = None


class Avis(Node):
    """A question to an expert, and the answer."""

    id: str | None = None
    question: str | None = None
    question_label: str | None = None
    question_answer: bool | None = None
    reponse: str | None = None
    date_question: str | None = None
    date_reponse: str | None = None
    claimant: Profile | None = None
    expert: Profile | None = None
    attachments: list[File] | None = None


class Correction(Node):
    """A request to correct the dossier, sent with a message."""

    reason: str | None = None
    date_resolution: str | None = None


class Message(Node):
    """A message between instructeurs and the usager."""

    id: str | None = None
    email: str | None = None
    body: str | None = None
    created_at: str | None = None
    discarded_at: str | None = None
    attachments: list[File] | None = None
    correction: Correction | None = None


class Dossier(Node):
    """One dossier. A part that was not asked for is null, one that is empty is an empty list."""

    number: Int64
    date_derniere_modification: str
    id: str | None = None
    state: str | None = None
    archived: bool | None = None
    prefilled: bool | None = None
    connection_usager: str | None = None
    depose_par_un_tiers: bool | None = None
    nom_mandataire: str | None = None
    prenom_mandataire: str | None = None
    motivation: str | None = None
    date_depot: str | None = None
    date_passage_en_construction: str | None = None
    date_passage_en_instruction: str | None = None
    date_traitement: str | None = None
    date_expiration: str | None = None
    date_derniere_modification_champs: str | None = None
    date_derniere_modification_annotations: str | None = None
    date_suppression_par_usager: str | None = None
    date_suppression_par_administration: str | None = None
    date_previsionnelle_decision_svasvr: str | None = msgspec.field(
        default=None, name="datePrevisionnelleDecisionSVASVR"
    )
    date_traitement_svasvr: str | None = msgspec.field(default=None, name="dateTraitementSVASVR")
    date_derniere_correction_en_attente: str | None = None
    demarche: Demarche | None = None
    groupe_instructeur: GroupeInstructeur | None = None
    usager: Profile | None = None
    demandeur: Demandeur | None = None
    attestation: File | None = None
    motivation_attachment: File | None = None
    instructeurs: list[Profile] | None = None
    labels: list[Label] | None = None
    traitements: list[Traitement] | None = None
    avis: list[Avis] | None = None
    messages: list[Message] | None = None
    champs: list[Champ] | None = None
    annotations: list[Champ] | None = None


class Head(Node):
    """The number and the version of a dossier."""

    number: Int64
    date_derniere_modification: Annotated[datetime, msgspec.Meta(tz=True)]


_dossiers, _heads = LenientDecoder(Dossier), LenientDecoder(Head)
_geo_areas, _linked_dossiers = LenientDecoder(GeoArea), LenientDecoder(LinkedDossier)


def read_dossier(line: bytes) -> Dossier:
    """Return the dossier of a landed line.

    :raises DSMalformedResponseError: if it is not a dossier's: it has no number, or no version.
    """
    try:
        return _dossiers.decode(line)
    except msgspec.DecodeError as error:
        raise _malformed(line, error) from None


def read_head(line: bytes) -> Head:
    """Return the number and the version of a landed line, without the rest.

    :raises DSMalformedResponseError: if it has no number, or its version is not a date.
    """
    try:
        return _heads.decode(line)
    except msgspec.DecodeError as error:
        raise _malformed(line, error) from None


def read_geo_area(raw: msgspec.Raw) -> GeoArea:
    """Return the area of a champ."""
    return _geo_areas.decode(raw)


def read_linked_number(raw: msgspec.Raw) -> int | None:
    """Return the number of the dossier that a champ links to, or null if the link cannot be read."""
    return _linked_dossiers.decode(raw).number if bytes(raw) else None


def _malformed(line: bytes, error: msgspec.DecodeError) -> DSMalformedResponseError:
    try:
        number = _linked_dossiers.decode(line).number
    except msgspec.DecodeError:
        number = None
    named = "a landed line" if number is None else f"dossier {number}"
    return DSMalformedResponseError(f"{named} is not a dossier as the API sends it: {error}; read its group again")
