"""Asset events: a task emits one for each asset that it changed, and none for the others.

Airflow counts every asset among a task's outlets as changed as soon as the task succeeds, and runs what is scheduled
on it. A task that found nothing new would wake them all for nothing; skipping it would skip what comes after it as
well. So such an asset is taken out of the outlets of the one task that is running: the next one has it again.

Only the outlets get events. An alias would allow events of other assets; but if two tasks name an asset for the first
time in the same moment, Airflow makes one of them fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ds_provider.api.query.windows import parse_instant
from ds_provider.assets import is_ours
from ds_provider.state.keys import state_key
from ds_provider.state.watermark import Watermark

if TYPE_CHECKING:
    from airflow.sdk import Asset, BaseOperator, Context

# an event is a row in Airflow's database
MAX_GROUPS_IN_EVENT = 1000


@dataclass(frozen=True)
class AssetChange:
    """Change of an asset in one task. All who may see Airflow see it: counts and dates, nothing else.

    :param rows: how many rows came, or were replaced.
    :param erased: how many dossiers were taken out.
    :param groupes: how many groups the rows are of.
    :param window: the bounds of what was extracted, ISO 8601, either of which may be None; None without a window.
    :param coverage: of the table of dossiers, by group: from when and up to when it is loaded without a gap, ISO 8601
        in UTC. No start means from its first dossier on; no end means not at all.
    """

    rows: int
    erased: int = 0
    groupes: int = 1
    window: tuple[str | None, str | None] | None = None
    coverage: Mapping[int, tuple[str | None, str | None]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True if nothing changed."""
        return not (self.rows or self.erased)

    @property
    def extra(self) -> dict[str, Any]:
        """Content of the event."""
        content: dict[str, Any] = {
            "rows": self.rows,
            "erased": self.erased,
            "groupes_instructeurs": self.groupes,
            "window": list(self.window) if self.window else None,
        }
        if not self.coverage:
            return content
        since, until = zip(*self.coverage.values(), strict=True)
        content |= {"covered_since": None if None in until else max(filter(None, since), default=None)}
        content |= {"covered_until": None if None in until else min(until)}
        if len(self.coverage) <= MAX_GROUPS_IN_EVENT:
            content["coverage"] = {str(number): list(bounds) for number, bounds in sorted(self.coverage.items())}
        return content


def change_of(summary: Mapping[str, Any]) -> AssetChange:
    """Return what an extraction changed, by its summary."""
    return AssetChange(summary["rows"] + summary.get("rows_pending", 0), window=span([summary["window"]]))


def span(windows: Iterable[Sequence[str | None] | None]) -> tuple[str | None, str | None] | None:
    """Return the shortest window that holds all of them, or None if one of them has no bounds."""
    bounds = list(windows)
    if not bounds or None in bounds:
        return None
    starts, ends = zip(*(bound for bound in bounds if bound), strict=True)
    return _outermost(starts, min), _outermost(ends, max)


def add_outlets(operator: BaseOperator, assets: Iterable[Asset]) -> None:
    """Add the assets that an operator may change to the outlets that its user gave, at the end of its ``__init__``."""
    given = {outlet.uri for outlet in operator.outlets if is_ours(outlet)}
    operator.outlets = [*operator.outlets, *(asset for asset in assets if asset.uri not in given)]


def emit_changes(operator: BaseOperator, context: Context, changes: Iterable[tuple[Asset, AssetChange]]) -> None:
    """Emit an event for each outlet that changed, once the change is durable.

    This provider's other outlets get none. The outlets of other kinds that a user added are left to Airflow.

    :param operator: the one that is running.
    :param changes: each asset once; those that are not among the outlets are passed over.
    """
    changed = {asset.uri: change for asset, change in changes if not change.is_empty}
    # a list of its own: the operator may share the other with the DAG
    operator.outlets = [outlet for outlet in operator.outlets if not is_ours(outlet) or outlet.uri in changed]
    events = context.get("outlet_events")
    if events is None:
        # executed outside of Airflow
        return
    for outlet in operator.outlets:
        if is_ours(outlet):
            events[outlet].extra = changed[outlet.uri].extra


def loaded_watermark(context: Context, asset: Asset, groupe_instructeur_number: int) -> Watermark | None:
    """Return the watermark that says how far a group is loaded into a table, in the state of the table's asset.

    :return: None if the asset is not among the outlets that the task has in its DAG: the connection is a template,
        or the task is mapped and its ``partial`` has no outlets.
    """
    try:
        store = context["asset_state_store"][asset]
    except KeyError:
        return None
    return Watermark(store, state_key("ds-watermark-loaded", groupe_instructeur_number))


def advance_loaded_watermarks(context: Context, asset: Asset, loaded_upto: Mapping[int, datetime]) -> None:
    """Save how far groups are loaded. To be called last: what it says must be durable.

    :param loaded_upto: by the group's number; one that is earlier than the watermark changes nothing.
    """
    for number, instant in loaded_upto.items():
        if watermark := loaded_watermark(context, asset, number):
            watermark.advance(instant)


def _outermost(bounds: Sequence[str | None], choose: Callable[[Iterable[Any]], Any]) -> str | None:
    """Return one of the bounds, compared as instants, or None if one is open."""
    instants = [parse_instant(bound, "the window of an extract") for bound in bounds]
    return None if None in instants else str(choose(instants).isoformat())
