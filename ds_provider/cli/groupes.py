"""``airflow ds groupes``: the groups of a démarche, and how many dossiers each shows."""

from __future__ import annotations

from argparse import Namespace

from ds_provider.api.polling.count import count_dossiers
from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import parse_number, select_dossiers
from ds_provider.cli.command import command, print_rows, say
from ds_provider.hooks.ds import DSHook
from ds_provider.wording import counted


@command
def groupes(args: Namespace) -> None:
    """List the groups of a démarche, in the order of their numbers."""
    demarche = parse_number(args.demarche, "demarche")
    with DSHook(args.ds_conn_id).client() as client:
        found = sorted(client.result(lookups.get_groupes(demarche)), key=lambda groupe: groupe["number"])
        counts: dict[int, int] = {}
        if found and not args.no_counts:
            counts = client.result(count_dossiers(select_dossiers(groupe["number"]) for groupe in found))
        say(f"{counted(len(found), 'group')}; {counted(client.usage.requests, 'request')} sent")
    names = ("number", "label", "closed")
    rows = [{name: groupe[name] for name in names} for groupe in found]
    if not args.no_counts:
        rows = [row | {"dossiers": counts[row["number"]]} for row in rows]
    print_rows(rows, args.output)
