"""Requests that the API refuses, with their statuses and messages."""

from __future__ import annotations

import json
import uuid
from base64 import urlsafe_b64decode
from typing import Any

import httpx
import pytest

from ds_provider.sandbox import Sandbox
from tests.support.sandbox_client import HTTP, Client, page_query

TYPENAME = "{ __typename }"
JSON_BODY = {"Content-Type": "application/json"}
PUBLIC_ONLY = (
    "Without a token, only the public getDemarcheDescriptor and getDemarcheDescriptors queries and introspection "
    "are allowed"
)
STORED_ONLY = "Without a token, only persisted queries are allowed"
DEMARCHE = "query($n: Int!) { demarche(number: $n) { title } }"
GROUPE = "query($n: Int!) { groupeInstructeur(number: $n) { label } }"
DOSSIER = "query($n: Int!) { dossier(number: $n) { number state } }"

each_root_field = pytest.mark.parametrize(
    ("query", "type_name"),
    [(DEMARCHE, "Demarche"), (GROUPE, "GroupeInstructeurWithDossiers"), (DOSSIER, "Dossier")],
)


def code_of(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["extensions"]["code"])


def post(
    sandbox: Sandbox, authorization: str | None = None, headers_of_body: Any = None, **request: Any
) -> httpx.Response:
    headers = dict(headers_of_body or {}) | ({} if authorization is None else {"Authorization": authorization})
    request = request or {"json": {"query": TYPENAME}}
    return HTTP.post(sandbox.url, headers=headers, **request)


@pytest.mark.parametrize("form", ["Bearer {}", "Bearer token={}", 'Bearer token="{}"', "Token token={}"])
def test_token_is_accepted_in_each_form(sandbox: Sandbox, form: str) -> None:
    assert post(sandbox, form.format(sandbox.token)).json() == {"data": {"__typename": "Query"}}


def test_token_has_the_form_of_real_ones(sandbox: Sandbox) -> None:
    name, _, secret = urlsafe_b64decode(sandbox.token).decode().partition(";")
    assert uuid.UUID(name).version == 4
    assert len(secret) == 24


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic abc", "Bearer", "é"])
def test_missing_or_unknown_token_is_refused(sandbox: Sandbox, authorization: str | None) -> None:
    encoded = authorization.encode() if authorization else None
    body = {"query": "{ demarche(number: 1) { id } }"}
    response = post(sandbox, encoded, json=body)  # type: ignore[arg-type]
    assert response.status_code == 403
    assert response.json()["errors"][0]["message"] == PUBLIC_ONLY
    assert code_of(response) == "forbidden"
    assert response.json()["data"] is None


def test_server_of_january_names_another_rule_for_a_missing_token() -> None:
    with Sandbox(groupes=1, dossiers=1, server="2026-01") as sandbox:
        for query in ("{ demarche(number: 1) { id } }", TYPENAME):
            response = post(sandbox, json={"query": query})
            assert (response.status_code, response.json()["errors"][0]["message"]) == (403, STORED_ONLY)


def test_expired_token_is_refused(sandbox: Sandbox) -> None:
    response = post(sandbox, f"Bearer {sandbox.tokens['expired']}")
    assert (response.status_code, code_of(response)) == (401, "unauthorized")
    assert response.json()["errors"][0]["message"] == "Token expired"


def test_token_from_a_wrong_address_is_refused_with_that_address(sandbox: Sandbox) -> None:
    response = post(sandbox, f"Bearer {sandbox.tokens['ip_locked']}")
    assert (response.status_code, code_of(response)) == (403, "forbidden")
    assert "Add 127.0.0.1/32 to your allowed adresses" in response.json()["errors"][0]["message"]


@each_root_field
def test_token_without_rights_sees_hidden_objects(sandbox: Sandbox, client: Client, query: str, type_name: str) -> None:
    number = {DEMARCHE: sandbox.demarche, GROUPE: sandbox.groupes[0]}.get(query)
    number = number or client.page("dossiers", first=1)["nodes"][0]["number"]
    without_rights = Client(sandbox, sandbox.tokens["without_rights"])
    response = without_rights.post(query, n=number)
    assert (response.status_code, code_of(response)) == (200, "unauthorized")
    assert response.json()["data"] is None
    assert response.json()["errors"][0]["message"] == f"An object of type {type_name} was hidden due to permissions"


def test_other_demarche_is_hidden(sandbox: Sandbox, client: Client) -> None:
    truth = client.control("truth").json()
    assert code_of(client.post(DEMARCHE, n=truth["other_demarche"])) == "unauthorized"
    group = truth["other_groupes"][0]
    assert code_of(client.post(GROUPE, n=group["number"])) == "unauthorized"
    assert code_of(client.post(DOSSIER, n=group["dossiers"][0]["number"])) == "unauthorized"


@each_root_field
def test_unknown_number_is_not_found(client: Client, query: str, type_name: str) -> None:
    response = client.post(query, n=123)
    assert response.status_code == 200
    assert response.json()["data"] is None
    error = response.json()["errors"][0]
    assert error["message"] == f"{type_name} not found"
    assert error["extensions"]["code"] == "not_found"


def test_hidden_and_purged_dossiers_are_not_found(client: Client) -> None:
    groups = client.control("truth").json()["groupes"]
    hidden = [row["number"] for group in groups for row in (*group["pending"], *group["deleted"])]
    limbo = [number for group in groups for number in group["limbo"]]
    assert limbo
    for number in (*hidden[:20], *limbo):
        assert code_of(client.post(DOSSIER, n=number)) == "not_found"


@pytest.mark.parametrize("body", [b"{", b"[", b'{"query": "{ __typename }"', b"\xff", b"nope", b"[" * 9999])
def test_body_that_is_not_json_is_refused(sandbox: Sandbox, body: bytes) -> None:
    response = post(sandbox, f"Bearer {sandbox.token}", content=body, headers_of_body=JSON_BODY)
    assert (response.status_code, code_of(response)) == (400, "bad_request")


@pytest.mark.parametrize("body", [b"[]", b"", b"5", b'"x"', b"null", b"{}", b'[{"query": "{ __typename }"}]'])
def test_body_without_a_query_is_an_error_without_a_code(sandbox: Sandbox, body: bytes) -> None:
    response = post(sandbox, f"Bearer {sandbox.token}", content=body, headers_of_body=JSON_BODY)
    assert (response.status_code, response.json()) == (200, {"errors": [{"message": "No query string was present"}]})


def test_body_is_read_by_its_content_type(sandbox: Sandbox) -> None:
    """A form is read too, and a body of another type is not: the query is then missing."""
    text, authorization = b'{"query": "{ __typename }"}', f"Bearer {sandbox.token}"
    for kind in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"):
        response = post(sandbox, authorization, content=text, headers_of_body={"Content-Type": kind})
        assert response.json() == {"data": {"__typename": "Query"}}
    for kind in ("text/plain", "application/graphql", "application/x-www-form-urlencoded"):
        response = post(sandbox, authorization, content=text, headers_of_body={"Content-Type": kind})
        assert response.json() == {"errors": [{"message": "No query string was present"}]}
    assert post(sandbox, authorization, data={"query": TYPENAME}).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("query", ["query {", "{", "}", "{ demarche(number: ) }", "nope", '{ a(b: "c) }', "{ a } {"])
def test_query_that_is_not_graphql_is_an_error_with_its_place(client: Client, query: str) -> None:
    response = client.post(query)
    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert set(response.json()) == {"errors"}
    assert set(error) == {"message", "locations"}
    assert set(error["locations"][0]) == {"line", "column"}


@pytest.mark.parametrize("query", ["", " ", "\n", "# nothing", ",,"])
def test_empty_query_is_an_error_without_a_place(client: Client, query: str) -> None:
    response = client.post(query)
    assert response.status_code == 200
    assert response.json() == {"errors": [{"message": "Unexpected end of document", "locations": []}]}


def test_query_that_is_too_deep_to_be_read_is_refused(client: Client) -> None:
    response = client.post("{ a" * 9999)
    assert (response.status_code, response.json()["errors"][0]["message"]) == (
        200,
        "This query is too large to execute.",
    )


@pytest.mark.parametrize("name", [5, ["a"], {"a": 1}, True])
def test_operation_name_that_is_no_text_is_that_of_no_operation(sandbox: Sandbox, name: Any) -> None:
    body = {"query": "query a { __typename }", "operationName": name}
    (error,) = post(sandbox, f"Bearer {sandbox.token}", json=body).json()["errors"]
    assert error["message"] == f'No operation named "{name}"'


@pytest.mark.parametrize("query", [5, True, {"a": 1}, ["{ __typename }"]])
def test_server_crashes_on_a_query_that_is_no_text(sandbox: Sandbox, query: Any) -> None:
    assert_internal_error(post(sandbox, f"Bearer {sandbox.token}", json={"query": query}))


@pytest.mark.parametrize("variables", ["{", "nope", '{"n": }', "[1"])
def test_variables_that_are_no_json_are_refused(sandbox: Sandbox, variables: str) -> None:
    response = post(sandbox, f"Bearer {sandbox.token}", json={"query": TYPENAME, "variables": variables})
    assert (response.status_code, code_of(response)) == (400, "graphql_parse_failed")


@pytest.mark.parametrize("variables", [5, "5", [], "[1]", [{"n": 1}], True, False, "true"])
def test_variables_that_are_no_object_are_refused(sandbox: Sandbox, variables: Any) -> None:
    response = post(sandbox, f"Bearer {sandbox.token}", json={"query": TYPENAME, "variables": variables})
    assert (response.status_code, code_of(response)) == (400, "bad_request")


@pytest.mark.parametrize("form", [lambda values: values, json.dumps, lambda values: json.dumps(json.dumps(values))])
def test_variables_may_be_json_text(sandbox: Sandbox, form: Any) -> None:
    body = {"query": DEMARCHE, "variables": form({"n": sandbox.demarche})}
    assert post(sandbox, f"Bearer {sandbox.token}", json=body).json()["data"]["demarche"]["title"]


@pytest.mark.parametrize("variables", [None, "", "  ", {}, "{}", "null"])
def test_blank_variables_are_none(sandbox: Sandbox, variables: Any) -> None:
    body = {"query": TYPENAME, "variables": variables}
    assert post(sandbox, f"Bearer {sandbox.token}", json=body).json() == {"data": {"__typename": "Query"}}


def test_query_that_does_not_fit_the_schema_has_no_data(client: Client) -> None:
    response = client.post("{ demarche(number: 1) { nope } }")
    assert response.status_code == 200
    assert "data" not in response.json()
    assert code_of(response) == "undefinedField"


@pytest.mark.parametrize("value", [None, "twelve", 1.5, 1 << 31])
def test_variable_that_does_not_fit_its_type_is_an_error(client: Client, value: Any) -> None:
    response = client.post(DEMARCHE, n=value)
    assert response.status_code == 200
    assert response.json().get("data") is None
    assert response.json()["errors"]


def test_number_above_32_bits_is_out_of_bounds(client: Client) -> None:
    (error,) = client.post(DEMARCHE, n=1 << 31).json()["errors"]
    assert error["message"] == "Variable $n of type Int! was provided invalid value"
    assert error["extensions"]["problems"][0]["explanation"].startswith("Integer out of bounds: 2147483648")
    response = client.post("{ demarche(number: 2147483648) { title } }")
    assert (response.status_code, code_of(response)) == (400, "bad_request")


def test_invalid_date_is_an_error(client: Client, sandbox: Sandbox) -> None:
    query = page_query("dossiers", filters=("updatedSince",))
    response = client.post(query, number=sandbox.groupes[0], updatedSince="yesterday")
    assert "updatedSince of type ISO8601DateTime was provided invalid value" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("variables", ["", None, "{}", " ", {}])
def test_variables_may_be_blank(sandbox: Sandbox, variables: Any) -> None:
    body = {"query": TYPENAME, "variables": variables}
    assert post(sandbox, f"Bearer {sandbox.token}", json=body).status_code == 200


def test_variables_may_be_the_text_of_json(sandbox: Sandbox) -> None:
    body = {"query": DEMARCHE, "variables": f'{{"n": {sandbox.demarche}}}'}
    assert "errors" not in post(sandbox, f"Bearer {sandbox.token}", json=body).json()


def test_operation_is_chosen_by_name(sandbox: Sandbox) -> None:
    two = "query a { a: __typename } query b { b: __typename }"
    named = post(sandbox, f"Bearer {sandbox.token}", json={"query": two, "operationName": "b"})
    assert named.json() == {"data": {"b": "Query"}}
    unnamed = post(sandbox, f"Bearer {sandbox.token}", json={"query": two}).json()
    assert "data" not in unnamed
    assert unnamed["errors"]


def test_endpoint_answers_only_post_requests(sandbox: Sandbox) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert HTTP.request(method, sandbox.url).status_code == 404


@pytest.mark.parametrize("pair", [("first", "last"), ("before", "after")])
def test_mutually_exclusive_arguments_are_a_bad_request(
    client: Client, sandbox: Sandbox, pair: tuple[str, str]
) -> None:
    cursor = client.page("dossiers", first=1)["pageInfo"]["endCursor"]
    values = dict.fromkeys(pair, 5 if "first" in pair else cursor)
    response = client.post(page_query("dossiers"), number=sandbox.groupes[0], **values)
    assert (response.status_code, code_of(response)) == (200, "bad_request")
    assert response.json()["errors"][0]["message"] == f'Arguments "{pair[0]}" and "{pair[1]}" are exclusive'


@pytest.mark.parametrize("name", ["revision", "minRevision", "maxRevision"])
def test_server_crashes_on_a_revision_filter_of_a_group(client: Client, sandbox: Sandbox, name: str) -> None:
    response = client.post(page_query("dossiers", filters=(name,)), number=sandbox.groupes[0], **{name: "x"})
    assert_internal_error(response)


def test_server_crashes_on_an_inline_fragment_without_a_type(client: Client, sandbox: Sandbox) -> None:
    query = "query($n: Int!) { demarche(number: $n) { ... @include(if: true) { title } } }"
    assert_internal_error(client.post(query, n=sandbox.demarche))


def assert_internal_error(response: httpx.Response) -> None:
    assert response.status_code == 500
    error = response.json()["errors"][0]
    assert error["message"] == "Internal Server Error"
    assert error["extensions"]["code"] == "internal_server_error"
    assert uuid.UUID(error["extensions"]["exception_id"])
    assert response.json()["data"] is None
