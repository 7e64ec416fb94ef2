"""How fresh the warehouse is, and an error where it is not fresh enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from ds_provider.api.query.parameters import is_absent, parse_groupes, unbatched
from ds_provider.exceptions import DSConfigurationError, DSStaleError
from ds_provider.hooks.warehouse import DATASET, DSWarehouseHook

if TYPE_CHECKING:
    from ds_provider.warehouse.freshness import Freshness


class DSFreshnessOperator(BaseOperator):
    """Tells how far each group is loaded, and fails where one was not for longer than is allowed.

    A group that has dropped out of a fan-out, or whose tasks fail night after night, is green nowhere else.

    Returns for each group ``groupe_instructeur_number``, ``loaded_upto`` (every change before it is loaded, from the
    first window that was on; null where only windows on the date of deposit were), ``last_read_at`` (when the latest of
    the loaded readings began) and ``age_seconds`` (since then).

    :param max_age: for how long a group may have had no reading that was loaded.
    :param groupe_instructeur_number: the groups that must be fresh, those that were never loaded included; without
        them, all that ever were; batches of a fan-out will do. (templated)
    :param warehouse_conn_id: the connection to the warehouse; without one, a DuckDB file in Airflow's home. (templated)
    :param dataset: the schema that holds the tables. (templated)
    :raises DSConfigurationError: naming the parameter that cannot work.
    :raises DSStaleError: naming the groups, after all figures are in the log.
    :raises DSWarehouseError: if the database cannot be read.
    """

    template_fields: Sequence[str] = ("groupe_instructeur_number", "warehouse_conn_id", "dataset")
    ui_color = "#cacafb"
    ui_fgcolor = "#000091"

    def __init__(
        self,
        *,
        max_age: timedelta,
        groupe_instructeur_number: int | str | Sequence[Any] | None = None,
        warehouse_conn_id: str | None = None,
        dataset: str = DATASET,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_age = max_age
        self.groupe_instructeur_number = groupe_instructeur_number
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset

    def execute(self, context: Context) -> list[dict[str, Any]]:
        max_age = self._checked_max_age()
        given = self.groupe_instructeur_number
        wanted = None if is_absent(given) else parse_groupes(unbatched(given))[0]
        figures = self._figures()
        now = datetime.now(timezone.utc)
        for figure in figures.values():
            self.log.info(
                "groupe instructeur %d: loaded up to %s, last read %s ago",
                figure.groupe_instructeur_number,
                figure.loaded_upto or "an unknown date",
                now - figure.last_read_at,
            )
        _check(figures, list(figures) if wanted is None else wanted, now - max_age)
        return [_told(figure, now) for figure in figures.values()]

    def _figures(self) -> Mapping[int, Freshness]:
        conn_id = None if is_absent(self.warehouse_conn_id) else self.warehouse_conn_id
        warehouse = DSWarehouseHook(conn_id, self.dataset).warehouse()
        # what is in an optional extra is imported once the hook has told whether it is there
        from ds_provider.warehouse.freshness import freshness

        return {figure.groupe_instructeur_number: figure for figure in freshness(warehouse)}

    def _checked_max_age(self) -> timedelta:
        max_age: object = self.max_age
        if not isinstance(max_age, timedelta) or max_age <= timedelta(0):
            raise DSConfigurationError(f"max_age must be a timedelta above zero: got {max_age!r}")
        return max_age


def _check(figures: Mapping[int, Freshness], wanted: Sequence[int], horizon: datetime) -> None:
    never = [number for number in wanted if number not in figures]
    stale = [number for number in wanted if number in figures and figures[number].last_read_at < horizon]
    if never or stale:
        kinds = {"last read before that": stale, "never": never}
        told = "; ".join(f"{kind}: {numbers}" for kind, numbers in kinds.items() if numbers)
        raise DSStaleError(
            f"groupes instructeurs not loaded since {horizon:%Y-%m-%d %H:%M} UTC ({told}): see the runs "
            "of their tasks, or whether they are still among those that are read",
            sorted([*never, *stale]),
        )


def _told(figure: Freshness, now: datetime) -> dict[str, Any]:
    return {
        "groupe_instructeur_number": figure.groupe_instructeur_number,
        "loaded_upto": figure.loaded_upto.isoformat() if figure.loaded_upto else None,
        "last_read_at": figure.last_read_at.isoformat(),
        "age_seconds": round((now - figure.last_read_at).total_seconds()),
    }
