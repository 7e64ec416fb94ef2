"""``airflow ds extract``: groups into a landing zone, without a DAG."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ds_provider.api.query import parameters
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection, digest
from ds_provider.cli.command import Row, command, logs_on_stderr, print_rows, say
from ds_provider.cli.selections import numbers_of, selections_of
from ds_provider.exceptions import DSError, DSGroupesFailedError, DSQuarantinedError
from ds_provider.hooks.airflow_home import airflow_home
from ds_provider.hooks.ds import DSHook
from ds_provider.landing.storage import open_destination
from ds_provider.operators.extract import parse_concurrency
from ds_provider.state.checkpoints import TaskCheckpoints
from ds_provider.state.local import LocalStateStore
from ds_provider.sync.extract import GroupExtractor, Summary

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


@command
def extract(args: Namespace) -> None:
    """Extract groups as the operators do, and print what landed."""
    numbers = numbers_of(args.groupe, "GROUP")
    concurrency = parse_concurrency(args.concurrency, "concurrency")
    selections = [selections_of(args, numbers)]
    if args.deletions:
        selections.append(list(_deletions(numbers)))
    with logs_on_stderr(logging.INFO), DSHook(args.ds_conn_id).client() as client:
        zone = open_destination(destination_of(args.to))
        checkpoints = _checkpoints(str(zone))
        # Airflow's protocol of a logger is that of the standard library
        extractor = GroupExtractor(client, zone, cast("Any", log), checkpoints, concurrency)
        try:
            _extract_all(extractor, selections, several=len(numbers) > 1)
        except KeyboardInterrupt:
            say("what is read so far stays: the same command resumes it within a day")
            raise
        finally:
            if extractor.landed:
                print_rows([row for summary in extractor.landed for row in _rows(summary)], args.output)
        checkpoints.clear()


def destination_of(to: str) -> str:
    """Return a landing zone's URL, or the whole path of a folder."""
    return to if "://" in to else str(Path(to).absolute())


def _deletions(numbers: Sequence[int]) -> Iterator[Selection]:
    # the pending ones first: a dossier that is purged meanwhile is then in both lists
    for number in numbers:
        yield parameters.select_pending_deleted_dossiers(number)
        yield parameters.select_deleted_dossiers(number)


def _checkpoints(zone: str) -> TaskCheckpoints:
    folder = airflow_home() / f"ds_extract_{os.getuid()}" / digest(zone)[:16]
    return TaskCheckpoints(cast("Context", {"task_state_store": LocalStateStore(folder)}), cast("Any", log))


def _extract_all(extractor: GroupExtractor, selections: Sequence[Sequence[Selection]], *, several: bool) -> None:
    """Extract the dossiers, then the deletions: one group that fails stops neither the others nor these.

    :raises DSError: the first failure, once all was tried; at once what is the same for all groups.
    """
    failure: DSError | None = None
    for chosen in selections:
        try:
            extractor.extract(chosen, several=several)
        except (DSGroupesFailedError, DSQuarantinedError) as error:
            failure = failure or error
    if failure:
        raise failure


def _rows(summary: Summary) -> Iterator[Row]:
    """Yield a row for each extract of a summary."""
    is_of_deletions = "manifest_pending" in summary
    stream = DELETED_DOSSIERS if is_of_deletions else DOSSIERS
    yield _row(summary, stream.name, summary["rows"], summary["manifest"])
    if is_of_deletions:
        pending = PENDING_DELETED_DOSSIERS.name
        yield _row(summary, pending, summary["rows_pending"], summary["manifest_pending"])


def _row(summary: Summary, stream: str, rows: int, manifest: str) -> Row:
    since, until = summary["window"] or (None, None)
    return {
        "number": summary["groupe_instructeur_number"],
        "stream": stream,
        "since": since,
        "until": until,
        "rows": rows,
        "quarantined": summary["quarantined"] if stream == DOSSIERS.name else 0,
        "manifest": manifest,
    }
