"""Sweeps and readings by number against the sandbox: all dossiers, or an error that says why."""

from __future__ import annotations

import pytest

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.paging.by_number import fetch_by_numbers
from ds_provider.api.paging.scan import scan
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.transport import retry as retries
from ds_provider.exceptions import DSError
from ds_provider.hooks.ds import DSHook
from ds_provider.sandbox.http.faults import NAMES
from tests.support.pauses import cut_short

pytestmark = pytest.mark.integration

PASSING = sorted(set(NAMES) - {"poison", "slow", "complexity"})
NOBODYS = 2**31 - 1
# the links to files are signed anew for each answer
CHANGING = ("pdf", "geojson")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", lambda seconds: None)
    monkeypatch.setattr(retries, "RATE_LIMIT_LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(Budget, "refused", lambda budget, seconds: None)


@pytest.fixture
def truth(sandbox, connection):
    """The dossiers of one group, by number."""
    sandbox.faults.clear()
    yield {node["number"]: node for node in DSHook().iter_dossiers(sandbox.groupes[0])}
    sandbox.faults.clear()


def pages_of(flow):
    with DSHook().client() as client:
        return list(client.iterate(flow))


def by_number(numbers):
    return fetch_by_numbers(select_dossiers(1), numbers)


def rows_in(pages):
    return sorted(row.head.number for page in pages for row in page.rows)


def test_a_sweep_sees_what_a_reading_gives(sandbox, truth):
    pages = pages_of(scan(sandbox.groupes[0]))
    seen = {one.number: one for page in pages for one in page.dossiers}
    assert sorted(seen) == sorted(truth)
    assert {n: (one.state, one.archived) for n, one in seen.items()} == {
        n: (node["state"], node["archived"]) for n, node in truth.items()
    }
    assert sum(page.requests for page in pages) == len(pages) == -(-len(truth) // 100)


def test_a_dossier_by_number_is_the_same_as_in_a_page(truth):
    import msgspec

    pages = pages_of(by_number(truth))
    assert len(pages) == -(-len(truth) // 50)
    shown = [msgspec.json.decode(row.raw) for page in pages for row in page.rows]

    def lasting(node):
        return {name: value for name, value in node.items() if name not in CHANGING}

    assert [node["number"] for node in shown] == list(truth)
    assert [list(node) for node in shown] == [list(node) for node in truth.values()]
    assert all(
        lasting(node)["champs"] == lasting(truth[node["number"]])["champs"] or holds_files(node) for node in shown
    )


def holds_files(node):
    return "url" in str(node["champs"])


def test_a_number_that_is_nobodys_hides_no_other(truth):
    pages = pages_of(by_number([*truth, NOBODYS]))
    assert rows_in(pages) == sorted(truth)
    assert [number for page in pages for number in page.gone] == [NOBODYS]


def test_a_dossier_that_fails_the_service_is_named_and_hides_no_other(sandbox, truth):
    culprit = sorted(truth)[17]
    sandbox.faults.set({"poison": {"numbers": [culprit]}})
    pages = pages_of(by_number(truth))
    assert rows_in(pages) == sorted(set(truth) - {culprit})
    assert [record.number for page in pages for record in page.quarantined] == [culprit]


@pytest.mark.parametrize("probability", [0.2, 0.6])
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_now_and_then_costs_no_dossier(fault, probability, sandbox, truth):
    sandbox.faults.set({fault: probability})
    for flow, numbers in (
        (scan(sandbox.groupes[0]), lambda page: [one.number for one in page.dossiers]),
        (
            by_number(truth),
            lambda page: [row.head.number for row in page.rows] + [one.number for one in page.quarantined],
        ),
    ):
        try:
            told = [number for page in pages_of(flow) for number in numbers(page)]
        except DSError as error:
            assert error.groupe_instructeur_number  # noqa: PT017 - either outcome is right, a third is not
        else:
            assert sorted(told) == sorted(truth)
