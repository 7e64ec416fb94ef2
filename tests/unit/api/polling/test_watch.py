"""A watch finds what is new, all of it and nothing else, whoever asks and with whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.seen import SeenRows, mark, pack
from ds_provider.api.polling.watch import (
    LOOKBACK_SECONDS,
    MAX_NUMBERS,
    Finding,
    Watch,
    WatchedStream,
    baseline,
    deletions,
    most_severe,
    poll,
    remember,
)
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSConfigurationError, DSError, DSNotFoundError, DSServerError, DSUnauthorizedError
from tests.support.combined_answers import at as instant
from tests.support.combined_answers import refused
from tests.support.flows import Drive, reply
from tests.support.lists import DELETED, PENDING, Lists, at, row

DAY = 86_400


def look(service: Lists, *watches: Watch) -> list[Any]:
    drive = Drive(poll(dict(enumerate(watches))), service)
    assert drive.error is None, repr(drive.error)
    (outcomes,) = drive.given
    return [outcomes[i].outcome for i in range(len(watches))]


def dossiers(*groupes: int, min_count: int = 1, since: float | None = None, **more: Any) -> Watch:
    window = None if since is None else Window("updated", start=instant(since))
    return Watch(
        {groupe: [WatchedStream(select_dossiers(groupe, window=window, **more))] for groupe in groupes}, min_count
    )


def beyond(groupe: int, memory: SeenRows, min_count: int = 1) -> Watch:
    return Watch({groupe: [WatchedStream.remembered(select_dossiers(groupe), "updated", memory)]}, min_count)


def numbers(finding: Finding, groupe: int, stream: str = "dossiers") -> list[int]:
    return [number for number, _ in finding.marks(groupe, stream)]


def test_what_is_not_there_yet_is_nothing_and_what_is_there_is_found():
    service = Lists()
    watch = dossiers(1, since=100)
    assert look(service, watch) == [None]
    service.holds(1, row(5, 99), row(6, 100), row(7, 250))
    (finding,) = look(service, watch)
    assert numbers(finding, 1) == [6, 7]
    assert finding.newest["updated"] == int(at(250).timestamp())
    assert not finding.more
    assert len(service.requests) == 2


@pytest.mark.parametrize(("held", "is_enough"), [(0, False), (2, False), (3, True), (4, True)])
def test_fewer_than_enough_is_nothing(held, is_enough):
    service = Lists()
    service.holds(1, *(row(n, n) for n in range(1, held + 1)))
    (outcome,) = look(service, dossiers(1, min_count=3))
    assert (outcome is not None) is is_enough


def test_of_several_groups_one_that_has_enough_is_enough_and_is_the_one_that_is_told():
    service = Lists()
    service.holds(1, row(10, 1))
    service.holds(2, row(20, 1), row(21, 2))
    (finding,) = look(service, dossiers(1, 2, 3, min_count=2))
    assert list(finding.groupes) == [2]


def test_more_than_a_page_is_counted_to_the_end():
    service = Lists()
    service.holds(1, *(row(n, n) for n in range(1, 251)))
    (finding,) = look(service, dossiers(1, min_count=240))
    assert numbers(finding, 1) == list(range(1, 251))
    assert len(service.requests) == 3


def test_of_very_many_the_newest_are_told_and_that_there_are_more():
    service = Lists()
    service.holds(1, *(row(n, n) for n in range(1, 2_001)))
    (finding,) = look(service, dossiers(1))
    told = numbers(finding, 1)
    assert len(told) >= MAX_NUMBERS
    assert told == list(range(2_001 - len(told), 2_001))
    assert finding.more
    assert len(service.requests) <= 11


def test_two_hundred_watches_take_two_requests_and_each_finds_its_own():
    service = Lists()
    for groupe in range(1, 201, 2):
        service.holds(groupe, row(groupe, 200))
    outcomes = look(service, *(dossiers(groupe, since=100) for groupe in range(1, 201)))
    assert len(service.requests) == 2
    for groupe, outcome in enumerate(outcomes, 1):
        assert (outcome is not None) is (groupe % 2 == 1)
        if outcome is not None:
            assert numbers(outcome, groupe) == [groupe]


def test_two_that_wait_for_the_same_ask_once():
    service = Lists()
    look(service, *(dossiers(1, since=100) for _ in range(150)))
    (request,) = service.requests
    assert "g1:" not in request.query


class TestErrors:
    def test_a_group_that_is_gone_ends_the_wait_even_where_another_has_enough(self):
        service = Lists(fails={2: refused("not_found")})
        service.holds(1, row(5, 5))
        gone, well = look(service, dossiers(1, 2), dossiers(1))
        assert isinstance(gone, DSNotFoundError)
        assert numbers(well, 1) == [5], "another watch has its answer"

    def test_who_takes_what_the_others_hold_is_told_of_both(self):
        service = Lists(fails={2: refused("not_found"), 3: reply(status=500, body=b"{}")})
        service.holds(1, row(5, 5))
        drive = Drive(poll({"it": dossiers(1, 2, 3, 4)}), service)
        seen = drive.given[0]["it"]
        assert numbers(seen.finding, 1) == [5]
        assert list(seen.finding.groupes) == [1]
        assert {groupe: type(error) for groupe, error in seen.errors.items()} == {2: DSNotFoundError, 3: DSServerError}

    def test_the_gravest_is_the_first_that_lasts(self):
        passing, lasting, later = DSServerError("a"), DSNotFoundError("b"), DSUnauthorizedError("c")
        assert most_severe([passing, lasting, later]) is lasting
        assert most_severe([passing, DSServerError("d")]) is passing
        assert most_severe([]) is None

    def test_what_passes_is_told_only_where_nothing_is_found(self):
        service = Lists(fails={2: reply(status=500, body=b"{}")})
        assert isinstance(look(service, dossiers(1, 2))[0], DSServerError)
        service.holds(1, row(5, 5))
        assert isinstance(look(service, dossiers(1, 2))[0], Finding)

    def test_a_group_of_whose_two_lists_one_fails_has_not_enough(self):
        service = Lists()
        service.holds(1, row(5, 5), stream=PENDING)
        none = {one.name: SeenRows() for one in (PENDING, DELETED)}
        poison = refused("internal_server_error")
        service.failure = lambda request: poison if "deletedDossiers(" in request.query else None
        (outcome,) = look(service, Watch({1: deletions(1, none)}))
        assert isinstance(outcome, DSError)


class TestMemory:
    def test_what_is_known_is_no_news_and_what_changed_again_is(self):
        service = Lists()
        service.holds(1, row(5, 500), row(6, 600))
        memory = remember(SeenRows(), select_dossiers(1), marks(service, 1), 0)
        assert look(service, beyond(1, memory)) == [None]
        service.rows[1, "dossiers"] = [row(5, 700), row(6, 600)]
        (finding,) = look(service, beyond(1, memory))
        assert numbers(finding, 1) == [5]

    def test_a_row_that_appears_behind_one_that_was_seen_is_news(self):
        service = Lists()
        service.holds(1, row(5, 500))
        memory = remember(SeenRows(), select_dossiers(1), marks(service, 1), 0)
        service.holds(1, row(6, 500 - LOOKBACK_SECONDS + 1))
        (finding,) = look(service, beyond(1, memory))
        assert numbers(finding, 1) == [6]

    def test_enough_is_counted_among_the_news_alone(self):
        service = Lists()
        service.holds(1, *(row(n, 500 + n) for n in range(1, 150)))
        memory = remember(SeenRows(), select_dossiers(1), marks(service, 1), 0)
        service.holds(1, row(500, 700))
        assert look(service, beyond(1, memory, min_count=2)) == [None]
        service.holds(1, row(501, 701))
        (finding,) = look(service, beyond(1, memory, min_count=2))
        assert numbers(finding, 1) == [500, 501]

    @given(st.lists(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2 * LOOKBACK_SECONDS)), max_size=6)))
    def test_each_change_is_told_exactly_once(self, rounds):
        """Dossiers change at growing moments, several of them between two looks."""
        service, memory, now = Lists(), SeenRows(), 0.0
        told: list[tuple[int, int]] = []
        happened: list[tuple[int, int]] = []
        current: dict[int, float] = {}
        for changes in rounds:
            for number, after in changes:
                now += after
                if current.get(number) != now:
                    current[number] = now
            happened += [mark(number, at(moment)) for number, moment in current.items()]
            service.rows[1, "dossiers"] = [row(number, moment) for number, moment in current.items()]
            (outcome,) = look(service, beyond(1, memory))
            fresh = outcome.marks(1, "dossiers") if outcome else []
            memory = remember(memory, select_dossiers(1), fresh, 0)
            told += fresh
        assert sorted(told) == sorted(set(happened))


def marks(service: Lists, groupe: int, connection: str = "dossiers") -> list[tuple[int, int]]:
    return [mark(one.number, one.date) for one in service.rows.get((groupe, connection), [])]


class TestDeletions:
    def known(self, service: Lists, now: float) -> dict[str, SeenRows]:
        return {
            stream.name: remember(
                SeenRows(),
                Selection(stream, 1),
                marks(service, 1, stream.connection),
                int(at(now).timestamp()),
            )
            for stream in (PENDING, DELETED)
        }

    def test_a_deletion_that_is_dated_back_by_weeks_is_news(self):
        service = Lists()
        service.holds(1, *(row(n, n * DAY) for n in range(40, 90)), stream=DELETED)
        known = self.known(service, 90 * DAY)
        assert look(service, Watch({1: deletions(1, known)})) == [None]
        service.holds(1, row(500, 60 * DAY), stream=DELETED)
        (finding,) = look(service, Watch({1: deletions(1, known)}))
        assert numbers(finding, 1, "deleted_dossiers") == [500]
        assert numbers(finding, 1, "pending_deleted_dossiers") == []

    def test_one_that_becomes_definitive_is_news_again_and_counts_once(self):
        service = Lists()
        service.holds(1, row(7, 10 * DAY), stream=PENDING)
        known = self.known(service, 10 * DAY)
        service.holds(1, row(7, 10 * DAY), stream=DELETED)
        (finding,) = look(service, Watch({1: deletions(1, known)}, min_count=1))
        assert numbers(finding, 1, "deleted_dossiers") == [7]
        fresh = {one.name: SeenRows() for one in (PENDING, DELETED)}
        assert look(service, Watch({1: deletions(1, fresh)}, min_count=2)) == [None], "one dossier in both lists"

    def test_one_that_was_restored_and_hidden_again_is_news(self):
        service = Lists()
        service.holds(1, row(7, 10 * DAY), stream=PENDING)
        known = self.known(service, 10 * DAY)
        service.rows[1, PENDING.connection] = [row(7, 12 * DAY)]
        (finding,) = look(service, Watch({1: deletions(1, known)}))
        assert numbers(finding, 1, "pending_deleted_dossiers") == [7]

    def test_however_many_are_known_all_that_the_memory_reaches_are_looked_at(self):
        service = Lists()
        service.holds(1, *(row(n, 80 * DAY + n) for n in range(1, 1500)), stream=DELETED)
        known = self.known(service, 81 * DAY)
        service.holds(1, row(9_999, 30 * DAY), stream=DELETED)
        (finding,) = look(service, Watch({1: deletions(1, known)}))
        assert numbers(finding, 1, "deleted_dossiers") == [9_999]

    def test_one_that_was_hidden_before_the_memory_reaches_and_is_shown_again_is_no_news(self):
        """Hidden by the administration long ago, it is filtered by when its user hid it too."""
        service, now = Lists(), int(at(100 * DAY).timestamp())
        known = {stream.name: SeenRows(now - 60 * DAY) for stream in (PENDING, DELETED)}
        old = {"number": 7, "dateSupression": at(10 * DAY).isoformat()}
        shown = {"pageInfo": {"hasNextPage": False}, "nodes": [old]}
        nothing = {"pageInfo": {"hasNextPage": False}, "nodes": []}
        data = {"g0": {PENDING.connection: shown}, "g1": {DELETED.connection: nothing}}
        service.failure = lambda request: reply({"data": data})
        assert look(service, Watch({1: deletions(1, known)})) == [None]

    def test_a_group_without_any_costs_one_request(self):
        service = Lists()
        look(service, Watch({1: deletions(1, self.known(service, 0))}))
        assert len(service.requests) == 1


class TestBaseline:
    def begin(self, service: Lists, watched: WatchedStream) -> SeenRows:
        drive = Drive(baseline({"it": watched}), service)
        assert drive.error is None, repr(drive.error)
        memory: SeenRows = drive.given[0]["it"]
        return memory

    def test_of_dossiers_only_the_newest_minutes_are_kept_and_read(self):
        service = Lists()
        service.holds(1, *(row(n, n * 60) for n in range(1, 2_000)))
        memory = self.begin(service, WatchedStream.remembered(select_dossiers(1), "updated", SeenRows()))
        assert look(service, beyond(1, memory)) == [None]
        assert len(memory.marks) == 6
        assert len(service.requests) == 2

    def test_a_group_without_dossiers_has_a_beginning_too(self):
        service = Lists()
        memory = self.begin(service, WatchedStream.remembered(select_dossiers(1), "created", SeenRows()))
        service.holds(1, row(5, 5))
        watch = Watch({1: [WatchedStream.remembered(select_dossiers(1), "created", memory)]})
        assert numbers(look(service, watch)[0], 1) == [5]

    def test_of_deletions_all_within_reach_are_known(self):
        service = Lists()
        service.holds(1, *(row(n, n * DAY) for n in range(1, 300)), stream=DELETED)
        since = int(at(100 * DAY).timestamp())
        memory = self.begin(
            service, WatchedStream.remembered(Selection(DELETED_DOSSIERS, 1), "deleted", SeenRows(since))
        )
        assert {number for number, _ in memory.marks} <= set(range(100, 300))
        known = {PENDING_DELETED_DOSSIERS.name: SeenRows(since), DELETED_DOSSIERS.name: memory}
        assert look(service, Watch({1: deletions(1, known)})) == [None]

    def test_a_group_that_is_gone_has_none_and_the_others_have(self):
        service = Lists(fails={1: refused("not_found")})
        service.holds(2, row(5, 5))
        lists = {groupe: WatchedStream.remembered(select_dossiers(groupe), "updated", SeenRows()) for groupe in (1, 2)}
        drive = Drive(baseline(lists), service)
        assert isinstance(drive.given[0][1], DSNotFoundError)
        assert {number for number, _ in drive.given[0][2].marks} == {5}


class TestFinding:
    def finding(self) -> Finding:
        service = Lists()
        service.holds(1, row(5, 5), row(6, 6))
        return Finding.from_json(json.loads(json.dumps(look(service, dossiers(1))[0].to_json())))

    def test_it_comes_through_an_event_as_it_was(self):
        finding = self.finding()
        assert finding.groupes.keys() == {1}
        assert numbers(finding, 1) == [5, 6]

    @pytest.mark.parametrize(
        "change",
        [
            {"groupes": {"x": {}}},
            {"groupes": {"1": {"dossiers": "%"}}},
            {"groupes": None},
            {"more": "no"},
            {"looked_at": None},
            {"looked_at": 10**13},
            {"newest": {"updated": 10**13}},
            {"newest": {"created": -(10**18)}},
            {"newest": {"updated": 10**30}},
            {"groupes": {"1": {"dossiers": pack([(5, 10**13)])}}},
        ],
    )
    def test_what_is_none_is_refused(self, change):
        with pytest.raises(DSConfigurationError):
            Finding.from_json(self.finding().to_json() | change)

    @pytest.mark.parametrize("value", [None, "found", 7, [], {}, object()])
    def test_what_looks_like_none_is_refused_too(self, value):
        with pytest.raises(DSConfigurationError):
            Finding.from_json(value)


def test_the_lists_have_the_names_of_their_streams():
    service = Lists()
    service.holds(1, row(5, 5))
    assert list(look(service, dossiers(1))[0].groupes[1]) == [DOSSIERS.name]
