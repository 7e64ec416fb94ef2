"""Links from a task to the service's own pages.

A group's page stands under its démarche, and only of a dossier does the API say of which démarche it is. So the number
is the task's own parameter, else that of the dossiers that it read, else the parameter of a task before it, such as the
list of groups. Where these are several there is no link.

Airflow keeps the links of a task once it has ended, for each mapped task its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider.api.query.parameters import flatten_batches, parse_groupes, parse_number
from ds_provider.exceptions import DSError
from ds_provider.hooks.ds import DSHook
from ds_provider.parameter_checks import is_constant


class DSDemarcheLink(BaseOperatorLink):
    """Link to the démarche's dossiers, as its instructeurs see them."""

    name = "Démarche (instructeurs)"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL, or an empty text if the démarche is not known.

        :param ti_key: the running task instance, from which a template of a task before it is rendered.
        """
        number = _demarche_of(operator, ti_key)
        return _page(operator, f"/procedures/{number}") if number else ""


class DSGroupesLink(BaseOperatorLink):
    """Link to the page of the one group that a task is about, else to all groups: for administrateurs."""

    name = "Groupes instructeurs (administrateurs)"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL, or an empty text if the démarche is not known.

        :param ti_key: the running task instance, from which a template of a task before it is rendered.
        """
        number = _demarche_of(operator, ti_key)
        if not number:
            return ""
        groupe = _only_groupe(operator)
        return _page(operator, f"/admin/procedures/{number}/groupe_instructeurs{f'/{groupe}' if groupe else ''}")


def _page(operator: Any, path: str) -> str:
    # without a working connection there is no page, and the task itself has failed with the reason
    with suppress(DSError, AirflowNotFoundException):
        url = urlsplit(DSHook(operator.ds_conn_id).endpoint)
        return f"{url.scheme}://{url.netloc}{path}"
    return ""


def _demarche_of(operator: Any, ti: Any) -> int | None:
    """Return the number of the task's one démarche, if it is known."""
    for known in (_given, _read, _given_before):
        if numbers := set(known(operator, ti)):
            return numbers.pop() if len(numbers) == 1 else None
    return None


def _given(operator: Any, ti: Any) -> Iterator[int]:
    yield from _numbers(getattr(operator, "demarche_number", None))


def _read(operator: Any, ti: Any) -> Iterator[int]:
    yield from filter(None, getattr(operator, "demarches_read", ()))


def _given_before(operator: Any, ti: Any) -> Iterator[int]:
    """Yield the démarches of the tasks before, whose templates are those of the same run."""
    for task in operator.get_flat_relatives(upstream=True) if operator.has_dag() else ():
        given = getattr(task, "partial_kwargs", vars(task)).get("demarche_number")
        # a template may be of anything, and a link is not worth a failure
        with suppress(Exception):
            yield from _numbers(given if is_constant(given) else task.render_template(given, ti.get_template_context()))


def _numbers(given: Any) -> Iterator[int]:
    for one in given if isinstance(given, list | tuple) else [given]:
        with suppress(DSError):
            yield parse_number(one, "demarche_number")


def _only_groupe(operator: Any) -> int | None:
    with suppress(DSError):
        numbers, _ = parse_groupes(flatten_batches(getattr(operator, "groupe_instructeur_number", None)))
        return numbers[0] if len(numbers) == 1 else None
    return None
