"""Deprecated fields: what the API answers to the many clients that still ask for them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import TypeInfo, TypeInfoVisitor, Visitor, is_interface_type, is_object_type, parse, visit

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.deprecated_resolvers import state_after
from ds_provider.sandbox.graphql.schema import schema
from tests.support.sandbox_client import Client

FILE = "{ byteSize byteSizeBigInt filename checksum }"
COMPANY = """... on PersonneMorale { siret entreprise { raisonSociale }
  address { streetAddress streetNumber streetName postalCode cityName cityCode }
  adresse complementAdresse typeVoie nomVoie numeroVoie codePostal localite codeInseeLocalite }"""
DOSSIERS = """
query dossiers($number: Int!) { groupeInstructeur(number: $number) { dossiers { nodes {
  revision { id } demarche {
    cadreJuridiqueURL cadreJuridiqueUrl demarcheURL demarcheUrl dpoURL dpoUrl noticeURL noticeUrl siteWebURL siteWebUrl
    revision { id } }
  demandeur { __typename %(company)s ... on PersonneMoraleIncomplete { siret } }
  traitements { event state }
  messages { attachment %(file)s attachments %(file)s }
  avis { attachment %(file)s attachments %(file)s instructeur { email } claimant { email } }
  champs { __typename
    ... on DateChamp { date value }
    ... on PieceJustificativeChamp { file %(file)s files %(file)s }
    ... on RepetitionChamp { champs { id } rows { champs { id } } }
    ... on SiretChamp { etablissement { %(company)s } }
    ... on CarteChamp { geoAreas { ... on ParcelleCadastrale {
      prefixe commune surface codeArr codeCom codeDep nomCom feuille surfaceParcelle surfaceIntersection } } }
    ... on DatetimeChamp { datetime } }
} } } }
""" % {"file": FILE, "company": COMPANY}  # noqa: UP031
FORM = """
query form($number: Int!) { demarche(number: $number) {
  champDescriptors { ...Described } annotationDescriptors { ...Described }
  activeRevision { champDescriptors { ...Described } annotationDescriptors { ...Described } }
} }
fragment Described on ChampDescriptor { __typename id type champDescriptors { id type } }
"""
Row = dict[str, Any]


@pytest.fixture(scope="module")
def dossiers(client: Client, sandbox: Sandbox) -> list[Row]:
    pages = [client.ask(DOSSIERS, number=number) for number in sandbox.groupes]
    return [row for page in pages for row in page["groupeInstructeur"]["dossiers"]["nodes"]]


def champs_of(rows: list[Row], typename: str) -> list[Row]:
    found = [champ for row in rows for champ in row["champs"] if champ["__typename"] == typename]
    assert found
    return found


class _Deprecated(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: set[tuple[str, str]] = set()

    def enter_field(self, node: Any, *_: Any) -> None:
        kind: Any = self.types.get_parent_type()
        self.found.add((kind.name, node.name.value))


def test_documents_here_ask_for_each_deprecated_field() -> None:
    asked = set()
    for document in (DOSSIERS, FORM):
        types = TypeInfo(schema())
        visitor = _Deprecated(types)
        visit(parse(document), TypeInfoVisitor(types, visitor))
        asked |= visitor.found
    deprecated = {
        (name, field)
        for name, kind in schema().type_map.items()
        # an interface's field stands for that of each of its types
        if is_interface_type(kind) or (is_object_type(kind) and not name.endswith("ChampDescriptor"))
        for field, definition in kind.fields.items()  # type: ignore[attr-defined]
        if definition.deprecation_reason and not name.startswith("__")
    }
    assert len(deprecated) > 30
    assert deprecated <= asked


def test_state_is_that_which_the_event_led_to(dossiers: list[Row]) -> None:
    states = {row["event"]: row["state"] for dossier in dossiers for row in dossier["traitements"]}
    assert states == {
        "depose": "en_construction",
        "depose_correction_usager": "en_construction",
        "passe_en_instruction": "en_instruction",
        "repasse_en_instruction": "en_instruction",
        "accepte": "accepte",
        "refuse": "refuse",
        "classe_sans_suite": "sans_suite",
    }


def test_each_event_leads_to_a_state() -> None:
    events: Any = schema().type_map["TraitementEvent"]
    states: Any = schema().type_map["DossierState"]
    assert {state_after({"event": event}) for event in events.values} == set(states.values)
    assert state_after({"event": "repasse_en_construction"}) == "en_construction"
    assert state_after({"event": "refuse_automatiquement"}) == "refuse"


def test_attachment_is_the_first_of_the_attachments(dossiers: list[Row]) -> None:
    for name in ("messages", "avis"):
        rows = [row for dossier in dossiers for row in dossier[name]]
        assert any(row["attachments"] for row in rows), name
        assert [row["attachment"] for row in rows] == [next(iter(row["attachments"]), None) for row in rows]
    champs = champs_of(dossiers, "PieceJustificativeChamp")
    assert any(champ["file"] for champ in champs)
    assert [champ["file"] for champ in champs] == [next(iter(champ["files"]), None) for champ in champs]
    file = next(champ["file"] for champ in champs if champ["file"])
    assert str(file["byteSize"]) == file["byteSizeBigInt"]


def test_champs_of_a_repetition_are_those_of_its_rows(dossiers: list[Row]) -> None:
    champs = champs_of(dossiers, "RepetitionChamp")
    assert any(len(champ["rows"]) > 1 for champ in champs)
    for champ in champs:
        assert champ["champs"] == [inner for row in champ["rows"] for inner in row["champs"]]


def test_value_of_a_date_is_midnight_in_paris(dossiers: list[Row]) -> None:
    dates = champs_of(dossiers, "DateChamp")
    assert {champ["value"][10:] for champ in dates if champ["date"]} == {"T00:00:00+01:00", "T00:00:00+02:00"}
    assert all(champ["value"][:10] == champ["date"] for champ in dates if champ["date"])


def test_value_of_a_datetime_sent_as_a_date_keeps_its_time(client: Client) -> None:
    plain = client.page("dossiers", "champs { ... on DateChamp { date value } }", first=30)["nodes"]
    typed = client.page("dossiers", "champs { ... on DatetimeChamp { datetime } }", first=30)["nodes"]
    pairs = [
        (champ["value"], other["datetime"])
        for node, twin in zip(plain, typed, strict=True)
        for champ, other in zip(node["champs"], twin["champs"], strict=True)
        if "datetime" in other
    ]
    assert any(value for value, _ in pairs)
    assert all(value == exact for value, exact in pairs)


def test_address_of_a_company_is_in_single_fields(dossiers: list[Row]) -> None:
    companies = [row["demandeur"] for row in dossiers if row["demandeur"]["__typename"] == "PersonneMorale"]
    companies += [champ["etablissement"] for champ in champs_of(dossiers, "SiretChamp") if champ["etablissement"]]
    assert companies
    for company in companies:
        address = company["address"]
        assert company["codeInseeLocalite"] == address["cityCode"]
        assert f"{company['numeroVoie']} {company['typeVoie']} {company['nomVoie']}" == address["streetAddress"]
        assert company["complementAdresse"] is None
        town = f"{company['codePostal']} {company['localite']}"
        lines = [company["entreprise"]["raisonSociale"], address["streetAddress"], town, "FRANCE"]
        assert company["adresse"].split("\r\n") == lines


def test_incomplete_company_sent_as_a_complete_one_lacks_the_old_fields_too(client: Client) -> None:
    for field in ("adresse", "codePostal", "localite", "codeInseeLocalite"):
        fields = f"number demandeur {{ ... on PersonneMorale {{ siret {field} nomVoie typeVoie numeroVoie }} }}"
        query = f"query($n: Int!) {{ groupeInstructeur(number: $n) {{ dossiers {{ nodes {{ {fields} }} }} }} }}"
        answer = client.post(query, n=client.sandbox.groupes[0]).json()
        assert {error["path"][-1] for error in answer["errors"]} == {field}
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"invalid_null"}


def test_parcel_has_the_old_parts_of_its_number(dossiers: list[Row]) -> None:
    parcels = [area for champ in champs_of(dossiers, "CarteChamp") for area in champ["geoAreas"] if area]
    assert parcels
    for parcel in parcels:
        assert parcel["codeDep"] + parcel["codeCom"] == parcel["commune"]
        assert parcel["codeArr"] == parcel["prefixe"]
        assert parcel["surfaceParcelle"] == float(parcel["surface"])
        assert (parcel["nomCom"], parcel["feuille"], parcel["surfaceIntersection"]) == ("", 1, 0.0)


def test_old_names_have_the_values_of_the_new_ones(dossiers: list[Row]) -> None:
    for row in dossiers:
        assert row["revision"] == row["demarche"]["revision"]
        for name in ("cadreJuridique", "demarche", "dpo", "notice", "siteWeb"):
            assert row["demarche"][f"{name}Url"] == row["demarche"][f"{name}URL"]
        assert all(avis["instructeur"] == avis["claimant"] for avis in row["avis"])
    assert {row["demarche"]["demarcheUrl"] for row in dossiers} != {None}


def test_form_of_a_demarche_is_that_of_its_active_revision(client: Client, sandbox: Sandbox) -> None:
    found = client.ask(FORM, number=sandbox.demarche)["demarche"]
    assert found["champDescriptors"] == found["activeRevision"]["champDescriptors"]
    assert found["annotationDescriptors"] == found["activeRevision"]["annotationDescriptors"]
    for row in found["champDescriptors"]:
        assert (row["champDescriptors"] is None) is (row["type"] != "repetition")
    types = {row["__typename"]: row["type"] for row in found["champDescriptors"]}
    assert types["CommuneChampDescriptor"] == "communes"
    assert types["RNAChampDescriptor"] == "rna"
    assert types["YesNoChampDescriptor"] == "yes_no"


def test_deprecated_fields_are_shown_with_their_reason(client: Client) -> None:
    query = '{ __type(name: "Traitement") { fields(includeDeprecated: %s) { name deprecationReason } } }'
    shown, all_fields = (client.ask(query % flag)["__type"]["fields"] for flag in ("false", "true"))
    reasons = {field["name"]: field["deprecationReason"] for field in all_fields}
    assert "state" not in {field["name"] for field in shown}
    assert reasons["state"] == "Utilisez le champ `event` à la place."
    assert reasons["event"] is None
