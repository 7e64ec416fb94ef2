"""Types of champs, each with the column that its value is in."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import Any

import pytest

from ds_provider.tables.rows.champs import VALUES
from ds_provider.tables.rows.kinds import KINDS
from tests.support.nodes import JSON, champ, champ_row, dossier, file, rows_of, values_of

PLACE = {"code": "94", "name": "L'Haÿ-les-Roses 🌹"}
KEPT_FILE = {name: value for name, value in file().items() if name != "url"}
LONG = 'é🌾\n"\\' * 20_000

SIMPLE = [
    ("TextChamp", {"value": "un\ndeux 👩🏽‍🌾"}, {"text_value": "un\ndeux 👩🏽‍🌾"}),
    ("TextChamp", {"value": ""}, {"text_value": ""}),
    ("TextChamp", {"value": None}, {}),
    ("TextChamp", {"value": "null"}, {"text_value": "null"}),
    ("TextChamp", {"value": LONG}, {"text_value": LONG}),
    ("DropDownListChamp", {"value": "Élevage"}, {"text_value": "Élevage"}),
    ("CiviliteChamp", {"civilite": "Mme"}, {"text_value": "Mme"}),
    ("CheckboxChamp", {"checked": False}, {"boolean_value": False}),
    ("YesNoChamp", {"selected": True}, {"boolean_value": True}),
    ("YesNoChamp", {"selected": None}, {}),
    ("IntegerNumberChamp", {"integerNumber": "9223372036854775807"}, {"integer_value": 2**63 - 1}),
    ("IntegerNumberChamp", {"integerNumber": "-9223372036854775808"}, {"integer_value": -(2**63)}),
    ("IntegerNumberChamp", {"integerNumber": "9223372036854775808"}, {"text_value": "9223372036854775808"}),
    ("IntegerNumberChamp", {"integerNumber": "9" * 5000}, {"text_value": "9" * 5000}),
    ("IntegerNumberChamp", {"integerNumber": "douze"}, {}),
    ("IntegerNumberChamp", {"integerNumber": None}, {}),
    ("DecimalNumberChamp", {"decimalNumber": 7213.112747}, {"decimal_value": 7213.112747}),
    ("DecimalNumberChamp", {"decimalNumber": 3}, {"decimal_value": 3.0}),
    ("DateChamp", {"date": "2026-09-25"}, {"date_value": date(2026, 9, 25)}),
    ("DateChamp", {"date": "0024-09-25"}, {"date_value": date(24, 9, 25)}),
    ("DateChamp", {"date": "0000-09-25"}, {}),
    ("DateChamp", {"date": "22026-09-25"}, {}),
    ("DateChamp", {"date": "2026-02-30"}, {}),
    ("DateChamp", {"date": ""}, {}),
    (
        "DatetimeChamp",
        {"datetime": "2026-09-13T01:58:05+02:00"},
        {"timestamp_value": datetime(2026, 9, 12, 23, 58, 5, tzinfo=timezone.utc)},
    ),
    (
        "DatetimeChamp",
        {"datetime": "2026-10-25T02:30:00+01:00"},
        {"timestamp_value": datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)},
    ),
    ("DatetimeChamp", {"datetime": "2026-09-13T09:58:05"}, {}),
    ("DatetimeChamp", {"datetime": "0001-01-01T00:30:00+02:00"}, {}),
    ("DatetimeChamp", {"datetime": "9999-12-31T23:30:00-02:00"}, {}),
    ("HeaderSectionChamp", {"level": 2}, {"integer_value": 2}),
    ("ExplicationChamp", {}, {}),
    ("RepetitionChamp", {"rows": []}, {"integer_value": 0}),
    ("DossierLinkChamp", {"dossier": None}, {}),
]


@pytest.mark.parametrize(("typename", "fields", "values"), SIMPLE)
def test_value_is_in_the_column_of_its_kind(typename: str, fields: JSON, values: JSON) -> None:
    row = champ_row(champ(typename, "en toutes lettres", **fields))
    assert values_of(row) == values
    assert (row["type"], row["string_value"]) == (typename, "en toutes lettres")


STRUCTURED: list[tuple[str, JSON, Any]] = [
    *(
        (typename, fields, fields)
        for typename, fields in (
            ("AddressChamp", {"address": {"label": "1 rue", "cityName": None}, "commune": PLACE, "departement": None}),
            ("CommuneChamp", {"commune": PLACE, "departement": PLACE}),
            ("DepartementChamp", {"departement": PLACE}),
            ("EpciChamp", {"epci": PLACE, "departement": PLACE}),
            ("RegionChamp", {"region": PLACE}),
            ("PaysChamp", {"pays": PLACE}),
            ("EngagementJuridiqueChamp", {"engagementJuridique": {"montantEngage": "1", "montantPaye": "0"}}),
            ("RNAChamp", {"rna": {"id": "W139105603", "title": "« Ça »"}, "commune": PLACE, "departement": PLACE}),
            ("RNFChamp", {"rnf": {"id": "075-FDD-18229-01"}, "commune": PLACE, "departement": PLACE}),
            ("SiretChamp", {"etablissement": {"siret": "00078411600022", "address": {"label": "1 rue"}}}),
            ("LinkedDropDownListChamp", {"primaryValue": "Légumes", "secondaryValue": None}),
            ("CarteChamp", {"geoAreas": []}),
            ("CarteChamp", {"geoAreas": [{"id": "GeoArea-1", "geometry": {"coordinates": [[1.5, [2, 3.25]]]}}]}),
        )
    ),
    ("MultipleDropDownListChamp", {"values": ["Culture", "Pêche & aquaculture"]}, ["Culture", "Pêche & aquaculture"]),
    ("MultipleDropDownListChamp", {"values": []}, []),
    ("PieceJustificativeChamp", {"files": [file()]}, [KEPT_FILE]),
    ("PieceJustificativeChamp", {"files": []}, []),
]


@pytest.mark.parametrize(("typename", "fields", "value"), STRUCTURED)
def test_structured_value_is_json_under_the_names_of_the_api(typename: str, fields: JSON, value: Any) -> None:
    values = values_of(champ_row(champ(typename, None, **fields)))
    assert json.loads(values.pop("json_value")) == value
    assert not values


@pytest.mark.parametrize("typename", [typename for typename, kind in KINDS.items() if kind == "json"])
def test_structured_champ_without_an_answer_is_null(typename: str) -> None:
    names = {name for known, fields, _ in STRUCTURED if known == typename for name in fields}
    assert not values_of(champ_row(champ(typename, None, **dict.fromkeys(names))))
    assert not values_of(champ_row(champ(typename, None)))


def test_identity_document_has_a_boolean_value() -> None:
    values = values_of(champ_row(champ("TitreIdentiteChamp", None, grantType="piece_justificative", filled=True)))
    assert values["boolean_value"] is True
    assert json.loads(values["json_value"]) == {"grantType": "piece_justificative", "filled": True}


def test_link_gives_the_number_of_the_dossier() -> None:
    linked = {"number": 42, "state": "accepte"}
    values = values_of(champ_row(champ("DossierLinkChamp", "42", dossier=linked)))
    assert values["integer_value"] == 42
    assert json.loads(values["json_value"]) == {"dossier": linked}


@pytest.mark.parametrize(("entered", "number"), [("42", 42), ("", None), ("quarante-deux", None), (None, None)])
def test_link_without_a_dossier_gives_the_number_that_was_entered(entered: str | None, number: int | None) -> None:
    assert champ_row(champ("DossierLinkChamp", entered, dossier=None))["integer_value"] == number


@pytest.mark.parametrize("holder", ["attestationFiscaleAttachment", "attestationSocialeAttachment"])
def test_etablissement_keeps_no_signed_url(holder: str) -> None:
    etablissement = {"siret": "00078411600022", "entreprise": {"siren": "000784116", holder: file()}}
    value = values_of(champ_row(champ("SiretChamp", etablissement=etablissement)))["json_value"]
    assert json.loads(value)["etablissement"]["entreprise"] == {"siren": "000784116", holder: KEPT_FILE}


def test_tables_hold_no_signed_url() -> None:
    etablissement = {"entreprise": {"attestationFiscaleAttachment": file()}}
    node = dossier(
        champs=[champ("PieceJustificativeChamp", files=[file()]), champ("SiretChamp", etablissement=etablissement)],
        annotations=[champ("PieceJustificativeChamp", files=[file()])],
        messages=[{"id": "Message-1", "attachments": [file()]}],
        avis=[{"id": "Avis-1", "attachments": [file()]}],
        demandeur={"__typename": "PersonneMorale", **etablissement},
        attestation=file(),
        motivationAttachment=file(),
        pdf=file(),
        geojson=file(),
    )
    assert "stockage.example" not in str(rows_of(node))


def test_unknown_type_keeps_the_columns_of_all_champs() -> None:
    row = champ_row(champ("QuotientFamilialChamp", "450 €", value={"montant": 450}, level="haut", rows=3))
    assert row["string_value"] == "450 €"
    assert (row["type"], row["label"], row["id"]) == ("QuotientFamilialChamp", "Libellé", "Champ-1")
    assert not values_of(row)


@pytest.mark.parametrize("typename", KINDS)
def test_type_fills_the_column_of_its_kind(typename: str) -> None:
    assert f"{KINDS[typename]}_value" in VALUES[typename]
