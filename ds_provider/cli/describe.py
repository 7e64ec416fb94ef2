"""``airflow ds describe``: the champs of a form, and the wide tables and columns that they become."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ds_provider.api.query import lookups
from ds_provider.api.query.parameters import parse_number
from ds_provider.cli.command import Row, command, print_rows, say
from ds_provider.cli.warehouses import connected
from ds_provider.hooks.ds import DSHook
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.warehouse.database.destinations import require_drivers
from ds_provider.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from ds_provider.tables.drift import Change, Drift
    from ds_provider.tables.wide.naming import Column

# what a line of a table has no room for
_DETAILS = ("id", "description", "first_revision", "last_revision", "columns")


@command
def describe(args: Namespace) -> None:
    """List the champs of all revisions, the latest form's first."""
    number = parse_number(args.demarche, "demarche")
    # the names of columns are given by what the tables are made with
    require_drivers("duckdb")
    known = _known_columns(args.warehouse_conn_id, args.dataset, number) if args.warehouse_conn_id else []
    hook = DSHook(args.ds_conn_id)
    with hook.client() as client:
        demarche = client.result(lookups.get_revisions(number))
        read_at = client.clock.now()
    rows = describe_champs(demarche, read_at, known)
    print_rows(list(map(_in_brief, rows)) if args.output in ("table", "plain") else rows, args.output)
    published = sum(revision["datePublication"] is not None for revision in demarche["revisions"])
    drafts = len(demarche["revisions"]) - published
    names = "as the warehouse has them" if args.warehouse_conn_id else "as a new warehouse would name them"
    say(
        f"{counted(published, 'published revision')}, {counted(drafts, 'draft')}; columns {names}: "
        "a champ that is only in a draft has none yet, and a section never"
    )


def _in_brief(row: Row) -> Row:
    """Return a row without what is too long for a line: of a champ's columns that of the answer, and their count."""
    first, *others = row["columns"] or [None]
    columns = f"{first} +{len(others)}" if others else first
    brief = {name: value for name, value in row.items() if name not in _DETAILS}
    span = dict.fromkeys((str(row["first_revision"]), str(row["last_revision"])))
    return brief | {"columns": columns, "revisions": "-".join(span)}


def describe_champs(demarche: Row, read_at: datetime, known: Sequence[Row] = ()) -> list[Row]:
    """Return a row for each champ of any revision.

    :param demarche: the answer of :meth:`~ds_provider.hooks.ds.DSHook.get_revisions`.
    :param known: the rows of ``champ_columns`` of a warehouse.
    """
    from ds_provider.tables.descriptors import describe as describe_form

    tables = describe_form(demarche, read_at)
    revisions = sorted(tables["revisions"].to_pylist(), key=_by_publication)
    places = _places(tables, revisions, known)
    changes = _changes(tables, revisions)
    rows: dict[tuple[str, str], Row] = {}
    for index, revision in reversed([*enumerate(revisions, 1)]):
        form = [row for row in tables["champ_descriptors"].to_pylist() if row["revision_id"] == revision["id"]]
        labels = {row["id"]: row["label"] for row in form}
        for champ in form:
            if not champ["part"]:
                continue  # it stands for an empty form
            relation, columns = places.get((champ["part"], champ["id"]), (None, []))
            row = rows.setdefault(
                (champ["part"], champ["id"]),
                {
                    "part": champ["part"],
                    "block": labels.get(champ["repetition_descriptor_id"]),
                    "label": champ["label"],
                    "type": champ["type"].removesuffix("ChampDescriptor"),
                    "required": champ["required"],
                    "first_revision": index,
                    "last_revision": index,
                    "change": "; ".join(changes.get((champ["part"], champ["id"]), [])) or None,
                    "wide_table": relation,
                    "columns": columns,
                    "id": champ["id"],
                    "description": champ["description"],
                },
            )
            row["first_revision"] = index
    return list(rows.values())


def _by_publication(revision: Row) -> tuple[bool, Any]:
    published = revision["date_publication"]
    return published is None, published or revision["date_creation"]


def _places(
    tables: dict[str, pa.Table], revisions: Sequence[Row], known: Sequence[Row]
) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Return the wide table and the columns of each champ, by part and id."""
    import pyarrow.compute as pc

    from ds_provider.tables.wide.grouping import published_champs
    from ds_provider.tables.wide.naming import ColumnRegistry

    registry = ColumnRegistry(known)
    # the form that is filled in now names its columns first, as with the first load
    for revision in reversed(revisions):
        alone = tables["revisions"].filter(pc.equal(tables["revisions"]["id"], revision["id"]))
        registry.register(published_champs(tables["champ_descriptors"], alone))
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for column in _columns(registry.relations):
        place = found.setdefault((column.part, column.champ_descriptor_id), (column.relation, []))
        place[1].append(column.column_name)
    return found


def _columns(relations: dict[str, list[Column]]) -> Iterator[Column]:
    return (column for columns in relations.values() for column in columns)


def _changes(tables: dict[str, pa.Table], revisions: Sequence[Row]) -> dict[tuple[str, str], list[str]]:
    """Return what the last published revision changed, and what the draft would, by part and id."""
    from ds_provider.tables.drift import detect_drift

    published = [revision["id"] for revision in revisions if revision["date_publication"]]
    found: dict[tuple[str, str], list[str]] = {}
    for drift in detect_drift(tables["champ_descriptors"], tables["revisions"]):
        if drift.published_at is None or drift.revision_after == published[-1]:
            for change in drift.changes:
                found.setdefault((change.part, change.champ_descriptor_id), []).append(_text(change, drift))
    return found


def _text(change: Change, drift: Drift) -> str:
    draft = "" if drift.published_at else "draft: "
    was = f", was {change.before or 'at the root'}" if change.change in ("renamed", "retyped", "moved") else ""
    return f"{draft}{change.change}{was}"


def _known_columns(warehouse_conn_id: str, dataset: str, demarche_number: int) -> list[Row]:
    with connected(DSWarehouseHook(warehouse_conn_id, dataset)) as warehouse:
        from ds_provider.tables.schemas import CHAMP_COLUMNS

        rows: list[Row] = warehouse.read(
            CHAMP_COLUMNS, list(CHAMP_COLUMNS.columns), f"demarche_number = {demarche_number}"
        ).to_pylist()
    return rows
