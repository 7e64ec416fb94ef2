"""Nights of a warehouse, whatever goes wrong in them: the first one that goes well ends with what the groups show."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_provider.exceptions import DSGroupesFailedError
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.tables.schemas import DOSSIERS
from tests.support.operator_service import START, unauthorized
from tests.support.operator_warehouse import Hooks, World, context
from tests.support.quick_warehouse import Killed, QuickWarehouse

HOUR, DAY = 3600, 86_400
INCREMENTAL = {"window": "incremental"}
STATES = ("en_construction", "en_instruction", "accepte", "refuse")


@dataclass(frozen=True)
class Night:
    """What happens before a night and in it.

    :param hours: since the night before.
    :param changes: dossiers that are deposited or changed meanwhile: when, as a share of these hours, number and state.
    :param deleted: dossiers that the service lists as deleted from now on, and by how many days it dates them back.
    :param worker_ahead: seconds by which the clock of the worker is ahead.
    :param failing: groups that cannot be read.
    :param groups: the groups that are known by then.
    :param has_window: whether only the time since the night before is read, and not what the warehouse lacks.
    :param is_loaded: whether anybody loads what is landed.
    :param merges: after how many merged tables the load is killed.
    """

    hours: int
    changes: list[tuple[float, int, str]]
    deleted: list[tuple[int, int]]
    worker_ahead: int
    failing: set[int]
    groups: list[int]
    has_window: bool
    is_loaded: bool
    merges: int | None


nights = st.builds(
    Night,
    hours=st.sampled_from([1, 2, 24, 80]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(700, 707), st.sampled_from(STATES)), max_size=4),
    deleted=st.lists(st.tuples(st.integers(700, 707), st.integers(14, 44)), max_size=1),
    worker_ahead=st.sampled_from([0, 0, HOUR, -HOUR]),
    failing=st.sampled_from([set(), set(), {7}, {8}]),
    groups=st.sampled_from([[7, 8], [7]]),
    has_window=st.sampled_from([False, False, True]),
    is_loaded=st.sampled_from([True, True, True, False]),
    merges=st.sampled_from([None, None, None, 0, 3, 8, 15, 20]),
)


def group_of(number: int) -> int:
    return 7 + number % 2


def seconds_from_start(instant: float) -> int:
    return int(instant - START.timestamp())


def happen(world: World, night: Night) -> None:
    """Let time pass, and the service change."""
    before = seconds_from_start(world.service.now)
    world.service.passed += night.hours * HOUR
    for share, number, state in sorted(night.changes):
        # dates are shown to the second
        if number not in world.deleted:
            world.show(number, group_of(number), at=int(before + share * night.hours * HOUR), state=state)
    for number, days in night.deleted:
        if number in world.shown:
            world.delete(number, at=seconds_from_start(world.service.now) - days * DAY)
    world.service.worker_ahead = night.worker_ahead


def extract(kind: Any, destination: str, groups: list[int], window: dict[str, Any]) -> list[dict[str, Any]]:
    """Extract groups, and return what landed."""
    made = kind(task_id="t", groupe_instructeur_number=groups, destination=destination, **window)
    try:
        return list(made.execute(context()))
    except DSGroupesFailedError as error:
        return list(error.landed)


def run(world: World, hooks: Hooks, destination: str, night: Night) -> None:
    for group in (7, 8):
        world.service.failures.pop(group, None)
    for group in night.failing:
        world.service.fails(group, lambda request: unauthorized())
    since = datetime.fromtimestamp(world.service.now - night.hours * HOUR, timezone.utc)
    window = {"updated_since": since.isoformat()} if night.has_window else INCREMENTAL
    landed = extract(DSExtractDeletedDossiersOperator, destination, night.groups, INCREMENTAL)
    landed += extract(DSExtractDossiersOperator, destination, night.groups, window)
    if night.is_loaded:
        hooks.warehouse.merges_left = night.merges
        with suppress(Killed):
            DSLoadOperator(task_id="l", manifests=landed).execute(context())
        hooks.warehouse.merges_left = None


def held(hooks: Hooks) -> set[tuple[int, int, str]]:
    return set(hooks.warehouse.rows(DOSSIERS.name, "number", "groupe_instructeur_number", "state"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(nights, min_size=1, max_size=5), nights)
def test_first_night_that_goes_well_ends_with_what_the_groups_show(service, hooks, tmp_path_factory, before, last):
    destination = tmp_path_factory.mktemp("zone").as_uri()
    hooks.warehouse = QuickWarehouse()
    service.rows.clear()
    # no bound of a window may be in the real future
    service.passed, world = -60.0 * DAY, World(service)
    for number in range(700, 704):
        world.show(number, group_of(number), at=seconds_from_start(service.now) - 90 * DAY + number)
    for night in before:
        happen(world, night)
        run(world, hooks, destination, night)
    happen(world, last)
    run(
        world,
        hooks,
        destination,
        replace(last, failing=set(), groups=[7, 8], has_window=False, is_loaded=True, merges=None),
    )
    assert held(hooks) == {(number, group_of(number), dict(row.more)["state"]) for number, row in world.shown.items()}
