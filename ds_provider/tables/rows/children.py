"""Rows of a dossier's lists: its history, messages, avis, instructeurs and labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

from ds_provider.tables.json.nodes import Avis, Dossier, Label, Message, Node, Profile, Traitement
from ds_provider.tables.json.values import Columns, fields_of, get
from ds_provider.tables.schemas import AVIS_ROWS, INSTRUCTEURS, LABELS, MESSAGE_ROWS, TRAITEMENTS, Table


class Children(NamedTuple):
    """Nodes of one list of some dossiers, each with its dossier and its position, as lists of one length."""

    nodes: list[Any]
    dossier_number: list[int]
    position: list[int]

    @classmethod
    def of(cls, dossiers: Sequence[Dossier], part: str) -> Children:
        """Collect the nodes of some dossiers.

        :param part: the field of a dossier that lists them.
        """
        lists = [getattr(dossier, part) or () for dossier in dossiers]
        lengths = [*map(len, lists)]
        numbers = map(repeat, get(dossiers, "number"), lengths)
        concat = chain.from_iterable
        return cls([*concat(lists)], [*concat(numbers)], [*concat(map(range, lengths))])

    def columns(self, table: Table, kind: type[Node], **columns: Sequence[Any]) -> Columns:
        """Return the columns of a table with a row for each node.

        :param kind: of the nodes; its fields fill the columns of their name.
        :param columns: all others.
        """
        own = {"dossier_number": self.dossier_number, "position": self.position}
        places = {name: values for name, values in own.items() if name in table.columns}
        return {**places, **fields_of(table, kind, self.nodes), **columns}


def traitement_columns(dossiers: Sequence[Dossier]) -> Columns:
    """Return the columns of ``traitements``, in the order of a dossier's history."""
    found = Children.of(dossiers, "traitements")
    return found.columns(TRAITEMENTS, Traitement, revision_id=get(get(found.nodes, "revision"), "id"))


def message_columns(dossiers: Sequence[Dossier]) -> Columns:
    """Return the columns of ``messages``, in the order in which they were sent."""
    found = Children.of(dossiers, "messages")
    corrections = get(found.nodes, "correction")
    reasons, dates = get(corrections, "reason"), get(corrections, "date_resolution")
    return found.columns(MESSAGE_ROWS, Message, correction_reason=reasons, correction_date_resolution=dates)


def avis_columns(dossiers: Sequence[Dossier]) -> Columns:
    """Return the columns of ``avis``: questions to experts, and their answers."""
    found = Children.of(dossiers, "avis")
    claimants, experts = (get(get(found.nodes, role), "email") for role in ("claimant", "expert"))
    return found.columns(AVIS_ROWS, Avis, claimant_email=claimants, expert_email=experts)


def instructeur_columns(dossiers: Sequence[Dossier]) -> Columns:
    """Return the columns of ``instructeurs``: the instructeurs who follow a dossier."""
    return Children.of(dossiers, "instructeurs").columns(INSTRUCTEURS, Profile)


def label_columns(dossiers: Sequence[Dossier]) -> Columns:
    """Return the columns of ``labels``."""
    return Children.of(dossiers, "labels").columns(LABELS, Label)
