"""Scans and fetches by number against the sandbox: all dossiers, or an error that says why."""

from __future__ import annotations

import pytest

from ds_provider.api.paging.by_number import fetch_by_numbers
from ds_provider.api.paging.scan import scan
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.exceptions import DSError
from ds_provider.hooks.ds import DSHook
from tests.support.sandboxes import PASSING_FAULTS, connect

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("connection", "no_pauses")]

UNKNOWN = 2**31 - 1
# the links to files are signed anew for each answer
CHANGING = ("pdf", "geojson")


@pytest.fixture(scope="module")
def nodes(sandbox):
    """The dossiers of one group, by number."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        connect(sandbox, monkeypatch)
        return {node["number"]: node for node in DSHook().iter_dossiers(sandbox.groupes[0])}


def pages_of(flow):
    with DSHook().client() as client:
        return list(client.iterate(flow))


def by_number(numbers):
    return fetch_by_numbers(select_dossiers(1), numbers)


def rows_in(pages):
    return sorted(row.head.number for page in pages for row in page.rows)


def test_scan_finds_every_dossier_with_its_state(sandbox, nodes):
    requests = sandbox.state.served
    pages = pages_of(scan(sandbox.groupes[0]))
    requests = sandbox.state.served - requests
    scanned = {one.number: one for page in pages for one in page}
    assert sorted(scanned) == sorted(nodes)
    assert {n: (one.state, one.archived) for n, one in scanned.items()} == {
        n: (node["state"], node["archived"]) for n, node in nodes.items()
    }
    assert requests == len(pages) == -(-len(nodes) // 100)


def test_dossier_by_number_equals_its_row_in_a_page(nodes):
    import msgspec

    pages = pages_of(by_number(nodes))
    assert len(pages) == -(-len(nodes) // 50)
    shown = [msgspec.json.decode(row.raw) for page in pages for row in page.rows]

    def lasting(node):
        return {name: value for name, value in node.items() if name not in CHANGING}

    assert [node["number"] for node in shown] == list(nodes)
    assert [list(node) for node in shown] == [list(node) for node in nodes.values()]
    assert all(
        lasting(node)["champs"] == lasting(nodes[node["number"]])["champs"] or holds_files(node) for node in shown
    )


def holds_files(node):
    return "url" in str(node["champs"])


def test_unknown_number_hides_no_other(nodes):
    pages = pages_of(by_number([*nodes, UNKNOWN]))
    assert rows_in(pages) == sorted(nodes)
    assert [number for page in pages for number in page.not_found] == [UNKNOWN]


def test_poison_dossier_is_quarantined_and_hides_no_other(faults, nodes):
    poison = sorted(nodes)[17]
    faults.set({"poison": {"numbers": [poison]}})
    pages = pages_of(by_number(nodes))
    assert rows_in(pages) == sorted(set(nodes) - {poison})
    assert [record.number for page in pages for record in page.quarantined] == [poison]


@pytest.mark.parametrize("probability", [0.2, 0.6])
@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_fault_at_random_loses_no_dossier(fault, probability, faults, sandbox, nodes):
    faults.set({fault: probability})
    for flow, numbers in (
        (scan(sandbox.groupes[0]), lambda page: [one.number for one in page]),
        (
            by_number(nodes),
            lambda page: [row.head.number for row in page.rows] + [one.number for one in page.quarantined],
        ),
    ):
        try:
            found = [number for page in pages_of(flow) for number in numbers(page)]
        except DSError as error:
            assert error.groupe_instructeur_number  # noqa: PT017 - either outcome is right, a third is not
        else:
            assert sorted(found) == sorted(nodes)
