"""A watch finds all new rows and no others, polled alone or with other watches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.polling.seen import SeenRows, pack, row_version
from ds_provider.api.polling.watch import (
    LOOKBACK_SECONDS,
    MAX_NUMBERS,
    Finding,
    Watch,
    WatchedStream,
    add_seen,
    baseline,
    deletion_streams,
    most_severe,
    poll,
)
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSConfigurationError, DSError, DSNotFoundError, DSServerError, DSUnauthorizedError
from tests.support.batched_groups import at as instant
from tests.support.batched_groups import refused
from tests.support.flows import Drive, response
from tests.support.stream_service import DELETED, PENDING, StreamService, at, row

DAY = 86_400


def run_poll(service: StreamService, *watches: Watch) -> list[Any]:
    drive = Drive(poll(dict(enumerate(watches))), service)
    assert drive.error is None, repr(drive.error)
    (outcomes,) = drive.results
    return [outcomes[i].outcome for i in range(len(watches))]


def dossiers(*groupes: int, min_count: int = 1, since: float | None = None, **more: Any) -> Watch:
    window = None if since is None else Window("updated", start=instant(since))
    return Watch(
        {groupe: [WatchedStream(select_dossiers(groupe, window=window, **more))] for groupe in groupes}, min_count
    )


def beyond(groupe: int, seen: SeenRows, min_count: int = 1) -> Watch:
    return Watch({groupe: [WatchedStream.unseen(select_dossiers(groupe), "updated", seen)]}, min_count)


def numbers(finding: Finding, groupe: int, stream: str = "dossiers") -> list[int]:
    return [number for number, _ in finding.versions(groupe, stream)]


def test_poll_finds_rows_only_once_they_are_there():
    service = StreamService()
    watch = dossiers(1, since=100)
    assert run_poll(service, watch) == [None]
    service.holds(1, row(5, 99), row(6, 100), row(7, 250))
    (finding,) = run_poll(service, watch)
    assert numbers(finding, 1) == [6, 7]
    assert finding.newest["updated"] == int(at(250).timestamp())
    assert not finding.more
    assert len(service.requests) == 2


@pytest.mark.parametrize(("held", "is_enough"), [(0, False), (2, False), (3, True), (4, True)])
def test_poll_finds_nothing_below_min_count(held, is_enough):
    service = StreamService()
    service.holds(1, *(row(n, n) for n in range(1, held + 1)))
    (outcome,) = run_poll(service, dossiers(1, min_count=3))
    assert (outcome is not None) is is_enough


def test_the_finding_holds_only_the_groups_that_have_enough():
    service = StreamService()
    service.holds(1, row(10, 1))
    service.holds(2, row(20, 1), row(21, 2))
    (finding,) = run_poll(service, dossiers(1, 2, 3, min_count=2))
    assert list(finding.groups) == [2]


def test_poll_counts_beyond_one_page():
    service = StreamService()
    service.holds(1, *(row(n, n) for n in range(1, 251)))
    (finding,) = run_poll(service, dossiers(1, min_count=240))
    assert numbers(finding, 1) == list(range(1, 251))
    assert len(service.requests) == 3


def test_a_large_finding_holds_the_newest_rows_and_says_that_there_are_more():
    service = StreamService()
    service.holds(1, *(row(n, n) for n in range(1, 2_001)))
    (finding,) = run_poll(service, dossiers(1))
    found = numbers(finding, 1)
    assert len(found) >= MAX_NUMBERS
    assert found == list(range(2_001 - len(found), 2_001))
    assert finding.more
    assert len(service.requests) <= 11


def test_two_hundred_watches_take_two_requests():
    service = StreamService()
    for groupe in range(1, 201, 2):
        service.holds(groupe, row(groupe, 200))
    outcomes = run_poll(service, *(dossiers(groupe, since=100) for groupe in range(1, 201)))
    assert len(service.requests) == 2
    for groupe, outcome in enumerate(outcomes, 1):
        assert (outcome is not None) is (groupe % 2 == 1)
        if outcome is not None:
            assert numbers(outcome, groupe) == [groupe]


def test_equal_watches_share_one_query():
    service = StreamService()
    run_poll(service, *(dossiers(1, since=100) for _ in range(150)))
    (request,) = service.requests
    assert "g1:" not in request.query


class TestErrors:
    def test_a_group_that_is_not_found_is_the_outcome_even_if_another_has_enough(self):
        service = StreamService(fails={2: refused("not_found")})
        service.holds(1, row(5, 5))
        not_found, well = run_poll(service, dossiers(1, 2), dossiers(1))
        assert isinstance(not_found, DSNotFoundError)
        assert numbers(well, 1) == [5], "another watch has its finding"

    def test_the_result_holds_the_finding_and_the_errors(self):
        service = StreamService(fails={2: refused("not_found"), 3: response(status=500, body=b"{}")})
        service.holds(1, row(5, 5))
        drive = Drive(poll({"it": dossiers(1, 2, 3, 4)}), service)
        seen = drive.results[0]["it"]
        assert numbers(seen.finding, 1) == [5]
        assert list(seen.finding.groups) == [1]
        assert {groupe: type(error) for groupe, error in seen.errors.items()} == {2: DSNotFoundError, 3: DSServerError}

    def test_most_severe_is_the_first_error_that_lasts(self):
        passing, lasting, later = DSServerError("a"), DSNotFoundError("b"), DSUnauthorizedError("c")
        assert most_severe([passing, lasting, later]) is lasting
        assert most_severe([passing, DSServerError("d")]) is passing
        assert most_severe([]) is None

    def test_a_transient_error_is_the_outcome_only_without_a_finding(self):
        service = StreamService(fails={2: response(status=500, body=b"{}")})
        assert isinstance(run_poll(service, dossiers(1, 2))[0], DSServerError)
        service.holds(1, row(5, 5))
        assert isinstance(run_poll(service, dossiers(1, 2))[0], Finding)

    def test_a_group_with_one_failed_stream_is_not_found(self):
        service = StreamService()
        service.holds(1, row(5, 5), stream=PENDING)
        none = {one.name: SeenRows() for one in (PENDING, DELETED)}
        poison = refused("internal_server_error")
        service.failure = lambda request: poison if "deletedDossiers(" in request.query else None
        (outcome,) = run_poll(service, Watch({1: deletion_streams(1, none)}))
        assert isinstance(outcome, DSError)


class TestMemory:
    def test_seen_rows_are_not_new_until_they_change(self):
        service = StreamService()
        service.holds(1, row(5, 500), row(6, 600))
        seen = add_seen(SeenRows(), select_dossiers(1), versions_in(service, 1), 0)
        assert run_poll(service, beyond(1, seen)) == [None]
        service.rows[1, "dossiers"] = [row(5, 700), row(6, 600)]
        (finding,) = run_poll(service, beyond(1, seen))
        assert numbers(finding, 1) == [5]

    def test_a_row_that_appears_within_the_lookback_is_new(self):
        service = StreamService()
        service.holds(1, row(5, 500))
        seen = add_seen(SeenRows(), select_dossiers(1), versions_in(service, 1), 0)
        service.holds(1, row(6, 500 - LOOKBACK_SECONDS + 1))
        (finding,) = run_poll(service, beyond(1, seen))
        assert numbers(finding, 1) == [6]

    def test_min_count_counts_only_new_rows(self):
        service = StreamService()
        service.holds(1, *(row(n, 500 + n) for n in range(1, 150)))
        seen = add_seen(SeenRows(), select_dossiers(1), versions_in(service, 1), 0)
        service.holds(1, row(500, 700))
        assert run_poll(service, beyond(1, seen, min_count=2)) == [None]
        service.holds(1, row(501, 701))
        (finding,) = run_poll(service, beyond(1, seen, min_count=2))
        assert numbers(finding, 1) == [500, 501]

    @given(st.lists(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2 * LOOKBACK_SECONDS)), max_size=6)))
    def test_each_change_is_found_exactly_once(self, rounds):
        """Dossiers change one after another, several of them between two polls."""
        service, seen, now = StreamService(), SeenRows(), 0.0
        found: list[tuple[int, int]] = []
        happened: list[tuple[int, int]] = []
        current: dict[int, float] = {}
        for changes in rounds:
            for number, after in changes:
                now += after
                if current.get(number) != now:
                    current[number] = now
            happened += [row_version(number, at(date)) for number, date in current.items()]
            service.rows[1, "dossiers"] = [row(number, date) for number, date in current.items()]
            (outcome,) = run_poll(service, beyond(1, seen))
            new = outcome.versions(1, "dossiers") if outcome else []
            seen = add_seen(seen, select_dossiers(1), new, 0)
            found += new
        assert sorted(found) == sorted(set(happened))


def versions_in(service: StreamService, groupe: int, connection: str = "dossiers") -> list[tuple[int, int]]:
    return [row_version(one.number, one.date) for one in service.rows.get((groupe, connection), [])]


class TestDeletions:
    def known(self, service: StreamService, now: float) -> dict[str, SeenRows]:
        return {
            stream.name: add_seen(
                SeenRows(),
                Selection(stream, 1),
                versions_in(service, 1, stream.connection),
                int(at(now).timestamp()),
            )
            for stream in (PENDING, DELETED)
        }

    def test_a_deletion_that_is_dated_back_by_weeks_is_new(self):
        service = StreamService()
        service.holds(1, *(row(n, n * DAY) for n in range(40, 90)), stream=DELETED)
        known = self.known(service, 90 * DAY)
        assert run_poll(service, Watch({1: deletion_streams(1, known)})) == [None]
        service.holds(1, row(500, 60 * DAY), stream=DELETED)
        (finding,) = run_poll(service, Watch({1: deletion_streams(1, known)}))
        assert numbers(finding, 1, "deleted_dossiers") == [500]
        assert numbers(finding, 1, "pending_deleted_dossiers") == []

    def test_a_deletion_that_becomes_definitive_is_new_and_counts_once(self):
        service = StreamService()
        service.holds(1, row(7, 10 * DAY), stream=PENDING)
        known = self.known(service, 10 * DAY)
        service.holds(1, row(7, 10 * DAY), stream=DELETED)
        (finding,) = run_poll(service, Watch({1: deletion_streams(1, known)}, min_count=1))
        assert numbers(finding, 1, "deleted_dossiers") == [7]
        unseen = {one.name: SeenRows() for one in (PENDING, DELETED)}
        assert run_poll(service, Watch({1: deletion_streams(1, unseen)}, min_count=2)) == [None], (
            "one dossier in both lists"
        )

    def test_a_dossier_that_was_restored_and_hidden_again_is_new(self):
        service = StreamService()
        service.holds(1, row(7, 10 * DAY), stream=PENDING)
        known = self.known(service, 10 * DAY)
        service.rows[1, PENDING.connection] = [row(7, 12 * DAY)]
        (finding,) = run_poll(service, Watch({1: deletion_streams(1, known)}))
        assert numbers(finding, 1, "pending_deleted_dossiers") == [7]

    def test_all_deletions_since_the_seen_rows_begin_are_read(self):
        service = StreamService()
        service.holds(1, *(row(n, 80 * DAY + n) for n in range(1, 1500)), stream=DELETED)
        known = self.known(service, 81 * DAY)
        service.holds(1, row(9_999, 30 * DAY), stream=DELETED)
        (finding,) = run_poll(service, Watch({1: deletion_streams(1, known)}))
        assert numbers(finding, 1, "deleted_dossiers") == [9_999]

    def test_a_deletion_from_before_the_seen_rows_is_not_new(self):
        """Hidden by the administration long ago, it is filtered by when its user hid it too."""
        service, now = StreamService(), int(at(100 * DAY).timestamp())
        known = {stream.name: SeenRows(now - 60 * DAY) for stream in (PENDING, DELETED)}
        old = {"number": 7, "dateSupression": at(10 * DAY).isoformat()}
        shown = {"pageInfo": {"hasNextPage": False}, "nodes": [old]}
        nothing = {"pageInfo": {"hasNextPage": False}, "nodes": []}
        data = {"g0": {PENDING.connection: shown}, "g1": {DELETED.connection: nothing}}
        service.failure = lambda request: response({"data": data})
        assert run_poll(service, Watch({1: deletion_streams(1, known)})) == [None]

    def test_a_group_without_deletions_costs_one_request(self):
        service = StreamService()
        run_poll(service, Watch({1: deletion_streams(1, self.known(service, 0))}))
        assert len(service.requests) == 1


class TestBaseline:
    def begin(self, service: StreamService, watched: WatchedStream) -> SeenRows:
        drive = Drive(baseline({"it": watched}), service)
        assert drive.error is None, repr(drive.error)
        seen: SeenRows = drive.results[0]["it"]
        return seen

    def test_the_baseline_of_dossiers_holds_only_the_newest_minutes(self):
        service = StreamService()
        service.holds(1, *(row(n, n * 60) for n in range(1, 2_000)))
        seen = self.begin(service, WatchedStream.unseen(select_dossiers(1), "updated", SeenRows()))
        assert run_poll(service, beyond(1, seen)) == [None]
        assert len(seen.versions) == 6
        assert len(service.requests) == 2

    def test_a_group_without_dossiers_has_a_baseline(self):
        service = StreamService()
        seen = self.begin(service, WatchedStream.unseen(select_dossiers(1), "created", SeenRows()))
        service.holds(1, row(5, 5))
        watch = Watch({1: [WatchedStream.unseen(select_dossiers(1), "created", seen)]})
        assert numbers(run_poll(service, watch)[0], 1) == [5]

    def test_the_baseline_of_deletions_holds_all_within_reach(self):
        service = StreamService()
        service.holds(1, *(row(n, n * DAY) for n in range(1, 300)), stream=DELETED)
        since = int(at(100 * DAY).timestamp())
        seen = self.begin(service, WatchedStream.unseen(Selection(DELETED_DOSSIERS, 1), "deleted", SeenRows(since)))
        assert {number for number, _ in seen.versions} <= set(range(100, 300))
        known = {PENDING_DELETED_DOSSIERS.name: SeenRows(since), DELETED_DOSSIERS.name: seen}
        assert run_poll(service, Watch({1: deletion_streams(1, known)})) == [None]

    def test_a_group_that_is_not_found_gets_its_error_and_the_others_a_baseline(self):
        service = StreamService(fails={1: refused("not_found")})
        service.holds(2, row(5, 5))
        streams = {groupe: WatchedStream.unseen(select_dossiers(groupe), "updated", SeenRows()) for groupe in (1, 2)}
        drive = Drive(baseline(streams), service)
        assert isinstance(drive.results[0][1], DSNotFoundError)
        assert {number for number, _ in drive.results[0][2].versions} == {5}


class TestFinding:
    def finding(self) -> Finding:
        service = StreamService()
        service.holds(1, row(5, 5), row(6, 6))
        return Finding.from_json(json.loads(json.dumps(run_poll(service, dossiers(1))[0].to_json())))

    def test_a_finding_survives_json(self):
        finding = self.finding()
        assert finding.groups.keys() == {1}
        assert numbers(finding, 1) == [5, 6]

    @pytest.mark.parametrize(
        "change",
        [
            {"groups": {"x": {}}},
            {"groups": {"1": {"dossiers": "%"}}},
            {"groups": None},
            {"more": "no"},
            {"polled_at": None},
            {"polled_at": 10**13},
            {"newest": {"updated": 10**13}},
            {"newest": {"created": -(10**18)}},
            {"newest": {"updated": 10**30}},
            {"groups": {"1": {"dossiers": pack([(5, 10**13)])}}},
        ],
    )
    def test_a_damaged_finding_is_refused(self, change):
        with pytest.raises(DSConfigurationError):
            Finding.from_json(self.finding().to_json() | change)

    @pytest.mark.parametrize("value", [None, "found", 7, [], {}, object()])
    def test_other_values_are_refused(self, value):
        with pytest.raises(DSConfigurationError):
            Finding.from_json(value)


def test_a_finding_names_its_streams():
    service = StreamService()
    service.holds(1, row(5, 5))
    assert list(run_poll(service, dossiers(1))[0].groups[1]) == [DOSSIERS.name]
