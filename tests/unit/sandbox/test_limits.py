"""Limits on a query's complexity and depth, and on the requests per minute."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.graphql.complexity import Cost
from ds_provider.sandbox.graphql.document import read_document
from ds_provider.sandbox.graphql.execution import Compiler
from ds_provider.sandbox.graphql.resolvers import RESOLVERS, type_of
from ds_provider.sandbox.http import limits
from ds_provider.sandbox.http.limits import RateLimit
from tests.support.sandbox_client import NOW, Client, page_query
from tests.support.sandbox_documents import FULL_PAGE


def cost_of(query: str, **variables: object) -> int:
    document = read_document(query)
    compiler = Compiler(document, variables, RESOLVERS, type_of)
    return Cost(compiler).measure(document.operation(None), variables).complexity


def test_full_page_of_a_hundred_rows_is_below_the_limit(client: Client, sandbox: Sandbox) -> None:
    assert 28_000 <= cost_of(FULL_PAGE, number=1, first=100) <= 40_000
    client.ask(FULL_PAGE, number=sandbox.groupes[0], first=100)


def test_requested_rows_count_even_above_the_page_size(client: Client, sandbox: Sandbox) -> None:
    response = client.post(FULL_PAGE, number=sandbox.groupes[0], first=250)
    assert response.status_code == 200
    assert "data" not in response.json()
    cost = cost_of(FULL_PAGE, number=1, first=250)
    expected = f"Query has complexity of {cost}, which exceeds max complexity of 60000"
    assert [error["message"] for error in response.json()["errors"]] == [expected]


def test_page_without_a_size_counts_as_a_hundred_rows() -> None:
    assert cost_of(FULL_PAGE, number=1) == cost_of(FULL_PAGE, number=1, first=100)


def test_fields_cost_one_and_rows_cost_once_per_requested_row() -> None:
    assert cost_of("{ __typename }") == 1
    assert cost_of("query($n: Int!) { demarche(number: $n) { title state } }", n=1) == 3
    # group, dossiers, pageInfo and its four, nodes, and ten numbers
    assert cost_of(page_query("dossiers"), number=1, first=10) == 1 + 1 + 1 + 4 + 1 + 10
    assert cost_of(page_query("dossiers"), number=1, last=10) == 18


def test_value_of_several_types_costs_as_much_as_the_dearest() -> None:
    both = (
        "dossier(number: 1) { demandeur { id ... on PersonnePhysique { nom prenom } ... on PersonneMorale { siret } } }"
    )
    assert cost_of(f"{{ {both} }}") == 1 + 1 + 3


def test_skipped_fields_cost_nothing() -> None:
    query = "query($yes: Boolean!) { dossier(number: 1) { id number @include(if: $yes) state @skip(if: $yes) } }"
    assert cost_of(query, yes=True) == cost_of(query, yes=False) == 3


def test_depth_has_a_limit(client: Client, sandbox: Sandbox) -> None:
    def nested(levels: int) -> str:
        link = "champs { ... on DossierLinkChamp { dossier { "
        return f"query($n: Int!) {{ dossier(number: $n) {{ {link * levels} number {'} } } ' * levels} }} }}"

    number = client.page("dossiers", first=1)["nodes"][0]["number"]
    assert "depth" not in client.post(nested(6), n=number).text
    response = client.post(nested(7), n=number)
    assert "data" not in response.json()
    assert response.json()["errors"][0]["message"] == "Query has depth of 16, which exceeds max depth of 15"


def test_rate_limit_answers_with_plain_text_and_the_time_of_its_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: 1_795_521_630.5))
    with Sandbox(seed=1, groupes=1, dossiers=3, now=NOW, rate_limit=3) as sandbox:
        client, other = Client(sandbox), Client(sandbox)
        other.headers = {"Authorization": f"Bearer token={sandbox.token}"}
        statuses = [client.post("{ __typename }").status_code for _ in range(3)]
        response = client.post("{ __typename }")
        assert other.post("{ __typename }").status_code == 200, "each raw header has a limit of its own"
    assert statuses == [200, 200, 200]
    assert response.status_code == 429
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["RateLimit-Remaining"] == "0"
    assert response.headers["RateLimit-Reset"] == "1795521660"
    assert "Retry-After" not in response.headers


def test_requests_without_a_header_are_not_limited() -> None:
    limit = RateLimit(1)
    assert [limit.exceeds(None) for _ in range(5)] == [False] * 5


def test_rate_limit_counts_from_zero_in_a_new_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(value=120.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now.value))
    limit = RateLimit(2)
    assert [limit.exceeds("a") for _ in range(3)] == [False, False, True]
    assert limit.reset_at() == 180
    now.value = 179.9
    assert limit.exceeds("a")
    now.value = 180.0
    assert not limit.exceeds("a")
    assert limit.reset_at() == 240


def test_rate_limit_of_zero_limits_nothing() -> None:
    limit = RateLimit(0)
    assert not any(limit.exceeds("a") for _ in range(1_000))
