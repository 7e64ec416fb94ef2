"""The parallel reader yields each row once, with few requests more than pages."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_provider.api.paging.reader import read
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSAccessError, DSIncompletePageError
from tests.support.connection_model import Stored
from tests.support.flows import Drive, response
from tests.support.group import Group, spread

START = datetime(2024, 3, 1, 8, tzinfo=timezone.utc)
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)


def numbers(drive: Drive) -> list[int]:
    return [row.head.number for page in drive.results for row in page.rows]


def at_random(seed: int):
    return Random(seed).randrange


@st.composite
def worlds(draw):
    """Draw clumps of very different density, with ties within a microsecond and within a second."""
    rows: list[Stored] = []
    date = START
    for _ in range(draw(st.integers(1, 5))):
        count = draw(st.sampled_from([1, 3, 60, 150, 320]))
        seconds = draw(st.sampled_from([0.0, 0.000001, 0.3, 1.0, 40.0, 7_000.0]))
        date += timedelta(seconds=draw(st.sampled_from([0, 1, 3_600, 2_000_000])))
        rows += [Stored(len(rows) + n + 1, date + timedelta(seconds=n * seconds)) for n in range(count)]
        date = rows[-1].date
    return rows


@settings(deadline=None, max_examples=60)
@given(worlds(), st.integers(1, 8), st.integers(0, 1_000), st.sampled_from(["created", "updated"]), st.data())
def test_parallel_reader_yields_each_row_of_a_window_once(world, readers, seed, column, data):
    dates = sorted(row.date for row in world)
    bound = st.one_of(st.none(), st.sampled_from(dates))
    start, end = data.draw(bound), data.draw(bound)
    if start and end and start >= end:
        start, end = end, start + timedelta(seconds=3)
    window = Window(column, *(pendulum.instance(b) if b else None for b in (start, end))) if start or end else None

    group = Group(world)
    drive = Drive(read(select_dossiers(7, window=window), concurrency=readers), group, at_random(seed))

    inside = [r.number for r in world if (start is None or r.date >= start) and (end is None or r.date < end)]
    assert drive.error is None
    assert sorted(numbers(drive)) == inside
    assert sum(asked["first"] for asked in group.full_requests) <= len(inside) + 300, "hardly a row is asked for twice"


@settings(deadline=None, max_examples=60)
@given(worlds(), st.integers(1, 8), st.integers(0, 10_000), st.sampled_from(["created", "updated"]))
def test_rows_that_change_during_the_read_hide_no_other(world, readers, seed, column):
    random = Random(seed)
    gone: set[int] = set()

    def change(group: Group, count: int) -> None:
        number = random.choice([*group.rows])
        kind = random.choice(["update", "hide", "new", "none"])
        if kind == "update" and column == "updated":
            group.move(number, NOW + timedelta(seconds=count))
        elif kind == "hide" and len(group.rows) > 1:
            gone.add(number)
            del group.rows[number]
        elif kind == "new":
            late = NOW + timedelta(seconds=count)
            group.rows[10_000 + count] = Stored(10_000 + count, late if random.random() < 0.7 else START)

    window = Window(column, start=pendulum.instance(START)) if column == "updated" else None
    drive = Drive(read(select_dossiers(7, window=window), concurrency=readers), Group(world, change), random.randrange)

    read_numbers = numbers(drive)
    assert drive.error is None
    assert len(set(read_numbers)) == len(read_numbers)
    assert {row.number for row in world} - gone <= set(read_numbers)


def test_row_that_comes_again_is_yielded_once_with_its_new_date():
    def change(group: Group, count: int) -> None:
        if count == 2:
            group.move(1, NOW)

    window = Window("updated", start=pendulum.instance(START))
    drive = Drive(read(select_dossiers(7, window=window), concurrency=4), Group(spread(900, START, 3_600), change))
    assert sorted(numbers(drive)) == list(range(1, 901))
    assert [page.earliest_change for page in drive.results if page.earliest_change] == [NOW]


@pytest.mark.parametrize(("count", "seconds"), [(4_000, 20_000), (4_000, 7), (950, 3_600), (10_000, 400)])
def test_evenly_spread_group_costs_few_requests_more_than_its_pages(count, seconds):
    drive = Drive(read(select_dossiers(7), concurrency=8), Group(spread(count, START, seconds)), at_random(1))
    assert len(numbers(drive)) == count
    assert len(drive.requests) <= 1.15 * -(-count // 100) + 2


@pytest.mark.parametrize("readers", [2, 8])
def test_burst_in_a_quiet_group_costs_few_requests(readers):
    quiet = spread(200, START, 200_000)
    burst = [Stored(1_000 + n, START + timedelta(days=200, seconds=n)) for n in range(3_800)]
    drive = Drive(read(select_dossiers(7), concurrency=readers), Group(quiet + burst), at_random(2))
    assert len(numbers(drive)) == 4_000
    assert len(drive.requests) <= 1.25 * 40


@pytest.mark.parametrize("column", ["created", "updated"])
def test_thousands_of_rows_in_one_second_cost_one_scan_at_most(column):
    ties = [Stored(n + 1, START + timedelta(microseconds=n)) for n in range(4_000)]
    window = Window(column, start=pendulum.instance(START))
    group = Group(ties)
    drive = Drive(read(select_dossiers(7, window=window), concurrency=8), group, at_random(3))
    assert len(numbers(drive)) == 4_000
    assert len(drive.requests) <= 2.1 * 40
    assert sum(asked["first"] for asked in group.full_requests) <= 4_200, "no row is asked for twice"


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200])
def test_small_window_is_read_page_after_page(count):
    window = Window("created", end=pendulum.instance(START + timedelta(days=count + 1)))
    drive = Drive(read(select_dossiers(7, window=window), concurrency=8), Group(spread(count, START, 86_400)))
    assert len(numbers(drive)) == count
    assert len(drive.requests) == max(1, -(-count // 100))


def test_rows_that_an_earlier_try_landed_are_not_read_again():
    world = spread(1_000, START, 3_600)
    landed = {row.number: row.date for row in world[100:700]}
    group = Group(world)
    drive = Drive(read(select_dossiers(7), concurrency=4, landed=landed), group, at_random(4))
    assert sorted(numbers(drive)) == [*range(1, 101), *range(701, 1_001)]
    assert sum(asked["first"] for asked in group.full_requests) <= 500


def test_landed_row_that_changed_is_reported_and_not_read_again():
    group = Group(spread(400, START, 3_600))
    landed = {number: row.date for number, row in group.rows.items() if number <= 300}
    group.move(20, NOW)
    window = Window("updated", start=pendulum.instance(START))
    drive = Drive(read(select_dossiers(7, window=window), concurrency=4, landed=landed), group, at_random(6))
    assert sorted(numbers(drive)) == list(range(301, 401))
    assert [page.earliest_change for page in drive.results if page.earliest_change] == [NOW]


def test_service_that_refuses_probes_is_read_page_after_page():
    group = Group(spread(900, START, 3_600))

    def without_probes(request):
        if "probeDossiers" in request.query:
            return group(request).__class__(502, {}, b"<html>")
        return group(request)

    drive = Drive(read(select_dossiers(7), concurrency=4), without_probes)
    assert drive.error is None
    assert sorted(numbers(drive)) == list(range(1, 901))


def test_lasting_failure_of_the_probes_names_the_cursor():
    group = Group(spread(900, START, 3_600))

    def refusing(request):
        if "probeDossiers" in request.query:
            return response({"errors": [{"message": "no", "extensions": {"code": "unauthorized"}}]}, status=403)
        return group(request)

    drive = Drive(read(select_dossiers(7), concurrency=4), refusing)
    assert isinstance(drive.error, DSAccessError)
    assert drive.error.cursor == group.rows[100].cursor


def test_row_that_is_listed_and_never_read_raises():
    group = Group(spread(900, START, 3_600))

    def withholding(request):
        if "probeDossiers" in request.query:
            return group(request)
        kept = group.rows.pop(500)
        response = group(request)
        group.rows[500] = kept
        return response

    drive = Drive(read(select_dossiers(7), concurrency=4), withholding)
    assert isinstance(drive.error, DSIncompletePageError)
    assert "500" in str(drive.error)
    assert drive.error.groupe_instructeur_number == 7
