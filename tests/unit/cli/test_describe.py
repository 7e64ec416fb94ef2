"""A form is described by the champs of all its revisions, and by the columns that a load gives them."""

from __future__ import annotations

import json

import pytest

from ds_provider.cli.describe import describe_champs
from ds_provider.sandbox import Sandbox
from tests.support.command_line import Run
from tests.support.forms import READ_AT, demarche, descriptor, revision


def described(*revisions, known=()):
    return {row["id"]: row for row in describe_champs(demarche(*revisions), READ_AT, known)}


def test_champs_of_all_revisions_are_listed_the_latest_form_first():
    rows = described(
        revision("V1", [descriptor("C1", "Nom"), descriptor("C2", "Reste")], published="2026-01-01"),
        revision("V2", [descriptor("C3", "Date", "Date"), descriptor("C1", "Nom de famille")], published="2026-02-01"),
    )
    assert [*rows] == ["C3", "C1", "C2"]
    assert [(row["first_revision"], row["last_revision"]) for row in rows.values()] == [(2, 2), (1, 2), (1, 1)]
    assert [row["change"] for row in rows.values()] == ["added", "renamed, was Nom", "removed"]
    assert [row["columns"] for row in rows.values()] == [["date"], ["nom_de_famille"], ["reste"]]
    assert rows["C3"]["type"] == "Date"


def test_change_is_that_of_the_last_revision_alone():
    rows = described(
        revision("V1", [descriptor("C1", "A")], published="2026-01-01"),
        revision("V2", [descriptor("C1", "B")], published="2026-02-01"),
        revision("V3", [descriptor("C1", "B")], published="2026-03-01"),
    )
    assert rows["C1"]["change"] is None


def test_draft_shows_changes_to_come_and_has_no_columns():
    rows = described(
        revision("V1", [descriptor("C1", "A"), descriptor("C2", "B")], published="2026-01-01"),
        revision("V2", [descriptor("C1", "A"), descriptor("C3", "C")], published=None),
    )
    assert rows["C3"]["change"] == "draft: added"
    assert (rows["C3"]["wide_table"], rows["C3"]["columns"]) == (None, [])
    assert rows["C2"]["change"] == "draft: removed"
    assert rows["C2"]["columns"] == ["b"]


def test_champ_whose_type_changed_has_a_column_for_each_kind():
    rows = described(
        revision("V1", [descriptor("C1", "Montant")], published="2026-01-01"),
        revision("V2", [descriptor("C1", "Montant", "IntegerNumber")], published="2026-02-01"),
    )
    assert rows["C1"]["columns"] == ["montant", "montant_text"]
    assert rows["C1"]["change"] == "retyped, was TextChampDescriptor"


def test_champs_of_a_block_are_in_a_table_of_its_own():
    block = descriptor("R1", "Lots", "Repetition", champDescriptors=[descriptor("C1", "Nom")])
    rows = described(revision("V1", [block]))
    assert (rows["R1"]["wide_table"], rows["R1"]["columns"]) == (None, [])
    assert (rows["C1"]["block"], rows["C1"]["wide_table"], rows["C1"]["columns"]) == (
        "Lots",
        "demarche_123_lots",
        ["nom"],
    )


def test_form_without_champs_has_no_rows():
    assert described(revision("V1", [])) == {}


@pytest.fixture
def loaded(load_all):
    return load_all()


def test_columns_are_those_that_a_load_makes(ds: Run, sandbox: Sandbox, loaded, home, monkeypatch) -> None:
    foretold = ds("describe", sandbox.demarche, "-o", "json")
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "duckdb", "host": str(home / "ds_warehouse.duckdb")})
    )
    found = ds("describe", sandbox.demarche, "--warehouse-conn-id", "warehouse", "-o", "json")
    assert foretold.code == found.code == 0
    tables: dict[str, set[str]] = {}
    for row in foretold.rows:
        if row["wide_table"]:
            tables.setdefault(row["wide_table"], set()).update(row["columns"])
    assert len(tables) > 3
    for name, columns in tables.items():
        assert columns <= loaded.columns_of(name)
    by_id = {(row["part"], row["id"]): row for row in found.rows}
    for row in foretold.rows:
        # a text whose object is missing has one more, once it was met
        assert set(row["columns"]) <= set(by_id[row["part"], row["id"]]["columns"])


def test_names_of_a_warehouse_stay_though_the_label_changed(ds: Run, sandbox: Sandbox, loaded, home, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "duckdb", "host": str(home / "ds_warehouse.duckdb")})
    )
    columns = loaded.qualified("champ_columns")
    loaded.execute(f"UPDATE {columns} SET column_name = 'its_first_name' WHERE column_name = 'civilite'")
    found = ds("describe", sandbox.demarche, "--warehouse-conn-id", "warehouse", "-o", "json").rows
    assert next(row["columns"] for row in found if row["label"] == "Civilité") == ["its_first_name"]


def test_table_names_the_first_column_and_counts_the_others(ds: Run, sandbox: Sandbox) -> None:
    shown = ds("describe", sandbox.demarche, "-o", "plain")
    assert "adresse_du_projet +13" in shown.out
    assert "1-4" in shown.out
    assert "3 published revisions, 1 draft; " in shown.err


def test_describe_of_an_unknown_demarche_is_an_error(ds: Run) -> None:
    ran = ds("describe", 5)
    assert (ran.code, ran.out) == (3, "")
