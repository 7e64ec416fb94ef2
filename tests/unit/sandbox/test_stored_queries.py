"""Stored queries, as the API's own command-line client and others name them, and what needs no token."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from graphql import build_schema, get_operation_ast, parse, print_ast

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.schema import schema
from ds_provider.sandbox.graphql.stored_queries import PUBLIC_OPERATIONS, fit, stored_query
from ds_provider.sandbox.graphql.validation import validate_document
from tests.support.sandbox_client import HTTP, Client

ID = "ds-query-v2"
HIDDEN = "An object of type {} was hidden due to permissions"


def call(sandbox: Sandbox, operation: str | None, token: str | None = None, **variables: Any) -> httpx.Response:
    body = {"queryId": ID, "operationName": operation, "variables": variables}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return HTTP.post(sandbox.url, json=body, headers=headers)


def ask(sandbox: Sandbox, operation: str, **variables: Any) -> Any:
    response = call(sandbox, operation, sandbox.token, **variables)
    assert response.status_code == 200
    # the text asks for linked dossiers: those of another démarche are hidden, on a page that is otherwise complete
    assert all(error["path"][-1] == "dossier" for error in response.json().get("errors", ()))
    return response.json()["data"]


@pytest.fixture(scope="module")
def dossier(client: Client) -> int:
    return int(client.page("dossiers", first=1)["nodes"][0]["number"])


def test_stored_document_fits_the_schema() -> None:
    text = stored_query(ID)
    assert text is not None
    assert validate_document(schema(), parse(text)) == []


def test_stored_document_leaves_out_what_a_schema_lacks() -> None:
    known = build_schema("type Query { a(x: Int): A } type A { b: Int }")
    text = """query q($x: Int, $y: Int) { a(x: $x, y: $y) { ...F c ... on B { d } } } query r { z { b } }
    fragment F on A { b e { f } ...G } fragment G on A { h }"""
    found = " ".join(print_ast(fit(parse("query q { a { b } } query r($y: Int) { z(y: $y) { b } }"), known)).split())
    assert found == "query q { a { b } }"
    fitted = fit(parse(text.replace("...G", "")), known)
    assert get_operation_ast(fitted, "r") is None
    assert validate_document(known, fitted) == []


def test_stored_query_pages_through_a_demarche(sandbox: Sandbox) -> None:
    seen: list[int] = []
    after, more = None, True
    while more:
        variables = {"demarcheNumber": sandbox.demarche, "includeDossiers": True, "first": 40, "after": after}
        page = ask(sandbox, "getDemarche", **variables)["demarche"]["dossiers"]
        seen += [node["number"] for node in page["nodes"]]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    groups = HTTP.get(httpx.URL(sandbox.url).join("/sandbox/truth")).json()["groupes"]
    assert sorted(seen) == sorted(row["number"] for group in groups for row in group["dossiers"])


def test_stored_query_reads_the_lists_of_a_group(sandbox: Sandbox) -> None:
    variables = dict.fromkeys(("includeDossiers", "includePendingDeletedDossiers", "includeDeletedDossiers"), True)
    found = ask(sandbox, "getGroupeInstructeur", groupeInstructeurNumber=sandbox.groupes[0], **variables)
    group = found["groupeInstructeur"]
    assert all(group[name]["nodes"] for name in ("dossiers", "pendingDeletedDossiers", "deletedDossiers"))
    assert "closed" not in group
    bare = ask(sandbox, "getGroupeInstructeur", groupeInstructeurNumber=sandbox.groupes[0])["groupeInstructeur"]
    assert set(bare) == {"id", "number", "label", "instructeurs"}


def test_stored_query_reads_a_dossier(sandbox: Sandbox, dossier: int) -> None:
    found = ask(sandbox, "getDossier", dossierNumber=dossier)["dossier"]
    assert found["number"] == dossier
    assert found["demarche"]["number"] == sandbox.demarche
    assert found["champs"]
    assert any(column["value"] is not None for champ in found["champs"] for column in champ["columns"])
    assert not {"messages", "avis", "labels"} & set(found)


def test_stored_query_reads_the_records_of_a_dossier(sandbox: Sandbox, dossier: int) -> None:
    found = ask(sandbox, "getDossierRecords", dossierNumber=dossier, includeMessages=True)["dossier"]
    assert set(found) == {"id", "number", "messages"}


def test_stored_query_takes_the_old_spelling_of_a_variable(sandbox: Sandbox, dossier: int) -> None:
    assert "annotations" in ask(sandbox, "getDossier", dossierNumber=dossier)["dossier"]
    for name in ("includeAnnotations", "includeAnotations"):
        assert "annotations" not in ask(sandbox, "getDossier", dossierNumber=dossier, **{name: False})["dossier"]
    both = ask(sandbox, "getDossier", dossierNumber=dossier, includeAnotations=False, includeAnnotations=True)
    assert "annotations" in both["dossier"]


def test_text_of_the_stored_query_may_be_sent(sandbox: Sandbox, client: Client, dossier: int) -> None:
    """Most clients have copied it: its fields of one name and other types are merged."""
    body = {"query": stored_query(ID), "operationName": "getDossier", "variables": {"dossierNumber": dossier}}
    response = HTTP.post(sandbox.url, json=body, headers=client.headers)
    expected = ask(sandbox, "getDossier", dossierNumber=dossier)
    assert response.json()["data"]["dossier"]["champs"][0]["label"] == expected["dossier"]["champs"][0]["label"]


def test_form_of_a_demarche_is_public(sandbox: Sandbox) -> None:
    for wanted in ({"number": sandbox.demarche}, {"id": ask_id(sandbox)}):
        for token in (None, "nonsense", sandbox.tokens["without_rights"]):
            response = call(sandbox, "getDemarcheDescriptor", token, demarche=wanted, includeRevision=True)
            found = response.json()["data"]["demarcheDescriptor"]
            assert (response.status_code, found["number"]) == (200, sandbox.demarche)
            assert found["revision"]["champDescriptors"]


def test_list_of_public_forms_needs_no_token(sandbox: Sandbox) -> None:
    response = call(sandbox, "getDemarcheDescriptors", None, first=1, includeRevision=True)
    (node,) = response.json()["data"]["demarcheDescriptors"]["nodes"]
    assert node["number"] == sandbox.demarche


def test_stored_query_reads_the_moves_of_a_dossier(sandbox: Sandbox, dossier: int) -> None:
    assert "assignments" in ask(sandbox, "getDossier", dossierNumber=dossier, includeAssignments=True)["dossier"]


def ask_id(sandbox: Sandbox) -> str:
    return str(ask(sandbox, "getDemarche", demarcheNumber=sandbox.demarche)["demarche"]["id"])


@pytest.mark.parametrize("operation", ["getDemarche", "getDossier", "getGroupeInstructeur", None, "getStuff"])
def test_other_stored_queries_need_a_token(sandbox: Sandbox, operation: str | None) -> None:
    response = call(sandbox, operation, None, demarcheNumber=sandbox.demarche)
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"] == {"code": "forbidden"}
    assert operation not in PUBLIC_OPERATIONS


def test_server_of_january_runs_stored_queries_without_a_token() -> None:
    with Sandbox(groupes=1, dossiers=1, server="2026-01") as sandbox:
        response = call(sandbox, "getDemarche", None, demarcheNumber=sandbox.demarche)
        assert (response.status_code, response.json()["data"]) == (200, None)
        (error,) = response.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == (HIDDEN.format("Demarche"), "unauthorized")
        unknown = HTTP.post(sandbox.url, json={"queryId": "ds-query-v0"})
        assert unknown.status_code == 500


@pytest.mark.parametrize("with_token", [True, False])
def test_introspection_is_public(sandbox: Sandbox, client: Client, with_token: bool) -> None:
    headers = client.headers if with_token else {}
    bodies = (
        {"queryId": "introspection"},
        {"queryId": "introspection", "operationName": "IntrospectionQuery"},
        {"query": stored_query("introspection")},
        {"query": '{ __type(name: "Dossier") { name } }'},
    )
    for body in bodies:
        data = HTTP.post(sandbox.url, json=body, headers=headers).json()["data"]
        assert data.get("__schema", data.get("__type"))


@pytest.mark.parametrize(
    "query",
    [
        "query IntrospectionQuery { demarche(number: 1) { id } }",
        "{ __schema { queryType { name } } demarche(number: 1) { id } }",
        "query a { __typename } query b { demarche(number: 1) { id } }",
        "{ ...F } fragment F on Query { __schema { queryType { name } } }",
        "query {",
        "",
    ],
)
def test_text_that_is_not_pure_introspection_needs_a_token(sandbox: Sandbox, query: str) -> None:
    assert HTTP.post(sandbox.url, json={"query": query, "operationName": "a"}).status_code == 403


def test_unknown_stored_query_is_a_bad_request(sandbox: Sandbox, client: Client) -> None:
    response = HTTP.post(sandbox.url, json={"queryId": "ds-query-v0"}, headers=client.headers)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error == {"message": 'No query with id "ds-query-v0"', "extensions": {"code": "bad_request"}}


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("getStuff", 'No operation named "getStuff"'),
        ("", 'No operation named ""'),
        (None, "An operation name is required"),
    ],
)
def test_operation_of_a_stored_query_must_be_named(sandbox: Sandbox, operation: str | None, message: str) -> None:
    response = call(sandbox, operation, sandbox.token)
    assert (response.status_code, response.json()) == (200, {"errors": [{"message": message}]})


def test_requests_by_id_are_recorded_with_their_operation(sandbox: Sandbox, dossier: int) -> None:
    ask(sandbox, "getDossier", dossierNumber=dossier)
    assert sandbox.requests[-1].operation == "getDossier"
    assert sandbox.requests[-1].variables == {"dossierNumber": dossier}
