"""Counts of the dossiers of many groups: the API has no count, so their rows are counted, few fields of each.

The newest rows of forty groups come in one request. Groups that hold more than a few hundred are counted by probes,
some four thousand rows in a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from ds_provider.api.paging.bounds import Position, find_bounds
from ds_provider.api.paging.page_size import may_be_page_size
from ds_provider.api.paging.parallel.plan import Gap, Probe, ProbeResult, RangePlan
from ds_provider.api.paging.parallel.probes import probe_request, read_probe_results
from ds_provider.api.polling.latest import LatestQuery, LatestRows, fetch_latest
from ds_provider.api.query.selection import MAX_PAGE_SIZE, Selection
from ds_provider.api.transport.flows import Flow, SubFlow
from ds_provider.api.transport.retry import send_with_retry
from ds_provider.exceptions import DSError

# a group of a few pages is counted before probes would know how dense it is
MIN_ROUNDS = 3
# many groups fill their requests, so that probing each of them on its own would take more
MIN_GROUPS = 10
MAX_ROUNDS = 30

PROBE_ATTEMPTS = 2


def count_dossiers(selections: Iterable[Selection]) -> Flow[dict[int, int]]:
    """Yield, once, how many dossiers each selection holds at this moment, by group.

    :param selections: of the dossiers of different groups, in any windows.
    :raises DSError: of the first group that cannot be counted.
    """
    chosen = {selection.groupe_instructeur_number: selection for selection in selections}
    counts = dict.fromkeys(chosen, 0)
    by_rows = [selection for selection in chosen.values() if not _ends_within_a_second(selection)]
    left = [LatestQuery(selection, MAX_PAGE_SIZE) for selection in by_rows]
    for done in range(MAX_ROUNDS):
        if not left or (done >= MIN_ROUNDS and len(left) < MIN_GROUPS):
            break
        left = _add_rows(counts, _whole((yield from fetch_latest(left))))
    unfinished = {query.selection.groupe_instructeur_number for query in left}
    for number, selection in chosen.items():
        if number in unfinished or _ends_within_a_second(selection):
            counts[number] = yield from _count_by_probes(selection)
    yield counts


def _ends_within_a_second(selection: Selection) -> bool:
    """Return true if rows, whose dates are cut to the second, do not tell where the window ends."""
    window = selection.window
    return bool(window and window.end and window.end.microsecond)


def _whole(results: Mapping[LatestQuery, LatestRows | DSError]) -> dict[LatestQuery, LatestRows]:
    found: dict[LatestQuery, LatestRows] = {}
    for query, result in results.items():
        if isinstance(result, DSError):
            raise query.selection.add_context(result)
        found[query] = result
    return found


def _add_rows(counts: dict[int, int], results: Mapping[LatestQuery, LatestRows]) -> list[LatestQuery]:
    """Count the rows that came, and return the queries for those before them."""
    for query, latest in results.items():
        counts[query.selection.groupe_instructeur_number] += _rows_in_window(query.selection, latest)
    return [query._replace(before=latest.earlier) for query, latest in results.items() if latest.earlier is not None]


def _rows_in_window(selection: Selection, latest: LatestRows) -> int:
    end = selection.window.end if selection.window else None
    return sum(end is None or row.date(selection.date_column) < end for row in latest.rows)


def _count_by_probes(selection: Selection) -> SubFlow[int]:
    _, bound = yield from find_bounds(selection)
    # one probe at the beginning shows how dense the group is; it spaces those that follow
    plan = RangePlan(Gap(Position(), bound.estimated_end, None, 1.0), bound, {})
    while probes := plan.next_probes():
        try:
            plan.add_results(probes, (yield from _results(selection, probes)))
        except DSError as error:
            if not may_be_page_size(error) or not plan.reduce():
                raise
    return plan.rows


def _results(selection: Selection, probes: Sequence[Probe]) -> SubFlow[list[ProbeResult]]:
    request = probe_request(selection, [probe.position for probe in probes])
    read = partial(read_probe_results, count=len(probes))
    return (yield from send_with_retry(lambda: request, read, attempts=PROBE_ATTEMPTS))
