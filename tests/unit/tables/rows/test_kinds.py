"""Kinds: each type of champ and each descriptor that the API has is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ds_provider.tables.rows.champs import VALUES
from ds_provider.tables.rows.kinds import KINDS, REPETITION, WITHOUT_VALUE, champ_type, has_value
from ds_provider.tables.schemas import CHAMP_ROWS

SCHEMA = (Path(__file__).parents[4] / "ds_provider" / "sandbox" / "graphql" / "schema.graphql").read_text(
    encoding="utf-8"
)
CHAMPS = set(re.findall(r"^type (\w+) implements Champ\b", SCHEMA, re.MULTILINE))
DESCRIPTORS = set(re.findall(r"^type (\w+) implements ChampDescriptor\b", SCHEMA, re.MULTILINE))


def test_every_type_of_champ_has_its_kind_or_no_value():
    assert set(KINDS) | WITHOUT_VALUE | {REPETITION} == CHAMPS


def test_kind_has_its_column_among_the_champs():
    assert {f"{kind}_value" for kind in KINDS.values()} <= set(CHAMP_ROWS.columns)


@pytest.mark.parametrize(
    ("typename", "kind"),
    [("IntegerNumberChamp", "integer"), ("DossierLinkChamp", "integer"), ("TitreIdentiteChamp", "boolean")],
)
def test_type_with_two_typed_columns_has_the_kind_of_the_first(typename, kind):
    assert len(VALUES[typename]) == 2
    assert KINDS[typename] == kind


def test_type_of_the_future_has_a_value():
    assert "QuotientFamilialChamp" not in KINDS
    assert has_value("QuotientFamilialChamp")


@pytest.mark.parametrize("descriptor", sorted(DESCRIPTORS))
def test_every_descriptor_gives_champs_of_a_type_that_the_api_has(descriptor):
    assert champ_type(descriptor) in CHAMPS


@pytest.mark.parametrize(
    ("descriptor", "type"),
    [
        ("DateChampDescriptor", "DateChamp"),
        ("RepetitionChampDescriptor", "RepetitionChamp"),
        ("HeaderSectionChampDescriptor", "HeaderSectionChamp"),
        ("EmailChampDescriptor", "TextChamp"),
        ("TextareaChampDescriptor", "TextChamp"),
        ("NumberChampDescriptor", "IntegerNumberChamp"),
        ("OfTheFutureChampDescriptor", "TextChamp"),
    ],
)
def test_descriptor_gives_the_type_of_its_champs(descriptor, type):
    assert champ_type(descriptor) == type
