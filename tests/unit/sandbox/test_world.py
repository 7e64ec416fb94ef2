"""Worlds are the same for the same arguments, and have all kinds of rows from the start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.http.control import truth
from ds_provider.sandbox.http.state import State
from ds_provider.sandbox.world.clock import DAY, Clock, micros
from ds_provider.sandbox.world.world import World
from tests.support.sandbox_client import NOW
from tests.unit.sandbox.test_life import snapshot

START = micros(NOW)


def truth_of(seed: int, days: int = 0) -> dict[str, Any]:
    state = State.create(seed, 3, 40, Clock(NOW), 0)
    state.clock.advance(days * 86_400)
    return truth(state)


def test_same_arguments_give_the_same_world_and_the_same_future() -> None:
    assert truth_of(5) == truth_of(5)
    assert truth_of(5, 60) == truth_of(5, 60)
    assert truth_of(5) != truth_of(6)


def test_world_does_not_depend_on_the_number_of_advances() -> None:
    one, many = World(3, 2, 40, START), World(3, 2, 40, START)
    one.advance(START + 30 * DAY)
    for day in range(31):
        many.advance(START + day * DAY)
    assert snapshot(one) == snapshot(many)
    assert [(r.row, r.number) for r in one.deleted] == [(r.row, r.number) for r in many.deleted]


def test_worlds_that_start_on_the_same_day_are_the_same() -> None:
    morning, evening = World(3, 2, 40, START), World(3, 2, 40, START + DAY // 4)
    morning.advance(evening.now)
    assert snapshot(morning) == snapshot(evening)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dossiers", [3, 20, 90])
def test_each_list_of_each_group_has_rows_from_the_start(seed: int, dossiers: int) -> None:
    world = World(seed, 4, dossiers, START)
    for groupe in world.demarche.groupes:
        seen = {where.where for where in snapshot(world).values() if where.groupe == groupe.number}
        assert seen >= {"dossiers", "pending", "deleted"}, groupe.label


def test_last_of_three_groups_is_closed() -> None:
    world = World(1, 3, 40, START)
    assert [groupe.closed for groupe in world.demarche.groupes] == [False, False, True]
    assert [groupe.closed for groupe in World(1, 2, 40, START).demarche.groupes] == [False, False]


def test_deposits_continue_for_months() -> None:
    world = World(1, 2, 40, START)
    newest = max(d.depose_at for d in world.dossiers.values())
    world.advance(START + 300 * DAY)
    assert max(d.depose_at for d in world.dossiers.values()) > newest + 290 * DAY


def test_many_dossiers_are_deposited_in_one_second_and_some_in_one_microsecond() -> None:
    world = World(1, 1, 200, START)
    instants = [d.depose_at for d in world.dossiers.values()]
    assert len({at // 1_000_000 for at in instants}) < len(instants) - 20
    assert len(set(instants)) < len(instants)


def test_many_dossiers_are_modified_in_one_microsecond() -> None:
    instants = [d.updated_at for d in World(1, 3, 120, START).dossiers.values()]
    assert len(set(instants)) < len(instants) - 5


def test_dossiers_are_on_several_revisions() -> None:
    assert {d.revision for d in World(1, 1, 100, START).dossiers.values()} == {0, 1, 2}


def test_dossiers_have_all_states() -> None:
    states = {d.state for d in World(1, 3, 100, START).dossiers.values()}
    assert states == {"en_construction", "en_instruction", "accepte", "refuse", "sans_suite"}


def test_clock_never_goes_back() -> None:
    clock = Clock(NOW)
    clock.move_to(NOW + timedelta(days=1))
    with pytest.raises(ValueError, match="back"):
        clock.move_to(NOW)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    assert clock.now == NOW + timedelta(days=1)


def test_clock_at_a_given_instant_stands_still_until_it_is_started() -> None:
    clock = Clock(NOW)
    assert (clock.now, clock.running) == (NOW, False)
    clock.run()
    clock.freeze()
    stopped = clock.now
    assert stopped >= NOW
    assert clock.now == stopped


def test_instant_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock(NOW.replace(tzinfo=None))


@pytest.mark.parametrize("numbers", [{"groupes": 0}, {"dossiers": 0}, {"seed": -1}, {"rate_limit": -1}])
def test_numbers_that_are_too_small_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="or more"):
        Sandbox(**numbers)  # type: ignore[arg-type]
