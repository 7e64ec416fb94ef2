"""Dossiers as tables: every row in its place, and a hard delete for each empty part."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.exceptions import DSMalformedResponseError
from ds_provider.tables.rows.flatten import flatten, read_heads
from ds_provider.tables.schemas import (
    CHAMP_COLUMNS,
    CHILD_TABLES,
    DOSSIERS,
    ERASED,
    GROUPES_INSTRUCTEURS,
    REVISIONS,
    TABLES,
)
from tests.support.nodes import JSON, READ_AT, champ, dossier, file, line, rows_of, rows_of_lines

FLATTENED = (DOSSIERS, *CHILD_TABLES, GROUPES_INSTRUCTEURS, REVISIONS)
PARTS = ("champs", "annotations", "traitements", "messages", "avis", "instructeurs", "labels")
AUGUST = datetime(2026, 8, 27, 5, 38, 5, tzinfo=timezone.utc)
WHEN = "2026-08-27T07:38:05+02:00"

FULL = dossier(
    7,
    state="accepte",
    archived=False,
    datePrevisionnelleDecisionSVASVR="2026-09-01",
    dateTraitementSVASVR=WHEN,
    dateDepot=WHEN,
    demarche={"number": 100, "revision": {"id": "Revision-1"}},
    groupeInstructeur={"id": "Groupe-3", "number": 3, "label": "défaut", "closed": False},
    usager={"id": "<deleted>", "email": ""},
    demandeur={
        "__typename": "PersonneMorale",
        "id": "Demandeur-1",
        "siret": "00078411600022",
        "siegeSocial": True,
        "address": {"label": "1 rue"},
        "entreprise": {
            "siren": "000784116",
            "capitalSocial": "-1",
            "effectifMensuel": {"periode": "03/2026", "nb": 12.2},
            "dateCreation": "1995-08-04",
        },
        "association": {"rna": "W139105603", "datePublication": "2001-02-03"},
    },
    attestation=file("attestation.pdf"),
    motivationAttachment=None,
    pdf=file("dossier-7.pdf"),
    instructeurs=[{"id": "Instructeur-1", "email": "a@example.org"}],
    labels=[{"id": "Label-1", "name": "Urgent", "color": "pink_macaron"}],
    traitements=[{"id": "Traitement-1", "event": "depose", "dateTraitement": WHEN, "revision": {"id": "Revision-1"}}],
    avis=[
        {
            "id": "Avis-1",
            "questionAnswer": True,
            "dateQuestion": WHEN,
            "claimant": {"id": "Instructeur-1", "email": "a@example.org"},
            "expert": None,
            "attachments": [file("avis.pdf")],
        }
    ],
    messages=[
        {"id": "Message-1", "body": "", "createdAt": WHEN, "attachments": []},
        {
            "id": "Message-2",
            "body": "Bonjour\n🌾",
            "createdAt": WHEN,
            "attachments": [file("1.pdf"), file("2.pdf")],
            "correction": {"reason": "incomplete", "dateResolution": WHEN},
        },
    ],
    champs=[
        champ("TextChamp", "a", value="a"),
        champ(
            "RepetitionChamp",
            champDescriptorId="Block-1",
            rows=[
                {"id": "Row-1", "champs": [champ("TextChamp", "b"), champ("TextChamp", "c", id="Champ-2|Row-1")]},
                {"id": "Row-2", "champs": [champ("PieceJustificativeChamp", None, files=[file("plan.pdf")])]},
                {"id": "Row-3", "champs": []},
            ],
        ),
        champ(
            "CarteChamp",
            None,
            geoAreas=[
                {
                    "__typename": "ParcelleCadastrale",
                    "id": "GeoArea-1",
                    "surface": "26422",
                    "geometry": {"type": "Polygon", "coordinates": [[[2.5, 48.25]]]},
                }
            ],
        ),
    ],
    annotations=[],
)


def single(rows: list[JSON]) -> JSON:
    (row,) = rows
    return row


def kept(rows: list[JSON]) -> list[JSON]:
    return [row for row in rows if not row[ERASED]]


def erased(rows: list[JSON]) -> set[tuple[Any, ...]]:
    return {(row["dossier_number"], *([row["part"]] if "part" in row else [])) for row in rows if row[ERASED]}


@pytest.mark.parametrize("lines", [[], [line(dossier())], [line(FULL), line(dossier())]])
def test_each_table_has_its_columns_and_their_types(lines: list[bytes]) -> None:
    tables = flatten(lines, READ_AT)
    assert {name: table.schema for name, table in tables.items()} == {each.name: each.schema for each in FLATTENED}


def test_dossier_is_one_row() -> None:
    row = single(rows_of(FULL)["dossiers"])
    assert {name: value for name, value in row.items() if value is not None} == {
        "number": 7,
        "id": "Dossier-7",
        "state": "accepte",
        "archived": False,
        "date_depot": AUGUST,
        "date_derniere_modification": datetime(2026, 11, 23, 1, 59, 59, tzinfo=timezone.utc),
        "date_previsionnelle_decision_svasvr": date(2026, 9, 1),
        "date_traitement_svasvr": AUGUST,
        "demarche_number": 100,
        "revision_id": "Revision-1",
        "groupe_instructeur_number": 3,
        "usager_id": "<deleted>",
        "usager_email": "",
        "demandeur_type": "PersonneMorale",
        "demandeur_id": "Demandeur-1",
        "demandeur_siret": "00078411600022",
        "demandeur_siege_social": True,
        "demandeur_address": '{"label": "1 rue"}',
        "demandeur_entreprise_siren": "000784116",
        "demandeur_entreprise_capital_social": -1,
        "demandeur_entreprise_effectif_mensuel": '{"periode": "03/2026", "nb": 12.2}',
        "demandeur_entreprise_date_creation": date(1995, 8, 4),
        "demandeur_association_rna": "W139105603",
        "demandeur_association_date_publication": date(2001, 2, 3),
        "read_at": READ_AT,
        ERASED: False,
    }


def test_champs_of_a_repetition_are_rows_beside_their_block() -> None:
    rows = kept(rows_of(FULL)["champs"])
    places = ("repetition_descriptor_id", "row_id", "row_index", "position", "type")
    assert [tuple(row[name] for name in places) for row in rows] == [
        (None, None, None, 0, "TextChamp"),
        (None, None, None, 1, "RepetitionChamp"),
        (None, None, None, 2, "CarteChamp"),
        ("Block-1", "Row-1", 0, 0, "TextChamp"),
        ("Block-1", "Row-1", 0, 1, "TextChamp"),
        ("Block-1", "Row-2", 1, 0, "PieceJustificativeChamp"),
    ]
    assert {row["dossier_number"] for row in rows} == {7}
    assert {row["updated_at"] for row in rows} == {AUGUST}
    assert rows[1]["integer_value"] == 3


def test_files_name_the_node_that_holds_them() -> None:
    rows = kept(rows_of(FULL)["fichiers"])
    names = ("part", "parent_id", "champ_descriptor_id", "row_id", "position", "filename")
    assert {tuple(row[name] for name in names) for row in rows} == {
        ("champs", "Champ-1", "Descriptor-1", "Row-2", 0, "plan.pdf"),
        ("messages", "Message-2", None, None, 0, "1.pdf"),
        ("messages", "Message-2", None, None, 1, "2.pdf"),
        ("avis", "Avis-1", None, None, 0, "avis.pdf"),
        ("attestation", None, None, None, 0, "attestation.pdf"),
    }
    assert {(row["byte_size"], row["created_at"]) for row in rows} == {(5_000_000_000, AUGUST)}


def test_lists_of_a_dossier_are_rows_of_child_tables() -> None:
    tables = rows_of(FULL)
    area, traitement, avis = (single(kept(tables[name])) for name in ("geo_areas", "traitements", "avis"))
    assert (area["part"], area["parent_id"], area["type"]) == ("champs", "Champ-1", "ParcelleCadastrale")
    assert (area["id"], area["surface"]) == ("GeoArea-1", "26422")
    assert json.loads(area["geometry"])["coordinates"] == [[[2.5, 48.25]]]
    assert (traitement["event"], traitement["date_traitement"]) == ("depose", AUGUST)
    assert traitement["revision_id"] == "Revision-1"
    assert (avis["question_answer"], avis["claimant_email"], avis["expert_email"]) == (True, "a@example.org", None)
    assert [(row["position"], row["body"]) for row in tables["messages"]] == [(0, ""), (1, "Bonjour\n🌾")]
    assert [row["correction_reason"] for row in tables["messages"]] == [None, "incomplete"]
    assert single(tables["instructeurs"])["email"] == "a@example.org"
    assert single(tables["labels"])["name"] == "Urgent"


def test_groups_and_revisions_of_a_batch_are_single_rows() -> None:
    demarche = {"number": 100, "revision": {"id": "Revision-1"}}
    groupes = [{"id": f"Groupe-{number}", "number": number, "label": "défaut", "closed": True} for number in (3, 4)]
    tables = rows_of(
        *(dossier(number, demarche=demarche, groupeInstructeur=groupes[number % 2]) for number in range(100)),
        dossier(100, demarche=None, groupeInstructeur=None),
    )
    assert sorted(row["number"] for row in tables["groupes_instructeurs"]) == [3, 4]
    assert {(row["demarche_number"], row["closed"]) for row in tables["groupes_instructeurs"]} == {(100, True)}
    assert single(tables["revisions"]) == {
        "id": "Revision-1",
        "demarche_number": 100,
        "date_creation": None,
        "date_publication": None,
        "read_at": READ_AT,
        ERASED: False,
    }


def test_part_that_was_not_asked_for_has_no_rows() -> None:
    tables = rows_of(dossier(), dossier(2, **dict.fromkeys(PARTS)))
    assert not any(tables[name] for name in PARTS)
    assert not tables["geo_areas"]
    # these come whatever is asked for
    assert erased(tables["fichiers"]) == {(n, part) for n in (1, 2) for part in ("attestation", "motivation")}


def test_empty_part_has_a_hard_delete() -> None:
    tables = rows_of(dossier(**{part: [] for part in PARTS}), dossier(2))
    assert all(erased(tables[name]) == {(1,)} and len(tables[name]) == 1 for name in PARTS)
    assert erased(tables["geo_areas"]) == {(1, "champs"), (1, "annotations")}
    assert erased(tables["fichiers"]) >= {(1, part) for part in ("champs", "annotations", "messages", "avis")}
    assert not kept(tables["fichiers"])


def test_part_with_rows_has_no_hard_delete() -> None:
    tables = rows_of(FULL)
    assert erased(tables["annotations"]) == {(7,)}
    assert not any(erased(tables[name]) for name in PARTS if name != "annotations")
    assert erased(tables["geo_areas"]) == {(7, "annotations")}
    assert erased(tables["fichiers"]) == {(7, "annotations"), (7, "motivation")}


def test_flatten_keeps_all_of_many_dossiers() -> None:
    champs = [champ("TextChamp", str(index), value=str(index)) for index in range(60)]
    tables = rows_of(*(dossier(number, champs=champs, labels=[]) for number in range(1, 301)))
    assert [row["number"] for row in tables["dossiers"]] == [*range(1, 301)]
    expected = sorted((number, str(index)) for number in range(1, 301) for index in range(60))
    assert sorted((row["dossier_number"], row["text_value"]) for row in tables["champs"]) == expected
    assert erased(tables["labels"]) == {(number,) for number in range(1, 301)}


def test_head_is_a_number_and_an_instant() -> None:
    assert read_heads([line(FULL), line(dossier(2, dateDerniereModification="1970-01-01T01:00:01+01:00"))]) == [
        (7, 1_795_399_199_000_000),
        (2, 1_000_000),
    ]


@given(st.datetimes(timezones=st.timezones()))
def test_head_is_exact_to_the_microsecond(when: datetime) -> None:
    offset = when.utcoffset()
    if offset is None or offset.total_seconds() % 60:  # ISO 8601 has no such offsets
        return
    ((_, microseconds),) = read_heads([line(dossier(dateDerniereModification=when.isoformat()))])
    assert microseconds == (when - datetime(1970, 1, 1, tzinfo=timezone.utc)) // datetime.resolution


NOT_DOSSIERS = [
    (b"", "a landed line"),
    (b"null", "a landed line"),
    (b"[]", "a landed line"),
    (b"<html>", "a landed line"),
    (line({"dateDerniereModification": WHEN}), "a landed line"),
    (line(dossier(2**63)), "a landed line"),
    (line(dossier(True)), "a landed line"),
    (line({"number": 12}), "dossier 12"),
    (line(dossier(12, dateDerniereModification=None)), "dossier 12"),
]


@pytest.mark.parametrize(("sent", "named"), NOT_DOSSIERS)
def test_lines_that_are_not_dossiers_are_refused(sent: bytes, named: str) -> None:
    with pytest.raises(DSMalformedResponseError, match=f"^{named} is not a dossier as the API sends it"):
        flatten([line(dossier()), sent], READ_AT)
    with pytest.raises(DSMalformedResponseError, match=f"^{named} is not a dossier as the API sends it"):
        read_heads([line(dossier()), sent])


def test_version_that_is_not_a_date_is_refused() -> None:
    with pytest.raises(DSMalformedResponseError, match=r"^dossier 12 "):
        read_heads([line(dossier(12, dateDerniereModification="hier"))])


def test_flattened_tables_are_tables_of_the_warehouse() -> None:
    assert set(map(id, FLATTENED)) <= set(map(id, TABLES))
    assert CHAMP_COLUMNS.name not in rows_of_lines()
