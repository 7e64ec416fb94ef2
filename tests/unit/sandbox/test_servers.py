"""Servers of two ages: what the newer one has, and how January's refuses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.catalogue import read_offset, write_offset
from tests.support.sandbox_client import NOW, Client, page_query

CHECK = Path(__file__).parents[4] / "shared" / "contract" / "check.py"
NEWER = {
    "Dossier.dateAccuseLectureAgreement": "query($n: Int!) { dossier(number: $n) { dateAccuseLectureAgreement } }",
    "Dossier.assignments": "query($n: Int!) { dossier(number: $n) { assignments { mode } } }",
    "Query.demarcheDescriptors": "{ demarcheDescriptors { nodes { number } } }",
    "ChampDescriptor.condition": "query($n: Int!) { demarche(number: $n) {"
    " activeRevision { champDescriptors { condition } } } }",
    "Champ.prefilledValueModified": "query($n: Int!) { dossier(number: $n) { champs { prefilledValueModified } } }",
    "DemarcheDescriptor.forIndividual": "query($n: Int!) { dossier(number: $n) { demarche { forIndividual } } }",
}


@pytest.fixture(scope="module")
def january() -> Iterator[Client]:
    with Sandbox(seed=1, groupes=3, dossiers=60, now=NOW, rate_limit=0, server="2026-01") as served:
        yield Client(served)


def all_dossiers(client: Client, fields: str) -> list[Any]:
    return [row for number in client.sandbox.groupes for row in client.rows("dossiers", fields=fields, number=number)]


@pytest.mark.parametrize("place", NEWER)
def test_january_knows_no_newer_field(client: Client, january: Client, place: str) -> None:
    kind, field = place.split(".")
    number = client.sandbox.demarche if "demarche(" in NEWER[place] else all_dossiers(client, "number")[0]["number"]
    variables = {"n": number} if "$n" in NEWER[place] else {}
    assert client.ask(NEWER[place], **variables)
    answer = january.post(NEWER[place], **variables)
    assert (answer.status_code, "data" in answer.json()) == (200, False)
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "undefinedField"
    assert field in error["message"]
    assert kind in error["message"]


def test_each_age_has_its_kinds_of_descriptors(client: Client, january: Client) -> None:
    query = "query($n: Int!) { demarche(number: $n) { activeRevision { champDescriptors { __typename type } } } }"

    def types(asked: Client) -> dict[str, str]:
        rows = asked.ask(query, n=asked.sandbox.demarche)["demarche"]["activeRevision"]["champDescriptors"]
        return {row["__typename"]: row["type"] for row in rows}

    assert types(january)["CnafChampDescriptor"] == "cnaf"
    assert types(january)["TitreIdentiteChampDescriptor"] == "titre_identite"
    assert "CnafChampDescriptor" not in types(client)
    assert "TitreIdentiteChampDescriptor" not in types(client)
    assert types(client)["QuotientFamilialChampDescriptor"] == "quotient_familial"
    assert types(client)["AAHChampDescriptor"] == "aah"
    fragment = "query($n: Int!) { demarche(number: $n) { activeRevision { champDescriptors { id %s } } } }"
    gone = fragment % "... on DgfipChampDescriptor { label }"
    assert january.ask(gone, n=january.sandbox.demarche)
    assert client.post(gone, n=client.sandbox.demarche).json()["errors"]


def test_both_ages_show_the_same_dossiers(client: Client, january: Client) -> None:
    fields = "number state dateDerniereModification champs { id label stringValue updatedAt }"
    assert all_dossiers(client, fields) == all_dossiers(january, fields)


@pytest.mark.parametrize("server", ["2026-01", "2026-09"])
@pytest.mark.skipif(not CHECK.exists(), reason="the API's own schema is not at hand")
def test_schema_of_each_age_has_nothing_that_the_api_lacks(server: str) -> None:
    with Sandbox(groupes=1, dossiers=3, server=server) as sandbox:
        check = [sys.executable, str(CHECK), "sandbox", sandbox.url, sandbox.token]
        done = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith(" 0 differences")


def test_january_crashes_on_a_filter_of_closed_groups(client: Client, january: Client) -> None:
    query = "query($n: Int!, $c: Boolean) { demarche(number: $n) { groupeInstructeurs(closed: $c) { closed } } }"
    for closed in (True, False):
        assert january.post(query, n=january.sandbox.demarche, c=closed).status_code == 500
        groups = client.ask(query, n=client.sandbox.demarche, c=closed)["demarche"]["groupeInstructeurs"]
        assert {group["closed"] for group in groups} == {closed}


def test_january_bounds_no_complexity(client: Client, january: Client) -> None:
    query = page_query("dossiers")
    assert len(january.ask(query, number=january.sandbox.groupes[0], first=100_000)["groupeInstructeur"]["dossiers"])
    (error,) = client.post(query, number=client.sandbox.groupes[0], first=100_000).json()["errors"]
    assert "exceeds max complexity of 60000" in error["message"]


def test_unknown_server_is_refused() -> None:
    with pytest.raises(ValueError, match="server is one of 2026-01, 2026-09, not 2025"):
        Sandbox(server="2025")


def test_reading_of_a_decision_is_dated(client: Client) -> None:
    rows = all_dossiers(client, "state dateTraitement dateAccuseLectureAgreement")
    read = [row for row in rows if row["dateAccuseLectureAgreement"]]
    assert read
    assert {row["state"] for row in read} <= {"accepte", "refuse", "sans_suite"}
    assert all(row["dateAccuseLectureAgreement"] > row["dateTraitement"] for row in read)


def test_assignments_lead_from_the_first_group_to_the_present_one(client: Client) -> None:
    fields = """number dateDepot groupeInstructeur { number label } assignments {
        mode assignedAt assignedBy groupeInstructeurNumber groupeInstructeurLabel
        previousGroupeInstructeurNumber previousGroupeInstructeurLabel }
        manual: assignments(mode: manual) { mode }"""
    rows = all_dossiers(client, fields)
    for row in rows:
        first, *later = row["assignments"]
        assert (first["mode"], first["assignedBy"], first["previousGroupeInstructeurNumber"]) == ("auto", None, None)
        assert first["assignedAt"] == row["dateDepot"]
        groups = [one["groupeInstructeurNumber"] for one in row["assignments"]]
        assert [one["previousGroupeInstructeurNumber"] for one in later] == groups[:-1]
        assert groups[-1] == row["groupeInstructeur"]["number"]
        assert row["manual"] == [{"mode": one["mode"]} for one in row["assignments"] if one["mode"] == "manual"]
    assert {one["mode"] for row in rows for one in row["assignments"]} == {"auto", "manual", "bulk_routing"}


def test_condition_names_the_champ_that_decides(client: Client) -> None:
    query = "query($n: Int!) { demarche(number: $n) { activeRevision { champDescriptors { id type condition } } } }"
    found = client.ask(query, n=client.sandbox.demarche)["demarche"]["activeRevision"]["champDescriptors"]
    types = {row["id"]: row["type"] for row in found}
    conditions = [row["condition"] for row in found if row["condition"] is not None]
    assert conditions
    for operator, (term, champ), value in conditions:
        assert (operator, term, types[champ], value) == ("=", "champ", "yes_no", True)


def test_public_demarches_are_listed_in_pages(client: Client) -> None:
    query = """query($first: Int, $after: String, $last: Int, $before: String) {
        demarcheDescriptors(first: $first, after: $after, last: $last, before: $before) {
          nodes { number dossiersCount } edges { cursor node { number } }
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""

    def numbers(**arguments: Any) -> tuple[list[int], bool, bool]:
        page = client.ask(query, **arguments)["demarcheDescriptors"]
        assert [edge["node"]["number"] for edge in page["edges"]] == [node["number"] for node in page["nodes"]]
        return (
            [node["number"] for node in page["nodes"]],
            page["pageInfo"]["hasNextPage"],
            page["pageInfo"]["hasPreviousPage"],
        )

    own, other = client.sandbox.demarche, client.sandbox.other_demarche
    assert numbers() == ([own, other], False, False)
    assert numbers(first=1) == ([own], True, False)
    assert numbers(first=1, after="MQ") == ([other], False, True)
    assert numbers(last=1) == ([other], False, True)
    assert numbers(before="Mg") == ([own], True, False)
    assert numbers(after="Mg") == ([], False, False)


@given(st.text())
def test_any_text_is_read_as_a_place_in_the_list(cursor: str) -> None:
    assert isinstance(read_offset(cursor, 0), int)


@given(st.integers(0, 10**6))
def test_cursor_of_a_row_is_read_back(number: int) -> None:
    assert read_offset(write_offset(number), -1) == number


def test_introspection_shows_what_the_published_schema_has(client: Client) -> None:
    query = '{ __type(name: "%s") { fields { name } } }'
    shown = {field["name"] for field in client.ask(query % "Dossier")["__type"]["fields"]}
    assert "dateDepot" in shown
    assert not shown & {"assignments", "dateAccuseLectureAgreement"}
    assert "prefilledValueModified" in {field["name"] for field in client.ask(query % "TextChamp")["__type"]["fields"]}
