"""Wide columns of champs that have an object: the text that was answered, and the parts that analysts ask for."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from graphql import get_named_type, is_leaf_type
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.sandbox.graphql.schema import schema
from ds_provider.tables.descriptors import describe
from ds_provider.tables.rows.flatten import flatten
from ds_provider.tables.rows.kinds import KINDS
from ds_provider.tables.schemas import CHAMP_COLUMNS, DOSSIER_COLUMNS
from ds_provider.tables.wide.naming import ColumnRegistry
from ds_provider.tables.wide.pivot import widen
from ds_provider.tables.wide.values import values_of
from tests.support.forms import demarche as form_of
from tests.support.forms import descriptor, revision
from tests.support.nodes import JSON, READ_AT, champ, dossier, file, line

ADDRESS = {
    "label": "3 Rue des Lilas 35000 Rennes",
    "type": "housenumber",
    "streetAddress": "3 Rue des Lilas",
    "postalCode": "35000",
    "cityName": "Rennes",
    "cityCode": "35238",
    "departmentName": "Ille-et-Vilaine",
    "departmentCode": "35",
    "regionName": "Bretagne",
    "regionCode": "53",
    "countryName": "France",
    "countryCode": "FR",
    "geometry": {"type": "Point", "coordinates": [-1.68, 48.11]},
}
COMMUNE = {"name": "Rennes", "code": "35238", "postalCode": "35000"}
DEPARTEMENT = {"name": "Ille-et-Vilaine", "code": "35"}
OF_COMMUNE = {"name": "Rennes", "code": "35238", "postal_code": "35000"}
OF_DEPARTEMENT = {"departement_name": "Ille-et-Vilaine", "departement_code": "35"}
OF_REGISTER = {
    "id": "W751234567",
    "title": "« Ça »",
    "address_label": "3 Rue des Lilas 35000 Rennes",
    "address_postal_code": "35000",
    "address_city_name": "Rennes",
    "address_city_code": "35238",
    **{f"commune_{name}": value for name, value in OF_COMMUNE.items()},
    **OF_DEPARTEMENT,
}
REGISTER = {"id": "W751234567", "title": "« Ça »", "address": ADDRESS}
PLACE = {"commune": COMMUNE, "departement": DEPARTEMENT}
OF_ADDRESS = {
    "label": "3 Rue des Lilas 35000 Rennes",
    "street_address": "3 Rue des Lilas",
    "postal_code": "35000",
    "city_name": "Rennes",
    "city_code": "35238",
    "department_name": "Ille-et-Vilaine",
    "department_code": "35",
    "region_name": "Bretagne",
    "region_code": "53",
    "country_name": "France",
    "country_code": "FR",
    "longitude": -1.68,
    "latitude": 48.11,
}
SIRET = "41816609600069"
ETABLISSEMENT = {
    "siret": SIRET,
    "siegeSocial": True,
    "naf": "62.01Z",
    "libelleNaf": "Programmation informatique",
    "address": ADDRESS,
    "entreprise": {
        "siren": "418166096",
        "raisonSociale": "LILAS SARL",
        "nomCommercial": "",
        "formeJuridique": "SARL",
        "formeJuridiqueCode": "5499",
        "codeEffectifEntreprise": "51",
        "etatAdministratif": "Actif",
        "dateCreation": "1998-03-01",
        "capitalSocial": "1000",
    },
    "association": {"rna": "W1", "titre": "Lilas"},
}
OF_ETABLISSEMENT = {
    "siret": SIRET,
    "siege_social": True,
    "naf": "62.01Z",
    "libelle_naf": "Programmation informatique",
    **{
        f"address_{name}": value
        for name, value in OF_ADDRESS.items()
        if name not in ("street_address", "country_name", "country_code")
    },
    "entreprise_siren": "418166096",
    "entreprise_raison_sociale": "LILAS SARL",
    "entreprise_nom_commercial": "",
    "entreprise_forme_juridique": "SARL",
    "entreprise_forme_juridique_code": "5499",
    "entreprise_code_effectif_entreprise": "51",
    "entreprise_etat_administratif": "Actif",
    "entreprise_date_creation": date(1998, 3, 1),
    "association_rna": "W1",
    "association_titre": "Lilas",
}
PLACEHOLDERS = {"montantEngage": "NotYetImplemented", "montantPaye": "NotYetImplemented"}

OBJECTS: list[tuple[str, JSON, JSON]] = [
    ("AddressChamp", {"address": ADDRESS, **PLACE}, OF_ADDRESS),
    ("CommuneChamp", PLACE, {**OF_COMMUNE, **OF_DEPARTEMENT}),
    ("DepartementChamp", {"departement": DEPARTEMENT}, {"name": "Ille-et-Vilaine", "code": "35"}),
    ("RegionChamp", {"region": {"name": "Bretagne", "code": "53"}}, {"name": "Bretagne", "code": "53"}),
    ("PaysChamp", {"pays": {"name": "France", "code": "FR"}}, {"name": "France", "code": "FR"}),
    (
        "EpciChamp",
        {"epci": {"name": "Métropole", "code": "243500139"}, "departement": DEPARTEMENT},
        {"name": "Métropole", "code": "243500139", **OF_DEPARTEMENT},
    ),
    ("RNAChamp", {"rna": REGISTER, **PLACE}, OF_REGISTER),
    ("RNFChamp", {"rnf": REGISTER, **PLACE}, OF_REGISTER),
    ("SiretChamp", {"etablissement": ETABLISSEMENT}, OF_ETABLISSEMENT),
    ("EngagementJuridiqueChamp", {"engagementJuridique": PLACEHOLDERS}, {}),
    ("DossierLinkChamp", {"dossier": {"number": 12, "state": "accepte"}}, {"number": 12}),
    (
        "LinkedDropDownListChamp",
        {"primaryValue": "Légumes", "secondaryValue": "Poireau"},
        {"primary_value": "Légumes", "secondary_value": "Poireau"},
    ),
    ("MultipleDropDownListChamp", {"values": ["a", "b"]}, {}),
]


def wide_row(*nodes: JSON) -> JSON:
    """Return the wide row of a dossier with one champ, without nulls and without the dossier's own columns."""
    return wide_rows(ColumnRegistry(), *nodes)[0]


def wide_rows(registry: ColumnRegistry, *nodes: JSON) -> list[JSON]:
    lines = [line(dossier(n, demarche={"number": 1}, champs=[node])) for n, node in enumerate(nodes)]
    tables = flatten(lines, READ_AT)
    (_, _), (table, rows) = widen(tables["dossiers"], tables, registry)
    rows.validate(full=True)
    assert not table.json
    own = [name for name in table.columns if name not in DOSSIER_COLUMNS]
    return [{name: row[name] for name in own if row[name] is not None} for row in rows.to_pylist()]


@pytest.mark.parametrize(("typename", "fields", "parts"), OBJECTS)
def test_object_has_a_column_for_its_text_and_for_each_part(typename: str, fields: JSON, parts: JSON) -> None:
    found = wide_row(champ(typename, "en toutes lettres", label="A", **fields))
    if typename == "SiretChamp":
        parts = {**parts, "siret": "en toutes lettres"}
    assert found == {"a": "en toutes lettres", **{f"a_{name}": value for name, value in parts.items()}}


@pytest.mark.parametrize(("typename", "fields"), [(typename, fields) for typename, fields, _ in OBJECTS])
def test_text_is_there_where_the_service_found_no_object(typename: str, fields: JSON) -> None:
    found = wide_row(champ(typename, "12 rue", label="A", **dict.fromkeys(fields)))
    assert found.pop("a") == "12 rue"
    assert set(found) <= {"a_siret"}


def test_siret_in_degraded_mode_has_its_number() -> None:
    found = wide_row(champ("SiretChamp", SIRET, label="A", etablissement=None))
    assert found == {"a": SIRET, "a_siret": SIRET}


def test_link_that_cannot_be_followed_has_its_number() -> None:
    assert wide_row(champ("DossierLinkChamp", "12", label="A", dossier=None)) == {"a": "12", "a_number": 12}


def test_address_without_object_keeps_its_commune() -> None:
    found = wide_row(champ("AddressChamp", "lieu-dit", label="A", address=None, **PLACE))
    assert found == {
        "a": "lieu-dit",
        "a_postal_code": "35000",
        "a_city_name": "Rennes",
        "a_city_code": "35238",
        "a_department_name": "Ille-et-Vilaine",
        "a_department_code": "35",
    }


def test_files_are_named() -> None:
    found = wide_row(champ("PieceJustificativeChamp", None, label="A", files=[file("a.pdf"), file("b.pdf")]))
    assert found == {"a": "a.pdf, b.pdf"}
    assert wide_row(champ("PieceJustificativeChamp", None, label="A", files=[])) == {}


def test_areas_are_named_by_description_parcel_or_source() -> None:
    areas = [
        {"__typename": "SelectionUtilisateur", "source": "selection_utilisateur", "description": "le champ"},
        {"__typename": "ParcelleCadastrale", "source": "cadastre", "commune": "35238", "prefixe": "000",
         "section": "AB", "numero": "12"},
        {"__typename": "SelectionUtilisateur", "source": "selection_utilisateur", "description": None},
    ]  # fmt: skip
    found = wide_row(champ("CarteChamp", None, label="A", geoAreas=areas))
    assert found == {"a": "le champ, 35238 000 AB 12, selection_utilisateur"}


@pytest.mark.parametrize(
    ("typename", "fields", "text"),
    [
        ("IntegerNumberChamp", {"integerNumber": "9" * 25}, "9" * 25),
        ("IntegerNumberChamp", {"integerNumber": None}, "douze"),
        ("DateChamp", {"date": "22026-09-25"}, "25 septembre 22026"),
        ("DatetimeChamp", {"datetime": None}, "25 septembre 2026 10:00"),
        ("DecimalNumberChamp", {"decimalNumber": None}, "1,5"),
    ],
)
def test_answer_that_is_text_alone_has_a_column_of_text(typename: str, fields: JSON, text: str) -> None:
    assert wide_row(champ(typename, text, label="A", **fields)) == {"a_text": text}
    registry = ColumnRegistry()
    assert wide_rows(registry, champ(typename, "", label="A")) == [{}]
    assert [column.column_name for column in registry.relations["demarche_1"]] == ["a"]


def test_text_without_value_is_its_string() -> None:
    assert wide_row(champ("DropDownListChamp", "Autre", label="A", value=None)) == {"a": "Autre"}


def test_columns_of_other_champs_and_of_the_dossier_keep_their_names() -> None:
    """A part's name may be one that is taken."""
    registry = ColumnRegistry()
    nodes = [
        champ("RNAChamp", "x", label="Row", rna=REGISTER, champDescriptorId="1"),
        champ("DossierLinkChamp", "12", label="Groupe instructeur", champDescriptorId="2"),
        champ("TextChamp", "x", label="Lieu code", value="x", champDescriptorId="3"),
        champ("CommuneChamp", "x", label="Lieu", champDescriptorId="4", **PLACE),
        champ("TextChamp", "x", label="State", value="x", champDescriptorId="5"),
    ]
    lines = [line(dossier(1, demarche={"number": 1}, champs=nodes))]
    tables = flatten(lines, READ_AT)
    widen(tables["dossiers"], tables, registry)
    names = {
        (column.champ_descriptor_id, column.path): column.column_name for column in registry.relations["demarche_1"]
    }
    assert names[("1", None)] == "champ_row"
    assert names[("2", "dossier.number")] == "groupe_instructeur_number_2"
    assert names[("4", "commune.code")] == "lieu_code_2"
    assert names[("5", None)] == "champ_state"
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("typename", sorted(KINDS))
def test_form_and_dossiers_give_a_champ_the_same_columns(typename: str) -> None:
    of_dossiers, of_form = ColumnRegistry(), ColumnRegistry()
    wide_rows(of_dossiers, champ(typename, "", label="A" * 60, champDescriptorId="C1"))
    described = form_of(revision("V1", [descriptor("C1", "A" * 60, typename.removesuffix("Champ"))]), number=1)
    rows = of_form.register_form(describe(described, READ_AT))
    assert of_form.relations == of_dossiers.relations
    assert ColumnRegistry(rows.to_pylist()).relations == of_form.relations
    assert rows.schema == CHAMP_COLUMNS.schema
    assert max(len(row["column_name"]) for row in rows.to_pylist()) <= 63
    assert [row["path"] for row in rows.to_pylist()] == [value.path for value in values_of(typename)]


@pytest.mark.parametrize(
    ("typename", "path"), [(typename, value.path) for typename in KINDS for value in values_of(typename) if value.path]
)
def test_path_is_one_of_the_api(typename: str, path: str) -> None:
    kind: Any = schema().type_map[typename]
    for name in path.split("."):
        if not name.isdigit():
            kind = get_named_type(kind.fields[name].type)
    assert is_leaf_type(kind)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["coordinates", "geometry", "code", "entreprise", "filename", "0"]), inner)
    ),
)


@given(st.sampled_from(OBJECTS), st.data())
def test_object_of_any_shape_keeps_the_text(known: tuple[str, JSON, JSON], data: Any) -> None:
    typename, fields, _ = known
    node = champ(typename, "12 rue", label="A", **{name: data.draw(anything) for name in fields})
    text = json.dumps(dossier(0, demarche={"number": 1}, champs=[node]))
    tables = flatten([text.replace("NaN", "1e999").replace("Infinity", "1e999").encode()], READ_AT)
    (_, _), (_, rows) = widen(tables["dossiers"], tables, ColumnRegistry())
    rows.validate(full=True)
    assert rows["a"].to_pylist() == ["12 rue"]
