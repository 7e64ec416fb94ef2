"""Operator that checks how fresh the warehouse is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from ds_provider.api.query.parameters import flatten_batches, is_absent, parse_groupes
from ds_provider.exceptions import DSStaleError
from ds_provider.operators._parameters import WarehouseMixin, check_duration
from ds_provider.retry_policy import fail_fast

if TYPE_CHECKING:
    from ds_provider.warehouse.freshness import Freshness


class DSFreshnessOperator(WarehouseMixin):
    """Return how far each group is loaded, and fail if one is older than allowed.

    No other task shows that a group has dropped out of a fan-out, or that its tasks fail night after night.

    Returns for each group ``groupe_instructeur_number``, ``loaded_upto`` (every change before it is loaded, from the
    first loaded window on; null if only windows on the date of deposit were loaded), ``last_read_at`` (when the latest
    of the loaded extractions began) and ``age_seconds`` (since then).

    :param max_age: how old the latest loaded extraction of a group may be.
    :param groupe_instructeur_number: the groups that must be fresh, also if they were never loaded; without it, all
        that ever were. Batches of a fan-out are accepted. (templated)
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSStaleError: naming the groups, after all figures are in the log.
    :raises DSWarehouseError: if the database cannot be read.
    """

    template_fields: Sequence[str] = ("groupe_instructeur_number", *WarehouseMixin.template_fields)

    def __init__(
        self, *, max_age: timedelta, groupe_instructeur_number: int | str | Sequence[Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_age = max_age
        self.groupe_instructeur_number = groupe_instructeur_number

    @fail_fast
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return how far each group is loaded, or raise if one is not fresh enough."""
        max_age = check_duration(self.max_age, "max_age")
        given = self.groupe_instructeur_number
        expected = None if is_absent(given) else parse_groupes(flatten_batches(given))[0]
        warehouse = self.warehouse
        from ds_provider.warehouse.freshness import freshness

        groups = {group.groupe_instructeur_number: group for group in freshness(warehouse)}
        now = datetime.now(timezone.utc)
        for number, group in groups.items():
            loaded_upto, age = group.loaded_upto or "an unknown date", now - group.last_read_at
            self.log.info("group %d: loaded up to %s, last extracted %s ago", number, loaded_upto, age)
        _check(groups, list(groups) if expected is None else expected, now - max_age)
        return [_as_dict(group, now) for group in groups.values()]


def _check(groups: Mapping[int, Freshness], expected: Sequence[int], horizon: datetime) -> None:
    never = [number for number in expected if number not in groups]
    stale = [number for number in expected if number in groups and groups[number].last_read_at < horizon]
    if never or stale:
        kinds = {"last extracted before that": stale, "never": never}
        found = "; ".join(f"{kind}: {numbers}" for kind, numbers in kinds.items() if numbers)
        raise DSStaleError(
            f"groups not loaded since {horizon:%Y-%m-%d %H:%M} UTC ({found}): see the runs of their tasks, or whether "
            "they are still among those that are extracted",
            sorted([*never, *stale]),
        )


def _as_dict(group: Freshness, now: datetime) -> dict[str, Any]:
    return {
        "groupe_instructeur_number": group.groupe_instructeur_number,
        "loaded_upto": group.loaded_upto.isoformat() if group.loaded_upto else None,
        "last_read_at": group.last_read_at.isoformat(),
        "age_seconds": round((now - group.last_read_at).total_seconds()),
    }
