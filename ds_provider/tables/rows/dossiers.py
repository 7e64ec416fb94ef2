"""Rows of dossiers, and of the groups and revisions that dossiers name."""

from __future__ import annotations

from collections.abc import Sequence

from ds_provider.tables.json.nodes import Association, Demandeur, Dossier, Entreprise, GroupeInstructeur, Profile
from ds_provider.tables.json.values import Columns, fields_of, get
from ds_provider.tables.schemas import DOSSIERS, GROUPES_INSTRUCTEURS

Groupes = dict[int, tuple[GroupeInstructeur, int | None]]
"""Groups by number, each with the number of its démarche."""

Revisions = dict[str, int | None]
"""Numbers of démarches by revision."""

# each stands for an object that is null: all of its fields are
_NO_USAGER, _NO_DEMANDEUR, _NO_ENTREPRISE, _NO_ASSOCIATION = Profile(), Demandeur(), Entreprise(), Association()


def dossier_columns(dossiers: Sequence[Dossier], read_at: str) -> Columns:
    """Return the columns of ``dossiers``.

    :param read_at: when the extraction began that landed them, ISO 8601 with an offset; so for the other tables.
    """
    demandeurs = [dossier.demandeur or _NO_DEMANDEUR for dossier in dossiers]
    entreprises = [demandeur.entreprise or _NO_ENTREPRISE for demandeur in demandeurs]
    associations = [demandeur.association or _NO_ASSOCIATION for demandeur in demandeurs]
    demarches = get(dossiers, "demarche")
    return {
        **fields_of(DOSSIERS, Dossier, dossiers),
        **fields_of(DOSSIERS, Profile, [dossier.usager or _NO_USAGER for dossier in dossiers], "usager_"),
        **fields_of(DOSSIERS, Demandeur, demandeurs, "demandeur_"),
        **fields_of(DOSSIERS, Entreprise, entreprises, "demandeur_entreprise_"),
        **fields_of(DOSSIERS, Association, associations, "demandeur_association_"),
        "demarche_number": get(demarches, "number"),
        "revision_id": get(get(demarches, "revision"), "id"),
        "groupe_instructeur_number": get(get(dossiers, "groupe_instructeur"), "number"),
        "read_at": [read_at] * len(dossiers),
    }


def find_groupes(dossiers: Sequence[Dossier]) -> Groupes:
    """Return the groups that hold dossiers."""
    demarches = get(get(dossiers, "demarche"), "number")
    groupes = zip(get(dossiers, "groupe_instructeur"), demarches, strict=True)
    return {groupe.number: (groupe, demarche) for groupe, demarche in groupes if groupe and groupe.number is not None}


def groupe_columns(found: Groupes, read_at: str) -> Columns:
    """Return the columns of ``groupes_instructeurs``."""
    nodes = [groupe for groupe, _ in found.values()]
    numbers = [demarche for _, demarche in found.values()]
    fields = fields_of(GROUPES_INSTRUCTEURS, GroupeInstructeur, nodes)
    return {**fields, "demarche_number": numbers, "read_at": [read_at] * len(found)}


def find_revisions(dossiers: Sequence[Dossier]) -> Revisions:
    """Return the revisions of the form that dossiers follow."""
    demarches = [dossier.demarche for dossier in dossiers if dossier.demarche]
    found = ((demarche.revision, demarche.number) for demarche in demarches)
    return {revision.id: number for revision, number in found if revision and revision.id is not None}


def revision_columns(found: Revisions, read_at: str) -> Columns:
    """Return the columns of ``revisions``. Dates are null: a dossier does not show those of its form."""
    return {"id": [*found], "demarche_number": [*found.values()], "read_at": [read_at] * len(found)}
