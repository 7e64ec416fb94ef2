"""Identifiers made of labels: readable, and taken by SQL and dlt as they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.wide.identifiers import FIXED, RESERVED, free_name, slug, suffixed

MAX_LENGTH = 50

LABELS = {
    "Objet de la demande": "objet_de_la_demande",
    "Nombre d\u2019enfants à charge (< 18 ans)": "nombre_d_enfants_a_charge_18_ans",
    "Œuvre, cœur et Ångström": "oeuvre_coeur_et_angstrom",
    "SIRET": "siret",
    "dateDeNaissance": "datedenaissance",
    "  __ a -- b __ ": "a_b",
    "Montant en €": "montant_en_euros",
    "1. Le demandeur": "champ_1_le_demandeur",
    "Table": "champ_table",
    "User": "champ_user",
    "Dossier number": "champ_dossier_number",
    "row_id": "champ_row_id",
    "": "champ",
    "🚜 …": "champ",
    "Москва": "champ",
    "x" * 80: "x" * 50,
    f"{'x' * 49} y": "x" * 49,
    "①②": "champ_12",
}


@pytest.mark.parametrize(("label", "name"), LABELS.items())
def test_name_is_the_label_in_plain_letters(label, name):
    assert slug(label, "champ", MAX_LENGTH) == name


@given(st.text())
def test_name_needs_no_quotes_whatever_the_label(label):
    name = slug(label, "champ", MAX_LENGTH)
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
    assert len(name) <= MAX_LENGTH
    assert name not in RESERVED | FIXED


@given(st.text() | st.from_regex(r"[A-Za-z0-9_ ]{0,70}"), st.integers(2, 10**6))
def test_dlt_keeps_a_name_as_given(label, number):
    naming = pytest.importorskip("dlt.common.normalizers.naming.snake_case").NamingConvention(63)
    for name in (slug(label, "champ", MAX_LENGTH), suffixed(slug(label, "champ", MAX_LENGTH), str(number), MAX_LENGTH)):
        assert naming.normalize_identifier(name) == name


def test_reserved_words_include_those_of_duckdb():
    duckdb = pytest.importorskip("duckdb")
    words = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    assert {word for (word,) in duckdb.sql(words).fetchall()} <= RESERVED


@given(st.lists(st.sampled_from(["a", "a_2", "b" * MAX_LENGTH, "b" * (MAX_LENGTH - 2)]), max_size=30))
def test_name_that_is_taken_gets_a_number(names):
    given_names: list[str] = []
    for name in names:
        given_names.append(free_name(name, set(given_names), MAX_LENGTH))
    assert len(set(given_names)) == len(names)
    assert all(len(name) <= MAX_LENGTH for name in given_names)


def test_suffixes_count_from_two():
    assert [free_name("a", taken, MAX_LENGTH) for taken in (set(), {"a"}, {"a", "a_2"})] == ["a", "a_2", "a_3"]
