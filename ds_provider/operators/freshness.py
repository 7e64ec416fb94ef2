"""Operator that checks how fresh and how complete the warehouse is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Context

from ds_provider.api.query.parameters import parse_flag
from ds_provider.api.query.windows import shown
from ds_provider.exceptions import DSStaleError
from ds_provider.map_labels import groups_label
from ds_provider.metrics import send_freshness
from ds_provider.operators._parameters import WarehouseMixin, check_duration, parse_batches
from ds_provider.parameter_checks import Check, optional
from ds_provider.retry_policy import fail_fast
from ds_provider.wording import counted, lasted, listed

if TYPE_CHECKING:
    from ds_provider.warehouse.coverage import Coverage

_REMEDY = (
    "see the runs of their tasks, and whether they are still among those that are extracted; window='incremental' "
    "reads what is missing, and require_full_history=False accepts that a beginning is"
)


class DSFreshnessOperator(WarehouseMixin):
    """Return from when to when each group is loaded, and fail if one ends too early or lacks its beginning.

    No other task shows that a group has dropped out of a fan-out, that its tasks fail night after night, or that a day
    between two others is missing.

    A full extraction covers all before it; windows on the date of last
    change cover their time from the first of them on, up to the first gap. Windows on the date of deposit cover no
    time: if nothing else is loaded, both bounds are null and the age is that of the latest extraction.

    :param max_age: how long ago ``covered_until`` of a group may be.
    :param groupe_instructeur_number: the groups that must be fresh, also if they were never loaded; without it, all
        that ever were. Batches of a fan-out are accepted. (templated)
    :param require_full_history: false accepts a group whose beginning is not loaded. (templated)
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :returns: for each group ``groupe_instructeur_number``, ``covered_since`` and ``covered_until`` (everything that
        happened between them is loaded), ``full_history`` (true if nothing before ``covered_until`` is missing;
        ``covered_since`` is null then), ``last_read_at`` (when the latest of the loaded extractions began),
        ``age_seconds`` (since ``covered_until``) and ``unread`` (the numbers of the dossiers that the service lists,
        could not give, and has not given since).
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSStaleError: naming the groups, after all figures are in the log.
    :raises DSWarehouseError: if the database cannot be read.
    """

    template_fields: Sequence[str] = (
        "groupe_instructeur_number",
        "require_full_history",
        *WarehouseMixin.template_fields,
    )
    checks: ClassVar[Mapping[str, Check]] = {
        **WarehouseMixin.checks,
        "max_age": check_duration,
        "groupe_instructeur_number": optional(parse_batches),
        "require_full_history": parse_flag,
    }

    def __init__(
        self,
        *,
        max_age: timedelta,
        groupe_instructeur_number: int | str | Sequence[Any] | None = None,
        require_full_history: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_age = max_age
        self.groupe_instructeur_number = groupe_instructeur_number
        self.require_full_history = require_full_history
        self._check_given()

    @property
    def map_label(self) -> str:
        """The groups' numbers, or the dataset if all its groups are checked."""
        given = self.groupe_instructeur_number
        return str(self.dataset) if given is None else groups_label(given, {})

    @fail_fast
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return from when to when each group is loaded, or raise if one is not fresh or not complete enough."""
        self._check_rendered()
        max_age = check_duration(self.max_age, "max_age")
        requires_full_history = parse_flag(self.require_full_history, "require_full_history") is not False
        given = self.groupe_instructeur_number
        expected = None if given is None else parse_batches(given, "groupe_instructeur_number")
        warehouse = self.warehouse
        from ds_provider.warehouse.coverage import ensure_fresh, read_coverage, read_labels, unread_numbers
        from ds_provider.warehouse.service_time import service_now

        with warehouse.connected():
            groups, unread, now = read_coverage(warehouse), unread_numbers(warehouse), service_now(warehouse)
            labels = read_labels(warehouse)
        send_freshness(groups, groups if expected is None else expected, unread, now, self.dataset)
        for number, group in groups.items():
            self.log.info("%s", _line(group, labels.get(number), unread.get(number, []), now))
        if expected is None and not groups:
            raise DSStaleError(f"no group is loaded into {warehouse}: see the tasks that load, and dataset", [])
        checked = list(groups) if expected is None else expected
        horizon = now - max_age
        ensure_fresh(groups, checked, horizon, requires_full_history=requires_full_history, remedy=_REMEDY)
        earliest = min(groups[number].end for number in checked)
        ago = lasted(max(0.0, (now - earliest).total_seconds()))
        those = counted(len(checked), "group")
        self.log.info("fresh: %s, loaded up to %s or later (%s ago)", those, shown(earliest), ago)
        return [_as_dict(group, now) | {"unread": unread.get(number, [])} for number, group in groups.items()]


def _line(group: Coverage, label: str | None, unread: Sequence[int], now: datetime) -> str:
    """Return the line of the log about a group."""
    name = f"group {group.groupe_instructeur_number}" + (f" ({label})" if label else "")
    ago = f", {lasted(max(0.0, (now - group.end).total_seconds()))} ago" if group.covered_until else ""
    missing = f"; {counted(len(unread), 'dossier')} could not be read: {listed(unread)}" if unread else ""
    return f"{name}: loaded {group}{ago}, last read at {shown(group.last_read_at)}{missing}"


def _as_dict(group: Coverage, now: datetime) -> dict[str, Any]:
    since, until = group.iso_bounds
    return {
        "groupe_instructeur_number": group.groupe_instructeur_number,
        "covered_since": since,
        "covered_until": until,
        "full_history": group.has_full_history,
        "last_read_at": group.last_read_at.isoformat(),
        "age_seconds": round((now - group.end).total_seconds()),
    }
