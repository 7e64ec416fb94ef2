"""A démarche's forms and groups, as rows."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from ds_provider.tables.descriptors import describe
from ds_provider.tables.schemas import CHAMP_DESCRIPTORS, GROUPES_INSTRUCTEURS, REVISIONS
from tests.support.forms import DEMARCHE, READ_AT, demarche, descriptor, revision


def test_described_tables_have_their_schemas():
    tables = describe(demarche(), READ_AT)
    assert set(tables) == {"revisions", "champ_descriptors", "groupes_instructeurs"}
    for table in (REVISIONS, CHAMP_DESCRIPTORS, GROUPES_INSTRUCTEURS):
        assert tables[table.name].schema == table.schema
        assert tables[table.name].num_rows == 0


def test_revisions_have_their_dates_as_instants():
    described = demarche(revision("V1", [], published="2026-07-01"), revision("V2", [], published=None))
    assert describe(described, READ_AT)["revisions"].to_pylist() == [
        {
            "id": "V1",
            "demarche_number": DEMARCHE,
            "date_creation": datetime(2025, 12, 1, 9, tzinfo=timezone.utc),
            "date_publication": datetime(2026, 7, 1, 9, tzinfo=timezone.utc),
            "read_at": READ_AT,
            "_erased": False,
        },
        {
            "id": "V2",
            "demarche_number": DEMARCHE,
            "date_creation": datetime(2025, 12, 1, 9, tzinfo=timezone.utc),
            "date_publication": None,
            "read_at": READ_AT,
            "_erased": False,
        },
    ]


def test_champs_and_annotations_have_their_place_in_the_form():
    form = revision(
        "V1",
        [
            descriptor("C1", "Nom"),
            descriptor("R1", "Lots", "Repetition", champDescriptors=[descriptor("C2", "A"), descriptor("C3", "B")]),
            descriptor("C4", "Fin", "Date"),
        ],
        [descriptor("A1", "Suivi")],
    )
    rows = describe(demarche(form), READ_AT)["champ_descriptors"].to_pylist()
    assert [(row["part"], row["repetition_descriptor_id"], row["position"], row["id"]) for row in rows] == [
        ("champs", None, 0, "C1"),
        ("champs", None, 1, "R1"),
        ("champs", "R1", 0, "C2"),
        ("champs", "R1", 1, "C3"),
        ("champs", None, 2, "C4"),
        ("annotations", None, 0, "A1"),
    ]
    assert {(row["revision_id"], row["demarche_number"], row["read_at"]) for row in rows} == {("V1", DEMARCHE, READ_AT)}


def test_descriptor_is_kept_as_the_api_sends_it():
    options = ["Élevage", "--Fruits--", 'dit "autre"', ""]
    sent = descriptor("C1", "Filière 🚜", "DropDownList", options=options, description="a\nb") | {"required": True}
    (row,) = describe(demarche(revision("V1", [sent])), READ_AT)["champ_descriptors"].to_pylist()
    assert (row["label"], row["type"], row["required"]) == ("Filière 🚜", "DropDownListChampDescriptor", True)
    assert row["description"] == "a\nb"
    assert json.loads(row["options"]) == options


def test_missing_options_are_null_and_no_empty_list():
    form = revision("V1", [descriptor("C1", "A"), descriptor("C2", "B", "DropDownList", options=[])])
    assert describe(demarche(form), READ_AT)["champ_descriptors"]["options"].to_pylist() == [None, "[]"]


def test_empty_form_removes_the_rows_that_it_had():
    rows = describe(demarche(revision("V1", [])), READ_AT)["champ_descriptors"].to_pylist()
    assert [{name: value for name, value in row.items() if value is not None} for row in rows] == [
        {"revision_id": "V1", "_erased": True}
    ]


def test_described_groups_are_those_of_the_demarche():
    groupe = {"id": "G7=", "number": 7, "label": "défaut", "closed": True}
    described = demarche() | {"groupeInstructeurs": [groupe]}
    assert describe(described, READ_AT)["groupes_instructeurs"].to_pylist() == [
        {**groupe, "demarche_number": DEMARCHE, "read_at": READ_AT, "_erased": False}
    ]
