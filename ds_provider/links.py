"""Links from a task to what it is about, on the service's own pages.

A page of a group stands under its démarche, of which a reading learns only from the dossiers that it brings: a task
that brought none, or that read several groups, has no such link.
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
from ds_provider.landing.rows import iter_rows


class DSDemarcheLink(BaseOperatorLink):
    """The démarche's dossiers, as its instructeurs see them."""

    name = "Démarche (instructeurs)"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        number = _demarche_of(operator)
        return _page(operator, f"/procedures/{number}") if number else ""


class DSGroupesLink(BaseOperatorLink):
    """The page of the one group that a task reads, else that of all groups of the démarche: for administrators."""

    name = "Groupes instructeurs (administrateurs)"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        number = _demarche_of(operator)
        if not number:
            return ""
        summary = _only_summary(operator)
        groupe = f"/{summary['groupe_instructeur_number']}" if summary else ""
        return _page(operator, f"/admin/procedures/{number}/groupe_instructeurs{groupe}")


def _page(operator: Any, path: str) -> str:
    """A page of the service that the connection names; none where it names none, which the task itself has told."""
    with suppress(DSError, AirflowNotFoundException):
        url = urlsplit(DSHook(operator.ds_conn_id).endpoint)
        return f"{url.scheme}://{url.netloc}{path}"
    return ""


def _demarche_of(operator: Any) -> int | None:
    """The number of the task's démarche, if it has one and it is known."""
    given = getattr(operator, "demarche_number", None)
    if isinstance(given, list):
        given = given[0] if len(given) == 1 else None
    if given:
        with suppress(DSError):
            return parse_number(given, "demarche_number")
    summary = _only_summary(operator)
    return _demarche_in(summary["manifest"]) if summary else None


def _only_summary(operator: Any) -> dict[str, Any] | None:
    summaries = getattr(operator, "landed", [])
    return summaries[0] if len(summaries) == 1 else None


def _demarche_in(manifest_url: str) -> int | None:
    """The démarche of the first row that landed. A deletion does not say of which it was."""
    with suppress(DSError):
        for row in iter_rows(manifest_url):
            number = (row.get("demarche") or {}).get("number")
            return number if isinstance(number, int) else None
    return None
