"""Each type that the API has is known: its champs' kind, and what a form's descriptor makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ds_provider.tables.kinds import KINDS, REPETITION, WITHOUT_VALUE, champ_type, has_value, kind_of
from ds_provider.tables.schemas import CHAMP_ROWS

SCHEMA = (Path(__file__).parents[3] / "ds_provider" / "sandbox" / "graphql" / "schema.graphql").read_text(
    encoding="utf-8"
)
CHAMPS = set(re.findall(r"^type (\w+) implements Champ ", SCHEMA, re.MULTILINE))
DESCRIPTORS = set(re.findall(r"^type (\w+) implements ChampDescriptor ", SCHEMA, re.MULTILINE))


def test_every_type_of_champ_has_its_kind_or_no_value():
    assert set(KINDS) | WITHOUT_VALUE | {REPETITION} == CHAMPS


def test_a_kind_has_its_column_among_the_champs():
    assert {f"{kind}_value" for kind in KINDS.values()} <= set(CHAMP_ROWS.columns)


def test_a_type_of_the_future_is_text():
    assert kind_of("QuotientFamilialChamp") == "text"
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
def test_a_descriptor_tells_the_type_of_its_champs(descriptor, type):
    assert champ_type(descriptor) == type
