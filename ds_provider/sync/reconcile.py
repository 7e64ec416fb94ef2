"""Reconciliation: what the service shows, compared with what the warehouse holds, and the differences repaired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from ds_provider.api.paging.scan import scan
from ds_provider.api.query.parameters import select_deleted_dossiers, select_numbers, select_pending_deleted_dossiers
from ds_provider.exceptions import DSError, DSGroupesFailedError
from ds_provider.sync.extract import GroupExtractor, Summary
from ds_provider.sync.manifests import manifests_in
from ds_provider.tables.instants import to_microseconds
from ds_provider.warehouse.differences import DossierState, compare, held_dossiers
from ds_provider.warehouse.extracts import LandedExtracts, open_extracts
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.reconciliations import record_reconciliation
from ds_provider.warehouse.tombstones import VANISHED, Tombstone
from ds_provider.wording import counted

if TYPE_CHECKING:
    from ds_provider.api.query.selection import Includes, Selection
    from ds_provider.api.transport.client import DSClient
    from ds_provider.warehouse.database.store import Warehouse
    from ds_provider.warehouse.load.report import LoadReport, Policy


_DIFFERENCES = ("missing", "moved", "stale", "restored", "hidden", "vanished")


class Reconciled(NamedTuple):
    """Result of a reconciliation.

    :param counts: of groups, requests and dossiers.
    :param extracts: what was loaded.
    :param failure: the first error of single groups or dossiers; all others are repaired.
    """

    counts: dict[str, int]
    extracts: LandedExtracts
    report: LoadReport
    failure: DSError | None

    def summary_line(self) -> str:
        """Return the counts in one line, for the log."""
        groups, shown = counted(self.counts["groupes"], "group"), counted(self.counts["shown"], "dossier")
        scanned = f"{groups} scanned, {shown} shown"
        differing = {kind: count for kind in _DIFFERENCES if (count := self.counts[kind])}
        if not differing:
            return f"{scanned}; the tables hold the same"
        kinds = ", ".join(f"{count} {kind}" for kind, count in differing.items())
        differences = f"{counted(sum(differing.values()), 'difference')} ({kinds})"
        return f"{scanned}; {differences}, {self.counts['read']} read again; {self.report.summary_line()}"


def reconcile(
    extractor: GroupExtractor, warehouse: Warehouse, groups: Sequence[int], includes: Includes, policy: Policy
) -> Reconciled:
    """Compare groups with the warehouse, and repair all differences.

    :param groups: the numbers of the groups.
    :param includes: the parts of the dossiers that are read again.
    :raises DSError: if a group cannot be scanned: nothing is repaired or flagged then.
    """
    clock = extractor.client.clock
    began = clock.read()
    held = held_dossiers(warehouse)
    shown = _scan(extractor.client, groups)
    requests = extractor.client.usage.requests
    scanned_at = clock.at(began)
    differences = compare(shown, held, frozenset(groups))

    # a dossier may have moved before it was hidden: it may be in the list of any group. The pending ones come first,
    # since a dossier that is purged meanwhile is then in both
    lists = (select_pending_deleted_dossiers, select_deleted_dossiers) if differences.absent else ()
    deletions, failure = _extract(extractor, [select(group) for group in groups for select in lists])
    extracts = open_extracts(manifests_in(deletions))
    hidden = differences.absent & extracts.deleted_numbers()
    # if a list could not be read, nothing says that a dossier is in none of them
    lost = set[int]() if failure else differences.absent - hidden
    numbers: dict[int, list[int]] = {}
    for number in (*differences.to_read, *lost):
        numbers.setdefault((shown.get(number) or held[number]).group, []).append(number)
    by_number = [select_numbers(*each, includes) for each in numbers.items()]
    dossiers, other_failure = _extract(extractor, by_number)
    extracts.dossiers = open_extracts(manifests_in(dossiers)).dossiers

    # what is loaded meanwhile was read later than that, and is there
    vanished = [_vanished(number, held[number], scanned_at) for number in sorted(lost & extractor.not_found)]
    report = load(warehouse, extracts, policy, vanished=vanished)
    counts = {
        "groupes": len(groups),
        "shown": len(shown),
        "requests": requests,
        "missing": len(differences.missing),
        "moved": len(differences.moved) + len(lost - extractor.not_found - extractor.unreadable),
        "stale": len(differences.stale),
        "restored": len(differences.restored),
        "hidden": len(hidden),
        "vanished": len(vanished),
        "read": sum(summary["rows"] for summary in dossiers),
    }
    if not (failure or other_failure):
        record_reconciliation(warehouse, groups, scanned_at)
    return Reconciled(counts, extracts, report, failure or other_failure)


def _scan(client: DSClient, groups: Sequence[int]) -> dict[int, DossierState]:
    """Return all dossiers that the groups show. One that moves meanwhile is in the group that showed it last."""
    shown: dict[int, DossierState] = {}
    for group in groups:
        for heads in client.iterate(scan(group)):
            for head in heads:
                state = DossierState(group, head.state, head.date_derniere_modification)
                known = shown.get(head.number)
                if known is None or known.modified <= state.modified:
                    shown[head.number] = state
    return shown


def _extract(
    extractor: GroupExtractor, selections: Sequence[Selection]
) -> tuple[Sequence[Summary], DSGroupesFailedError | None]:
    """Extract groups, and return also the failure of some: what can be repaired is repaired all the same."""
    try:
        summaries = extractor.extract(selections)
    except DSGroupesFailedError as error:
        return error.landed, error
    # a later try reads anew what is a fact of this moment only
    extractor.checkpoints.clear()
    return summaries, None


def _vanished(number: int, held: DossierState, found: datetime) -> Tombstone:
    return Tombstone(number, held.group, held.state, None, None, VANISHED, to_microseconds(found))
