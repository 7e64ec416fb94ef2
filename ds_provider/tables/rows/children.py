"""What a dossier has several of: its history, messages, avis, people and labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

from ds_provider.tables.json.nodes import Avis, Dossier, Label, Message, Node, Profile, Traitement
from ds_provider.tables.json.values import Columns, fields_of, get
from ds_provider.tables.schemas import AVIS_ROWS, INSTRUCTEURS, LABELS, MESSAGE_ROWS, TRAITEMENTS, Table


class Children(NamedTuple):
    """The nodes of one part of some dossiers, and where each stands, as lists of one length."""

    nodes: list[Any]
    dossier_number: list[int]
    position: list[int]

    @classmethod
    def of(cls, dossiers: Sequence[Dossier], part: str) -> Children:
        """:param part: the field of a dossier that lists them."""
        lists = [getattr(dossier, part) or () for dossier in dossiers]
        lengths = [*map(len, lists)]
        numbers = map(repeat, get(dossiers, "number"), lengths)
        flatten = chain.from_iterable
        return cls([*flatten(lists)], [*flatten(numbers)], [*flatten(map(range, lengths))])

    def columns(self, table: Table, kind: type[Node], **columns: Sequence[Any]) -> Columns:
        """:param kind: of the nodes; its fields fill the columns of their name.
        :param columns: all others.
        """
        own = {"dossier_number": self.dossier_number, "position": self.position}
        places = {name: values for name, values in own.items() if name in table.columns}
        return {**places, **fields_of(table, kind, self.nodes), **columns}


def traitements(dossiers: Sequence[Dossier]) -> Columns:
    """What was decided, in its order."""
    found = Children.of(dossiers, "traitements")
    return found.columns(TRAITEMENTS, Traitement, revision_id=get(get(found.nodes, "revision"), "id"))


def messages(dossiers: Sequence[Dossier]) -> Columns:
    """What was written to the usager and by them, in its order."""
    found = Children.of(dossiers, "messages")
    corrections = get(found.nodes, "correction")
    reasons, dates = get(corrections, "reason"), get(corrections, "date_resolution")
    return found.columns(MESSAGE_ROWS, Message, correction_reason=reasons, correction_date_resolution=dates)


def avis(dossiers: Sequence[Dossier]) -> Columns:
    """What experts were asked, and answered."""
    found = Children.of(dossiers, "avis")
    claimants, experts = (get(get(found.nodes, role), "email") for role in ("claimant", "expert"))
    return found.columns(AVIS_ROWS, Avis, claimant_email=claimants, expert_email=experts)


def instructeurs(dossiers: Sequence[Dossier]) -> Columns:
    """Who follows the dossiers."""
    return Children.of(dossiers, "instructeurs").columns(INSTRUCTEURS, Profile)


def labels(dossiers: Sequence[Dossier]) -> Columns:
    """What the dossiers are marked with."""
    return Children.of(dossiers, "labels").columns(LABELS, Label)
