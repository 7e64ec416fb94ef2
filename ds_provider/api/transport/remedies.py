"""Remedies: what a person can do about an object that the service does not show."""

from __future__ import annotations

# by the object that the service names in its message; of a group it is GroupeInstructeurWithDossiers
_NOT_FOUND = {
    "Dossier ": "the dossier is not deleted, hidden, or a draft",
    "GroupeInstructeur": ("the group is not deleted; 'airflow ds groupes <démarche>' lists those that this token sees"),
    "": "the démarche is not deleted; the number is the one in the address of its page, /procedures/<number>",
}
_UNAUTHORIZED = (
    "the token of this connection has a right on its démarche: an administrator of the démarche must add the token's "
    "owner to its administrators, and the owner let the token use it, on the profile's page; "
    "'airflow ds groupes <démarche>' then lists the groups that the token sees"
)


def remedy(code: str | None, message: str) -> str:
    """Return what to add to the service's message, or nothing.

    :param code: the API's error code.
    :param message: the service's message, which begins with the object.
    """
    if code == "unauthorized":
        return f": check the number, and that {_UNAUTHORIZED}"
    if code != "not_found":
        return ""
    cause = next(cause for named, cause in _NOT_FOUND.items() if message.startswith(named))
    return f": check the number, and that {cause}"
