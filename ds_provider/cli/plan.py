"""``airflow ds plan``: what an extraction would take."""

from __future__ import annotations

import math
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence

from ds_provider.api.polling.count import count_dossiers
from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import parse_number
from ds_provider.api.query.selection import Selection
from ds_provider.api.transport.client import DSClient
from ds_provider.cli.command import Row, command, print_rows, say
from ds_provider.cli.selections import ensure_one_of, numbers_of, selections_of
from ds_provider.hooks.connection import client_settings
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.lookup import find_connection
from ds_provider.operators.extract import parse_concurrency
from ds_provider.sync.plan import GroupPlan, Sample, plan_groups, read_sample, shared_requests, stored_bytes
from ds_provider.wording import counted


@command
def plan(args: Namespace) -> None:
    """Count each group's dossiers, and estimate the rest after one page."""
    ensure_one_of(groupe=args.groupe, demarche=args.demarche)
    concurrency = parse_concurrency(args.concurrency, "concurrency")
    given = numbers_of(args.groupe, "groupe") if args.groupe else []
    demarche = parse_number(args.demarche, "demarche") if args.demarche else None
    selections_of(args, given or [1])  # a wrong option is found before a request is sent
    hook = DSHook(args.ds_conn_id)
    with hook.client() as client:
        labels: dict[int, str | None] = _labels(client, demarche) if demarche else dict.fromkeys(given)
        selections = selections_of(args, labels)
        counts = client.result(count_dossiers(selections))
        largest = max(selections, key=lambda one: counts[one.groupe_instructeur_number])
        sample = _sample(client, largest)
    plans = plan_groups(selections, counts, concurrency)
    limit = client_settings(find_connection(hook, args.ds_conn_id))["budget"].requests_per_minute
    print_rows(_rows(plans, labels, sample, limit, shared_requests(selections)), args.output)
    say(
        f"dossiers are counted; all else is estimated, by {counted(sample.rows, 'dossier')} of group "
        f"{sample.groupe_instructeur_number} that took {sample.seconds:.1f} s: minutes if one task reads one group "
        f"after another, minutes_by_budget if as many do as {limit} requests a minute allow, bytes as they land; "
        f"{counted(client.usage.requests, 'request')} sent for this plan"
    )


def _labels(client: DSClient, demarche: int) -> dict[int, str | None]:
    found = client.result(lookups.get_groupes(demarche))
    return {groupe["number"]: groupe["label"] for groupe in sorted(found, key=lambda groupe: groupe["number"])}


def _sample(client: DSClient, selection: Selection) -> Sample:
    began = time.monotonic()
    rows = client.result(read_sample(selection))
    seconds = time.monotonic() - began
    return Sample(selection.groupe_instructeur_number, len(rows), stored_bytes(rows), seconds)


def _rows(
    plans: Sequence[GroupPlan], labels: Mapping[int, str | None], sample: Sample, limit: int, shared: int
) -> list[Row]:
    """Return a row for each group, and one for all of them.

    :param limit: requests a minute.
    :param shared: requests that are sent for all groups together.
    """
    per_dossier = sample.stored / sample.rows if sample.rows else 0.0

    def row(number: int | None, label: str | None, plans: Sequence[GroupPlan], shared: int = 0) -> Row:
        dossiers, requests = sum(one.dossiers for one in plans), shared + sum(one.requests for one in plans)
        waits = sum(one.rounds for one in plans) * sample.seconds / 60
        return {
            "number": number,
            "label": label,
            "dossiers": dossiers,
            "requests": requests,
            "minutes": _tenths(max(waits, requests / limit)),
            "minutes_by_budget": _tenths(requests / limit),
            "bytes": round(dossiers * per_dossier),
        }

    groups = [(one.groupe_instructeur_number, one) for one in plans]
    return [*(row(number, labels[number], [one]) for number, one in groups), row(None, "total", plans, shared)]


def _tenths(minutes: float) -> float:
    """Return minutes with one decimal, rounded up: nothing takes no time."""
    return math.ceil(minutes * 10) / 10
