"""The check names each thing that cannot work, with its remedy and an exit code, and changes nothing."""

from __future__ import annotations

import pytest

from ds_provider.cli import installation
from ds_provider.hooks.ds import DSHook
from ds_provider.sandbox import Sandbox
from tests.support.command_line import Ran, Run


def results(ran: Ran) -> dict[str, str]:
    return {row["check"]: row["result"] for row in ran.rows}


def detail(ran: Ran, check: str) -> str:
    return next(row["detail"] for row in ran.rows if row["check"] == check)


def test_check_of_a_connection_that_works_has_no_error(ds: Run, sandbox: Sandbox) -> None:
    before = sandbox.state.served
    ran = ds("check", "-o", "json")
    assert ran.code == 0
    assert set(results(ran).values()) <= {"ok", "warning"}
    assert detail(ran, "address") == sandbox.url
    assert sandbox.state.served - before == 1
    assert sandbox.token not in ran.out + ran.err


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("expired", "expired"),
        ("ip_locked", "this machine's address 127.0.0.1/32"),
        ("nonsense", "does not know this token"),
    ],
)
def test_check_tells_refused_tokens_apart(ds: Run, sandbox: Sandbox, use, token: str, words: str) -> None:
    value = sandbox.state.tokens.named().get(token, "bm8tc3VjaC10b2tlbg==")
    use(password=value)
    ran = ds("check", "-o", "json")
    assert ran.code == 3
    assert results(ran)["token"] == "error"
    assert "rights" not in results(ran)
    assert words.lower() in detail(ran, "token").lower()
    assert value not in ran.out + ran.err


def test_check_of_a_demarche_says_if_the_token_has_a_right_on_it(ds: Run, sandbox: Sandbox, use) -> None:
    assert "shows 3 groups" in detail(ds("check", "--demarche", sandbox.demarche, "-o", "json"), "rights")
    use(password=sandbox.state.tokens.without_rights.value)
    ran = ds("check", "--demarche", sandbox.demarche, "-o", "json")
    assert ran.code == 3
    assert results(ran)["rights"] == "error"


def test_check_of_a_closed_port_ends_with_code_4(ds: Run, use) -> None:
    use(host="http://127.0.0.1:9/api/v2/graphql")
    ran = ds("check", "-o", "json")
    assert ran.code == 4
    assert results(ran)["token"] == "error"


def test_check_of_a_missing_connection_checks_the_rest_all_the_same(ds: Run) -> None:
    ran = ds("check", "nix", "-o", "json")
    assert ran.code == 2
    assert list(results(ran)) == ["connection", "extras", "warehouse"]
    assert "airflow connections add" in detail(ran, "connection")


def test_check_of_a_connection_that_cannot_work_names_the_field(ds: Run, use) -> None:
    use(extra={"read_timout": 60})
    ran = ds("check", "-o", "json")
    assert ran.code == 2
    assert "read_timeout" in detail(ran, "connection")


def test_check_warns_of_a_token_that_travels_in_clear(ds: Run, use) -> None:
    use(host="http://ds.example.invalid/api/v2/graphql")
    ran = ds("check", "-o", "json")
    assert results(ran)["address"] == "warning"


def test_check_shows_the_proxy_without_its_password(ds: Run, use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hush@127.0.0.1:9")
    use(host="ds.example.invalid")
    ran = ds("check", "-o", "json")
    assert "by the proxy http://127.0.0.1:9 of HTTPS_PROXY" in detail(ran, "network")
    assert "hush" not in ran.out + ran.err


def test_check_shows_what_is_spent_of_the_budget_and_spends_nothing(ds: Run, sandbox: Sandbox, use) -> None:
    use(extra={"requests_per_minute": 50})
    with DSHook().client():
        pass
    DSHook().get_groupes(sandbox.demarche)
    for _ in range(3):
        ran = ds("check", "-o", "json")
        assert "1 of 50 requests a minute spent, counted in " in detail(ran, "budget")


def test_check_warns_of_a_budget_that_a_refusal_halved(ds: Run, use) -> None:
    use(extra={"requests_per_minute": 50})
    with DSHook().client() as client:
        assert client._budget
        client._budget.record_refusal(None)
    ran = ds("check", "-o", "json")
    assert results(ran)["budget"] == "warning"
    assert ran.code == 0


def test_check_names_a_store_of_the_budget_that_is_away(ds: Run, use) -> None:
    use(extra={"budget_url": "redis://:hush@127.0.0.1:9/0"})
    ran = ds("check", "-o", "json")
    assert ran.code == 4
    assert results(ran)["budget"] == "error"
    assert "hush" not in ran.out + ran.err


def test_check_makes_no_warehouse_in_a_home_that_has_none(ds: Run, home) -> None:
    assert results(ds("check", "-o", "json"))["warehouse"] == "ok"
    assert not (home / "ds_warehouse.duckdb").exists()


def test_check_of_a_warehouse_that_is_away_is_an_error(ds: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", "postgres://u:hush@127.0.0.1:9/db")
    ran = ds("check", "--warehouse-conn-id", "away", "-o", "json")
    assert ran.code == 4
    assert results(ran)["warehouse"] == "error"
    assert "hush" not in ran.out + ran.err


def test_extras_that_are_not_installed_are_named_with_what_they_need(ds: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("redis", "duckdb"):
            raise installation.PackageNotFoundError(name)
        return actual(name)

    actual = installation.version
    monkeypatch.setattr(installation, "version", version)
    found = installation.missing_by_extra()
    assert found["redis"] == ["redis>=5"]
    assert found["warehouse"] == ["duckdb>=1.5"]
    assert found["warehouse-postgres"] == ["duckdb>=1.5"]
    assert found["sandbox"] == []
    assert "not installed: warehouse (needs duckdb>=1.5)" in detail(ds("check", "-o", "json"), "extras")


def test_extras_are_those_of_the_package() -> None:
    assert all(list(installation._requirements(installation.DISTRIBUTION, extra)) for extra in installation.EXTRAS)
