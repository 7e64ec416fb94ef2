"""Links from a task to the service's own pages.

A group's page stands under its démarche, and an extraction learns the démarche only from its dossiers: a task that
extracted none, or several groups, has no such link.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider.api.query.parameters import parse_number
from ds_provider.exceptions import DSError
from ds_provider.hooks.ds import DSHook


class DSDemarcheLink(BaseOperatorLink):
    """Link to the démarche's dossiers, as its instructeurs see them."""

    name = "Démarche (instructeurs)"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL, or an empty text if the démarche is not known."""
        number = _demarche_of(operator)
        return _page(operator, f"/procedures/{number}") if number else ""


class DSGroupesLink(BaseOperatorLink):
    """Link to the page of the one group that a task extracts, else to all groups: for administrators."""

    name = "Groupes instructeurs (administrateurs)"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL, or an empty text if the démarche is not known."""
        number = _demarche_of(operator)
        if not number:
            return ""
        summary = _only_summary(operator)
        groupe = f"/{summary['groupe_instructeur_number']}" if summary else ""
        return _page(operator, f"/admin/procedures/{number}/groupe_instructeurs{groupe}")


def _page(operator: Any, path: str) -> str:
    # without a working connection there is no page, and the task itself has failed with the reason
    with suppress(DSError, AirflowNotFoundException):
        url = urlsplit(DSHook(operator.ds_conn_id).endpoint)
        return f"{url.scheme}://{url.netloc}{path}"
    return ""


def _demarche_of(operator: Any) -> int | None:
    """Return the number of the task's one démarche, if it is known."""
    given = getattr(operator, "demarche_number", None)
    if isinstance(given, list):
        given = given[0] if len(given) == 1 else None
    if given:
        with suppress(DSError):
            return parse_number(given, "demarche_number")
    summary = _only_summary(operator)
    return summary["demarche_number"] if summary else None


def _only_summary(operator: Any) -> dict[str, Any] | None:
    summaries = getattr(operator, "landed", [])
    return summaries[0] if len(summaries) == 1 else None
