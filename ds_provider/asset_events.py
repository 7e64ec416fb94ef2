"""What a task tells Airflow of the assets that it changed: an event for each, and none where nothing changed.

Airflow counts every asset among a task's outlets as changed as soon as the task succeeds, and runs what is scheduled
on it. A task that found nothing new would wake them all for nothing; skipping it would skip what comes after it as
well. So such an asset is taken out of the outlets of the one task that is running: the next one has it again.

Only what is among the outlets is told. Airflow could be told of others through an alias; but of two tasks that name an
asset for the first time in the same moment, one is made to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds_provider.api.query.windows import parse_instant
from ds_provider.assets import is_ours
from ds_provider.state.watermark import Watermark

if TYPE_CHECKING:
    import pendulum
    from airflow.sdk import Asset, BaseOperator, Context


@dataclass(frozen=True)
class Change:
    """What happened to an asset in one task. It is told to all who may see Airflow: counts and dates, nothing else.

    :param rows: how many rows came, or were replaced.
    :param erased: how many dossiers were taken out.
    :param groupes: how many groups the rows are of.
    :param window: the bounds of what was read, ISO 8601, either of which may be null; null where all was read.
    """

    rows: int
    erased: int = 0
    groupes: int = 1
    window: tuple[str | None, str | None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody needs to know of it."""
        return not (self.rows or self.erased)

    @property
    def extra(self) -> dict[str, Any]:
        """What the event says."""
        return {
            "rows": self.rows,
            "erased": self.erased,
            "groupes_instructeurs": self.groupes,
            "window": list(self.window) if self.window else None,
        }


def changes_of(
    summaries: Iterable[Mapping[str, Any]], asset_of: Callable[[int], Asset]
) -> Iterator[tuple[Asset, Change]]:
    """What readings brought into the landing zone, by what they return.

    :param asset_of: the asset of a group, by its number.
    """
    for summary in summaries:
        rows = summary["rows"] + summary.get("rows_pending", 0)
        yield asset_of(summary["groupe_instructeur_number"]), Change(rows, window=span([summary["window"]]))


def span(windows: Iterable[Sequence[str | None] | None]) -> tuple[str | None, str | None] | None:
    """The shortest window that holds all of them; none where one of them has no bounds."""
    bounds = list(windows)
    if not bounds or None in bounds:
        return None
    starts, ends = zip(*(bound for bound in bounds if bound), strict=True)
    return _outermost(starts, min), _outermost(ends, max)


def is_plain(value: Any) -> bool:
    """Whether a parameter is known when the DAG is parsed: no template, and no result of another task."""
    return value is None or (isinstance(value, str) and "{{" not in value and "{%" not in value)


def declare(operator: BaseOperator, assets: Iterable[Asset]) -> None:
    """Add what an operator may change to the outlets that its user gave, at the end of its ``__init__``."""
    given = {outlet.uri for outlet in operator.outlets if is_ours(outlet)}
    operator.outlets = [*operator.outlets, *(asset for asset in assets if asset.uri not in given)]


def emit(operator: BaseOperator, context: Context, changes: Iterable[tuple[Asset, Change]]) -> None:
    """Tell what changed, once it is durable, and of this provider's other assets among the outlets that they did not.

    The outlets that a user added and that are not this provider's are left to Airflow.

    :param operator: the one that is running.
    :param changes: what it did, each asset once; those that are not among the outlets are passed over.
    """
    changed = {asset.uri: change for asset, change in changes if not change.is_empty}
    # a list of its own: the operator may share the other with the DAG
    operator.outlets = [outlet for outlet in operator.outlets if not is_ours(outlet) or outlet.uri in changed]
    events = context.get("outlet_events")
    if events is None:
        # called by hand: nobody listens
        return
    for outlet in operator.outlets:
        if is_ours(outlet):
            events[outlet].extra = changed[outlet.uri].extra


def loaded_upto(context: Context, asset: Asset, groupe_instructeur_number: int) -> Watermark | None:
    """How far a group is loaded into a table, remembered by the table's asset across all runs.

    :return: none where the asset is not among the outlets that the task has in its DAG: the connection is a template,
        or the task is mapped and its ``partial`` has no outlets.
    """
    try:
        store = context["asset_state_store"][asset]
    except KeyError:
        return None
    return Watermark(store, f"ds-loaded-upto-{groupe_instructeur_number}")


def advance_loaded_upto(context: Context, asset: Asset, reached: Mapping[int, pendulum.DateTime]) -> None:
    """Remember how far groups are loaded. To be called last: what it says must be durable.

    :param reached: by the group's number; one that is behind what is known changes nothing.
    """
    for number, instant in reached.items():
        if watermark := loaded_upto(context, asset, number):
            watermark.advance(instant)


def _outermost(bounds: Sequence[str | None], choose: Callable[[Iterable[Any]], Any]) -> str | None:
    """One of the bounds, compared as instants; none where one is open."""
    instants = [parse_instant(bound, "the window of a reading") for bound in bounds]
    return None if None in instants else str(choose(instants).isoformat())
