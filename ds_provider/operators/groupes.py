"""Operator that lists the groups of a démarche, for a fan-out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperatorLink, Context

from ds_provider.api.query.parameters import parse_conn_id, parse_flag, parse_number
from ds_provider.exceptions import DSConfigurationError, DSNotFoundError
from ds_provider.hooks.ds import DSHook
from ds_provider.links import DSDemarcheLink, DSGroupesLink
from ds_provider.map_labels import demarches_label
from ds_provider.parameter_checks import Check, CheckedOperator, optional
from ds_provider.retry_policy import fail_fast
from ds_provider.wording import counted


class DSListGroupesOperator(CheckedOperator):
    """List the groups (groupes instructeurs) of a démarche, ready for ``.expand()``.

    With ``batch_size`` one mapped task extracts several groups. The service's own ``closed`` argument fails there, so
    groups are filtered here.

    :param demarche_number: the démarche. (templated)
    :param closed: true for closed groups only, false for open ones only, None for all: a closed group keeps its
        dossiers, and they keep changing. (templated)
    :param label_matches: only groups in whose label this regular expression is found, in any case. (templated)
    :param batch_size: how many groups go into one list at most; None for a flat list of numbers. (templated)
    :param ds_conn_id: the connection. (templated)
    :returns: the numbers of the groups, in ascending order; with ``batch_size`` a list of lists of them.
    :raises DSNotFoundError: if no group is left: a fan-out over nothing would be green.
    """

    template_fields: Sequence[str] = ("demarche_number", "closed", "label_matches", "batch_size", "ds_conn_id")
    checks: ClassVar[Mapping[str, Check]] = {
        "demarche_number": parse_number,
        "closed": parse_flag,
        "label_matches": lambda value, name: parse_pattern(value, name),
        "batch_size": optional(parse_number),
        "ds_conn_id": parse_conn_id,
    }
    ui_color = "#cacafb"
    ui_fgcolor = "#000091"
    operator_extra_links: Sequence[BaseOperatorLink] = (DSDemarcheLink(), DSGroupesLink())

    def __init__(
        self,
        *,
        demarche_number: int | str,
        closed: bool | str | None = None,
        label_matches: str | None = None,
        batch_size: int | str | None = None,
        ds_conn_id: str = DSHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.demarche_number = demarche_number
        self.closed = closed
        self.label_matches = label_matches
        self.batch_size = batch_size
        self.ds_conn_id = ds_conn_id
        self._check_given()

    @property
    def map_label(self) -> str:
        """The démarche's number."""
        return demarches_label(self.demarche_number)

    @fail_fast
    def execute(self, context: Context) -> list[int] | list[list[int]]:
        """Return the numbers of the groups, in batches if a size is given."""
        self._check_rendered()
        closed = parse_flag(self.closed, "closed")
        size = None if self.batch_size is None else parse_number(self.batch_size, "batch_size")
        wanted = parse_pattern(self.label_matches, "label_matches")
        demarche = parse_number(self.demarche_number, "demarche_number")
        groupes = DSHook(self.ds_conn_id).get_groupes(demarche)
        chosen = [
            groupe
            for groupe in groupes
            if (closed is None or groupe["closed"] == closed) and wanted.search(groupe["label"])
        ]
        if not chosen:
            raise DSNotFoundError(
                f"démarche {demarche} shows {counted(len(groupes), 'group')}, none of them with "
                f"closed={closed} and label_matches={self.label_matches!r}: check the filters and the token's rights"
            )
        self._log(demarche, chosen, len(groupes))
        numbers = sorted(groupe["number"] for groupe in chosen)
        return numbers if size is None else [numbers[i : i + size] for i in range(0, len(numbers), size)]

    def _log(self, demarche: int, chosen: Sequence[Mapping[str, Any]], shown: int) -> None:
        among = f"{len(chosen)} of " if len(chosen) < shown else ""
        closed = sum(groupe["closed"] for groupe in chosen)
        state = f", {closed} of them closed" if closed else ""
        self.log.info("démarche %d: %s%s%s", demarche, among, counted(shown, "group"), state)


def parse_pattern(value: object, parameter: str) -> re.Pattern[str]:
    """Return a regular expression, which ignores case; one that matches all texts for None.

    :raises DSConfigurationError: if it is none.
    """
    try:
        return re.compile("" if value is None else str(value), re.IGNORECASE)
    except re.error as error:
        raise DSConfigurationError(f"{parameter} must be a regular expression: got {value!r} ({error})") from None
