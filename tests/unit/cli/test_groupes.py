"""The groups of a démarche are listed with their dossiers, for few requests."""

from __future__ import annotations

from ds_provider.sandbox import Sandbox
from tests.support.command_line import Run


def test_groupes_shows_each_group_and_how_many_dossiers_it_holds(ds: Run, sandbox: Sandbox, shown) -> None:
    ran = ds("groupes", sandbox.demarche, "-o", "json")
    assert ran.code == 0
    assert ran.rows == [
        {
            "number": groupe["number"],
            "label": groupe["label"],
            "closed": groupe["closed"],
            "dossiers": len(groupe["dossiers"]),
        }
        for groupe in shown
    ]


def test_groupes_says_what_it_sent(ds: Run, sandbox: Sandbox) -> None:
    before = sandbox.state.served
    ran = ds("groupes", sandbox.demarche)
    assert f"3 groups; {sandbox.state.served - before} requests sent" in ran.err


def test_groupes_without_counts_is_one_request(ds: Run, sandbox: Sandbox) -> None:
    before = sandbox.state.served
    ran = ds("groupes", sandbox.demarche, "--no-counts", "-o", "json")
    assert sandbox.state.served - before == 1
    assert "dossiers" not in ran.rows[0]


def test_groupes_of_an_unknown_demarche_is_an_error(ds: Run) -> None:
    ran = ds("groupes", 5)
    assert (ran.code, ran.out) == (3, "")
    assert "Demarche not found" in ran.error


def test_groupes_refuses_what_is_no_number_before_any_request(ds: Run, sandbox: Sandbox) -> None:
    before = sandbox.state.served
    ran = ds("groupes", "abc")
    assert ran.code == 2
    assert "demarche must be a number" in ran.error
    assert sandbox.state.served == before
