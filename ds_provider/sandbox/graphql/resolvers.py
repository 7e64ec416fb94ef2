"""Resolvers of the schema's fields; a field without one is read from a dict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ds_provider.sandbox.graphql.catalogue import CATALOGUE_RESOLVERS
from ds_provider.sandbox.graphql.champ_resolvers import CHAMP_RESOLVERS, columns
from ds_provider.sandbox.graphql.connections import Connection, PageInfo
from ds_provider.sandbox.graphql.context import Context
from ds_provider.sandbox.graphql.cursors import write_cursor
from ds_provider.sandbox.graphql.deprecated_resolvers import DEPRECATED_RESOLVERS
from ds_provider.sandbox.graphql.descriptors import DESCRIPTOR_RESOLVERS, Revision, profile
from ds_provider.sandbox.graphql.dossier_resolvers import DOSSIER_RESOLVERS, attribute
from ds_provider.sandbox.graphql.errors import ServerError, hidden, not_found
from ds_provider.sandbox.graphql.execution import Execution, Resolver
from ds_provider.sandbox.graphql.listings import Scope
from ds_provider.sandbox.graphql.projection import CHAMP_TYPES, champ_type, demandeur_type
from ds_provider.sandbox.graphql.schema import is_january
from ds_provider.sandbox.world.demarche import Demarche
from ds_provider.sandbox.world.dossier import DeletedRow, Dossier, Groupe
from ds_provider.sandbox.world.form import REVISIONS
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import read_id, typed_id

Arguments = dict[str, Any]


def demarche(_: Any, context: Context, arguments: Arguments) -> Demarche:
    """Resolve `demarche`.

    :raises FieldError: if it does not exist or the token has no right on it
    """
    found = _find_demarche(context, arguments["number"])
    if found is None:
        raise not_found("Demarche")
    if found.closed_to_token or not context.entitled:
        raise hidden("Demarche")
    return found


def groupe_instructeur(_: Any, context: Context, arguments: Arguments) -> Groupe:
    """Resolve `groupeInstructeur`.

    :raises FieldError: if it does not exist or the token has no right on it
    """
    found = context.world.groupe(arguments["number"])
    if found is None:
        raise not_found("GroupeInstructeurWithDossiers")
    if context.world.demarche_of(found).closed_to_token or not context.entitled:
        raise hidden("GroupeInstructeurWithDossiers")
    return found


def dossier(_: Any, context: Context, arguments: Arguments) -> Dossier:
    """Resolve `dossier`.

    :raises FieldError: if it is not visible or the token has no right on it
    """
    found = context.world.dossier(arguments["number"])
    if found is None:
        raise not_found("Dossier")
    if context.world.demarche_of(found.groupe).closed_to_token or not context.entitled:
        raise hidden("Dossier")
    return found


def demarche_descriptor(_: Any, context: Context, arguments: Arguments) -> Revision:
    """Resolve `demarcheDescriptor`: every token may read the form of a published démarche.

    :raises FieldError: if the démarche does not exist
    """
    wanted = arguments["demarche"]
    key = read_id(wanted["id"], "Procedure") if wanted.get("id") else wanted.get("number")
    found = _find_demarche(context, int(key)) if key is not None else None
    if found is None:
        raise not_found("DemarcheDescriptor")
    return Revision(found, found.revision)


def _find_demarche(context: Context, number: int) -> Demarche | None:
    demarches = (context.world.demarche, context.world.other)
    return next((found for found in demarches if found.number == number), None)


def dossiers(scope: Scope, context: Context, arguments: Arguments) -> Connection:
    """Resolve `dossiers` of a group or a démarche."""
    entries = context.listings.dossiers(scope, arguments)
    wanted = _revisions(scope, arguments)
    if wanted is not None:
        entries = [entry for entry in entries if entry.row.revision in wanted]
    return Connection(entries, arguments)


def _revisions(scope: Scope, arguments: Arguments) -> range | None:
    """Return the revisions to keep, None for all.

    :raises ServerError: under a group: the real server crashes on these arguments
    """
    wanted = {name: arguments[name] for name in ("revision", "minRevision", "maxRevision") if name in arguments}
    if not wanted:
        return None
    if isinstance(scope, Groupe):
        raise ServerError("find_revision of a group")
    found = {name: _find_revision(scope, key) for name, key in wanted.items()}
    low = found.get("revision", found.get("minRevision", 0))
    return range(low, found.get("revision", found.get("maxRevision", REVISIONS)) + 1)


def _find_revision(scope: Demarche, revision_id: str) -> int:
    for revision in range(len(scope.published)):
        if scope.revision_id(revision) == revision_id:
            return revision
    raise not_found("Revision")


def pending_deleted_dossiers(scope: Scope, context: Context, arguments: Arguments) -> Connection:
    """Resolve `pendingDeletedDossiers` of a group or a démarche."""
    return Connection(context.listings.pending(scope, arguments), arguments)


def deleted_dossiers(scope: Scope, context: Context, arguments: Arguments) -> Connection:
    """Resolve `deletedDossiers` of a group or a démarche."""
    return Connection(context.listings.deleted(scope, arguments), arguments)


def nodes(connection: Connection, context: Context, _: Arguments) -> list[Any]:
    """Resolve a connection's rows."""
    return [entry.row for entry in connection.page.entries]


def edges(connection: Connection, context: Context, _: Arguments) -> list[JSON]:
    """Resolve a connection's rows with their cursors."""
    return [{"cursor": write_cursor(entry.key), "node": entry.row} for entry in connection.page.entries]


def page_info(connection: Connection, context: Context, _: Arguments) -> PageInfo:
    """Resolve where a connection's page lies in its list."""
    return connection.page_info


def groupe_instructeurs(found: Demarche, context: Context, arguments: Arguments) -> list[Groupe]:
    """Resolve the groups of a démarche, or the closed or the open ones, sorted by label.

    :raises ServerError: if `closed` is given to January's server: the real one crashes on it
    """
    closed = arguments.get("closed")
    if closed is not None and is_january():
        raise ServerError("closed")
    return sorted((g for g in found.groupes if closed in (None, g.closed)), key=lambda groupe: groupe.label)


def deleted_id(row: Dossier | DeletedRow, context: Context, _: Arguments) -> str:
    """Resolve the id: of the dossier if it is pending, of the deleted row if it is purged."""
    return typed_id("DeletedDossier", row.number if isinstance(row, Dossier) else row.row)


def deleted_at(row: Dossier | DeletedRow, context: Context, _: Arguments) -> int | None:
    """Resolve the date of deletion, in microseconds since the epoch."""
    if isinstance(row, DeletedRow):
        return row.deleted_at
    return row.hidden_by_administration_at or row.hidden_by_user_at


def deleted_reason(row: Dossier | DeletedRow, context: Context, _: Arguments) -> str | None:
    """Resolve the reason of a deletion."""
    return row.hidden_by_reason if isinstance(row, Dossier) else row.reason


def instructeurs(groupe: Groupe, context: Context, _: Arguments) -> list[JSON]:
    """Resolve the agents of a group."""
    return [profile("Instructeur", email) for email in groupe.instructeurs]


def type_of(value: Any, execution: Execution) -> str:
    """Return the object type of an interface's value."""
    named = execution.context.named_types
    if "kind" in value:
        return champ_type(value["kind"], named)
    if str(value["__typename"]).startswith("Personne"):
        return demandeur_type(value, named)
    return str(value["__typename"])


def _group_resolvers(type_name: str) -> dict[str, Resolver]:
    return {
        f"{type_name}.id": lambda groupe, *_: typed_id("GroupeInstructeur", groupe.number),
        f"{type_name}.instructeurs": instructeurs,
        **{f"{type_name}.{name}": attribute(name) for name in ("number", "label", "closed")},
    }


def _list_resolvers(type_name: str) -> dict[str, Resolver]:
    return {
        f"{type_name}.dossiers": dossiers,
        f"{type_name}.pendingDeletedDossiers": pending_deleted_dossiers,
        f"{type_name}.deletedDossiers": deleted_dossiers,
    }


RESOLVERS: dict[str, Callable[..., Any]] = {
    "Query.demarche": demarche,
    "Query.groupeInstructeur": groupe_instructeur,
    "Query.dossier": dossier,
    "Query.demarcheDescriptor": demarche_descriptor,
    "DossierConnection.nodes": nodes,
    "DossierConnection.edges": edges,
    "DossierConnection.pageInfo": page_info,
    "DeletedDossierConnection.nodes": nodes,
    "DeletedDossierConnection.edges": edges,
    "DeletedDossierConnection.pageInfo": page_info,
    "DeletedDossier.id": deleted_id,
    "DeletedDossier.number": attribute("number"),
    "DeletedDossier.state": attribute("state"),
    "DeletedDossier.reason": deleted_reason,
    "DeletedDossier.dateSupression": deleted_at,
    "Demarche.groupeInstructeurs": groupe_instructeurs,
    **_group_resolvers("GroupeInstructeur"),
    **_group_resolvers("GroupeInstructeurWithDossiers"),
    **_list_resolvers("GroupeInstructeurWithDossiers"),
    **_list_resolvers("Demarche"),
    **DOSSIER_RESOLVERS,
    **CHAMP_RESOLVERS,
    **{f"{name}.columns": columns for name in (*CHAMP_TYPES.values(), "TextChamp")},
    **DESCRIPTOR_RESOLVERS,
    **DEPRECATED_RESOLVERS,
    **CATALOGUE_RESOLVERS,
}
