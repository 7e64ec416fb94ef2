"""Content of dossiers: all types of champs, and how the document decides the types that a client receives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.world.ids import read_id, typed_id
from tests.support.sandbox_client import HTTP, NOW, Client, page_query
from tests.support.sandbox_documents import FULL_PAGE

Row = dict[str, Any]
# types that no champ of the form has: the server gives the first to none any more
WITHOUT_CHAMP = {"TitreIdentiteChampDescriptor", "ARSChampDescriptor", "PreRempliChampDescriptor"}


@pytest.fixture(scope="module")
def dossiers(client: Client, sandbox: Sandbox) -> list[Row]:
    """Return all fields of all dossiers of all groups."""
    return [
        row
        for number in sandbox.groupes
        for row in client.ask(FULL_PAGE, number=number, first=100)["groupeInstructeur"]["dossiers"]["nodes"]
    ]


def champs_of(rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        for champ in (*row["champs"], *row["annotations"]):
            yield champ
            for line in champ.get("rows", ()):
                yield from line["champs"]


def of_type(rows: list[Row], name: str) -> list[Row]:
    found = [champ for champ in champs_of(rows) if champ["__typename"] == name]
    assert found, f"no {name}"
    return found


def typenames(client: Client, sandbox: Sandbox, fragments: str) -> set[str]:
    query = page_query("dossiers", f"champs {{ __typename {fragments} }}")
    pages = [client.ask(query, number=number, first=100) for number in sandbox.groupes]
    nodes = [node for page in pages for node in page["groupeInstructeur"]["dossiers"]["nodes"]]
    return {champ["__typename"] for node in nodes for champ in node["champs"]}


def test_champs_have_all_types_of_the_schema(dossiers: list[Row]) -> None:
    all_types = {kind.name for kind in schema().get_possible_types(schema().type_map["Champ"])}  # type: ignore[arg-type]
    assert {champ["__typename"] for champ in champs_of(dossiers)} == all_types


def test_descriptors_have_all_types_of_the_schema(client: Client, sandbox: Sandbox) -> None:
    query = """query($n: Int!) { demarche(number: $n) { revisions {
        champDescriptors { __typename ... on RepetitionChampDescriptor { champDescriptors { __typename } } } } } }"""
    found = json.dumps(client.ask(query, n=sandbox.demarche))
    all_types = {kind.name for kind in schema().get_possible_types(schema().type_map["ChampDescriptor"])}  # type: ignore[arg-type]
    assert set(re.findall(r"\w+ChampDescriptor", found)) == all_types - WITHOUT_CHAMP


def test_dossiers_have_about_thirty_champs_in_varying_number(dossiers: list[Row]) -> None:
    counts = {len(row["champs"]) for row in dossiers}
    assert len(counts) > 2
    assert 25 <= sum(len(row["champs"]) for row in dossiers) / len(dossiers) <= 40


@pytest.mark.parametrize(
    ("exact", "general"),
    [
        ("AddressChamp", "TextChamp"),
        ("CommuneChamp", "TextChamp"),
        ("DepartementChamp", "TextChamp"),
        ("RegionChamp", "TextChamp"),
        ("PaysChamp", "TextChamp"),
        ("HeaderSectionChamp", "TextChamp"),
        ("ExplicationChamp", "TextChamp"),
        ("DropDownListChamp", "TextChamp"),
        ("YesNoChamp", "CheckboxChamp"),
        ("DatetimeChamp", "DateChamp"),
    ],
)
def test_type_without_its_fragment_is_sent_as_a_more_general_one(
    client: Client, sandbox: Sandbox, exact: str, general: str
) -> None:
    without = typenames(client, sandbox, "")
    assert exact not in without
    assert general in without
    assert exact in typenames(client, sandbox, f"... on {exact} {{ id }}")


def test_named_fragment_counts_anywhere_in_the_document(client: Client, sandbox: Sandbox) -> None:
    query = (
        page_query("dossiers", "champs { __typename }")
        + """
        query other($n: Int!) { dossier(number: $n) { champs { ...Lone } } }
        fragment Lone on YesNoChamp { id }"""
    )
    body = {"query": query, "operationName": "page", "variables": {"number": sandbox.groupes[0]}}
    response = HTTP.post(sandbox.url, json=body, headers=client.headers)
    nodes = response.json()["data"]["groupeInstructeur"]["dossiers"]["nodes"]
    assert "YesNoChamp" in {champ["__typename"] for node in nodes for champ in node["champs"]}


def test_more_general_types_lose_information(client: Client) -> None:
    plain = client.page("dossiers", "champs { __typename id ... on CheckboxChamp { value } ... on DateChamp { date } }")
    full = client.page(
        "dossiers", "champs { __typename id ... on YesNoChamp { yes: value } ... on DatetimeChamp { datetime } }"
    )
    pairs = [
        (champ, richer)
        for node, other in zip(plain["nodes"], full["nodes"], strict=True)
        for champ, richer in zip(node["champs"], other["champs"], strict=True)
    ]
    unanswered = [champ for champ, richer in pairs if richer.get("yes", "") is None]
    assert unanswered
    assert all(champ["value"] is False for champ in unanswered)
    cut = [(champ["date"], richer["datetime"]) for champ, richer in pairs if richer.get("datetime")]
    assert cut
    assert all(instant.startswith(f"{day}T") for day, instant in cut)


def test_incomplete_company_without_its_fragment_nulls_its_dossier(client: Client, sandbox: Sandbox) -> None:
    fields = "number demandeur { __typename ... on PersonneMorale { siret siegeSocial } %s }"
    whole = client.page("dossiers", fields % "... on PersonneMoraleIncomplete { siret }", first=100)
    incomplete = {
        row["number"] for row in whole["nodes"] if row["demandeur"]["__typename"] == "PersonneMoraleIncomplete"
    }
    assert incomplete
    answer = client.post(page_query("dossiers", fields % ""), number=sandbox.groupes[0], first=100).json()
    nodes = answer["data"]["groupeInstructeur"]["dossiers"]["nodes"]
    lost = {row["number"] for row, node in zip(whole["nodes"], nodes, strict=True) if node is None}
    assert lost == incomplete
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"invalid_null"}
    assert answer["errors"][0]["path"][-2:] == ["demandeur", "siegeSocial"]


def test_dossiers_have_all_kinds_of_demandeurs_and_some_mandataires(dossiers: list[Row]) -> None:
    kinds = {row["demandeur"]["__typename"] for row in dossiers}
    assert kinds == {"PersonnePhysique", "PersonneMorale", "PersonneMoraleIncomplete"}
    assert {row["deposeParUnTiers"] for row in dossiers} == {True, False}
    assert all((row["nomMandataire"] is not None) is row["deposeParUnTiers"] for row in dossiers)


def test_values_are_as_odd_as_real_ones(dossiers: list[Row]) -> None:
    text = json.dumps(dossiers, ensure_ascii=False)
    assert "👩🏽‍🌾" in text
    assert "\\n" in text
    assert {champ["integer"] for champ in of_type(dossiers, "IntegerNumberChamp")} >= {None, "9223372036854775807"}
    texts = of_type(dossiers, "TextChamp")
    assert any(champ["stringValue"] == "" and champ["value"] is None for champ in texts)
    assert {champ["yesNo"] for champ in of_type(dossiers, "YesNoChamp")} == {True, False, None}
    assert any(champ["files"] == [] for champ in of_type(dossiers, "PieceJustificativeChamp"))
    assert {champ["stringValue"] for champ in of_type(dossiers, "CarteChamp")} == {None}
    areas = [area["__typename"] for champ in of_type(dossiers, "CarteChamp") for area in champ["geoAreas"]]
    assert set(areas) == {"ParcelleCadastrale", "SelectionUtilisateur"}


@pytest.mark.parametrize(
    ("typename", "field"),
    [
        ("AddressChamp", "address"),
        ("CommuneChamp", "commune"),
        ("DepartementChamp", "departement"),
        ("EpciChamp", "epci"),
        ("PaysChamp", "pays"),
        ("RNAChamp", "rna"),
        ("RNFChamp", "rnf"),
        ("RegionChamp", "region"),
        ("SiretChamp", "etablissement"),
    ],
)
def test_some_champs_have_their_text_without_its_object(dossiers: list[Row], typename: str, field: str) -> None:
    found = [champ for champ in of_type(dossiers, typename) if champ["stringValue"]]
    without = [champ for champ in found if champ[field] is None]
    assert 0 < len(without) < len(found) / 3
    assert all(champ.get("commune") is None and champ.get("departement") is None for champ in without)
    assert all(champ[field] is None for champ in of_type(dossiers, typename) if not champ["stringValue"])


def test_number_of_an_association_that_is_not_found_is_its_text(dossiers: list[Row]) -> None:
    texts = [champ["stringValue"] for champ in of_type(dossiers, "RNAChamp") if champ["rna"] is None]
    assert all(re.fullmatch(r"W\d{9}|", text) for text in texts)


def test_engagement_juridique_has_placeholders_and_its_number_as_text(dossiers: list[Row]) -> None:
    filled = [champ for champ in of_type(dossiers, "EngagementJuridiqueChamp") if champ["stringValue"]]
    placeholders = {"montantEngage": "NotYetImplemented", "montantPaye": "NotYetImplemented"}
    assert all(champ["engagementJuridique"] == placeholders for champ in filled)
    assert all(re.fullmatch(r"21\d{8}", champ["stringValue"]) for champ in filled)
    assert filled


def test_rows_of_a_repetition_have_unique_ids(dossiers: list[Row]) -> None:
    lines = [champ["rows"] for champ in of_type(dossiers, "RepetitionChamp")]
    assert {len(rows) for rows in lines} >= {0, 1, 2}
    ids = [champ["id"] for rows in lines for row in rows for champ in row["champs"]]
    assert len(set(ids)) == len(ids)


def test_champ_has_the_same_id_in_each_dossier(dossiers: list[Row]) -> None:
    ids = [{champ["id"] for champ in row["champs"] if champ["__typename"] == "CiviliteChamp"} for row in dossiers]
    assert set.union(*ids) == set.intersection(*ids)


def test_champs_requested_by_id_are_shown_even_if_a_condition_hides_them(client: Client, dossiers: list[Row]) -> None:
    siret = of_type(dossiers, "SiretChamp")[0]["id"]
    without = next(row for row in dossiers if siret not in {champ["id"] for champ in row["champs"]})
    query = "query($n: Int!, $id: ID) { dossier(number: $n) { champs(id: $id) { id } } }"
    assert client.ask(query, n=without["number"], id=siret)["dossier"]["champs"] == [{"id": siret}]


def test_dates_are_cut_to_the_second_with_the_offset_of_paris(client: Client, dossiers: list[Row]) -> None:
    offsets = set()
    for row in dossiers:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[12]:00", row["dateDepot"])
        offsets.add(row["dateDepot"][-6:])
    assert offsets == {"+01:00", "+02:00"}


def test_dates_follow_the_state(dossiers: list[Row]) -> None:
    for row in dossiers:
        assert row["dateSuppressionParAdministration"] is None
        assert (row["dateExpiration"] is None) is (row["state"] == "en_instruction")
        if row["state"] in ("accepte", "refuse", "sans_suite"):
            assert row["dateTraitement"]
    assert any(row["dateTraitement"] and row["state"] == "en_instruction" for row in dossiers)


def test_dossiers_have_labels_messages_and_other_related_objects(dossiers: list[Row]) -> None:
    for name in ("labels", "traitements", "messages", "avis", "instructeurs", "annotations"):
        assert any(row[name] for row in dossiers), name
    messages = [message for row in dossiers for message in row["messages"]]
    assert any(message["discardedAt"] and message["body"] == "" for message in messages)
    assert any(message["correction"] for message in messages)
    assert any(message["attachments"] for message in messages)
    assert any(row["dateSuppressionParUsager"] for row in dossiers)
    deleted = [row for row in dossiers if row["connectionUsager"] == "deleted"]
    assert deleted
    assert {row["usager"]["id"] for row in deleted} == {"<deleted>"}


def test_linked_dossier_without_rights_is_an_error_on_a_complete_page(client: Client, sandbox: Sandbox) -> None:
    query = page_query(
        "dossiers", "number champs { __typename stringValue ... on DossierLinkChamp { dossier { number } } }"
    )
    truth = client.control("truth").json()
    foreign_numbers = {str(row["number"]) for row in truth["other_groupes"][0]["dossiers"]}
    answers = [client.post(query, number=number, first=100).json() for number in sandbox.groupes]
    errors = [(answer, error) for answer in answers for error in answer.get("errors", ())]
    assert errors
    for answer, error in errors:
        assert error["message"] == "An object of type Dossier was hidden due to permissions"
        assert error["extensions"]["code"] == "unauthorized"
        assert error["path"][-1] == "dossier"
        champ: Any = answer["data"]
        for key in error["path"][:-1]:
            champ = champ[key]
        assert champ["dossier"] is None
        assert champ["stringValue"] in foreign_numbers


def test_links_lead_to_visible_dossiers_or_to_null(client: Client) -> None:
    page = client.post(
        page_query("dossiers", "champs { stringValue ... on DossierLinkChamp { link: dossier { number } } }"),
        number=client.sandbox.groupes[1],
        first=100,
    ).json()
    nodes = page["data"]["groupeInstructeur"]["dossiers"]["nodes"]
    links = [champ for node in nodes for champ in node["champs"] if "link" in champ]
    assert any(link["link"] and str(link["link"]["number"]) == link["stringValue"] for link in links)
    assert any(link["link"] is None and link["stringValue"] for link in links)


def test_columns_have_the_types_of_their_champs(client: Client) -> None:
    fields = """champs { __typename stringValue columns { __typename id label stringValue
        ... on TextColumn { text: value } ... on IntegerColumn { integer: value } ... on EnumsColumn { enums: value }
        ... on AttachmentsColumn { files: value { filename } } } }"""
    champs = [champ for node in client.page("dossiers", fields, first=20)["nodes"] for champ in node["champs"]]
    columns = {column["__typename"] for champ in champs for column in champ["columns"]}
    assert columns >= {"TextColumn", "IntegerColumn", "EnumsColumn", "AttachmentsColumn", "BooleanColumn"}
    assert all(not champ["columns"] for champ in champs if champ["__typename"] in ("RepetitionChamp", "CarteChamp"))


def test_content_is_the_same_for_the_same_seed() -> None:
    def whole() -> str:
        with Sandbox(seed=3, groupes=1, dossiers=20, now=NOW, rate_limit=0) as sandbox:
            page = Client(sandbox).ask(FULL_PAGE, number=sandbox.groupes[0])
            return re.sub(r'"url": "[^"]*"', '"url"', json.dumps(page))

    assert whole() == whole()


def test_descriptor_of_a_demarche_is_found_by_number_and_by_id(client: Client, sandbox: Sandbox) -> None:
    query = """query($d: FindDemarcheInput!) { demarcheDescriptor(demarche: $d) { id number title state
        service { nom siret } revision { id champDescriptors { id label required
        ... on DropDownListChampDescriptor { options otherOption }
        ... on HeaderSectionChampDescriptor { level } } } } }"""
    found = client.ask(query, d={"number": sandbox.demarche})["demarcheDescriptor"]
    assert found["number"] == sandbox.demarche
    assert client.ask(query, d={"id": found["id"]})["demarcheDescriptor"] == found


def test_groups_are_listed_by_label(client: Client, sandbox: Sandbox) -> None:
    query = """query($n: Int!) { demarche(number: $n) { title state labels { id name color }
        administrateurs { email } groupeInstructeurs { id number label closed instructeurs { id email } } } }"""
    groups = client.ask(query, n=sandbox.demarche)["demarche"]["groupeInstructeurs"]
    assert sorted(group["number"] for group in groups) == sorted(sandbox.groupes)
    assert [group["label"] for group in groups] == sorted(group["label"] for group in groups)
    assert [group["closed"] for group in groups].count(True) == 1


def test_deleted_dossiers_have_ids_of_another_kind(client: Client) -> None:
    """Pending dossiers have ids with their own number, deleted ones with that of their row."""
    pending = client.page("pendingDeletedDossiers", "id number state reason dateSupression")["nodes"]
    deleted = client.page("deletedDossiers", "id number state reason dateSupression")["nodes"]
    alive = client.page("dossiers", "id number")["nodes"]
    assert all(row["id"] == typed_id("DeletedDossier", row["number"]) for row in pending)
    assert all(row["id"] == typed_id("Dossier", row["number"]) for row in alive)
    assert all(read_id(row["id"], "DeletedDossier") not in (None, str(row["number"])) for row in deleted)
