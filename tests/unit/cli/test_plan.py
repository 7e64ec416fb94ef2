"""A plan counts exactly, says what it estimates and what it cost, and is cheap."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ds_provider.sandbox import Sandbox
from tests.support.command_line import Run
from tests.support.dag_files import micros
from tests.unit.cli.conftest import NOW


def in_window(groupe: dict[str, Any], column: str, start: datetime, end: datetime) -> int:
    return sum(micros(start) <= dossier[column] < micros(end) for dossier in groupe["dossiers"])


def test_plan_of_a_demarche_counts_its_groups(ds: Run, sandbox: Sandbox, shown) -> None:
    before = sandbox.state.served
    ran = ds("plan", "--demarche", sandbox.demarche, "-o", "json")
    *groups, total = ran.rows
    assert ran.code == 0
    assert {row["number"]: row["dossiers"] for row in groups} == {one["number"]: len(one["dossiers"]) for one in shown}
    assert [row["label"] for row in groups] == [one["label"] for one in shown]
    assert (total["number"], total["label"]) == (None, "total")
    for column in ("dossiers", "requests"):
        assert total[column] == sum(row[column] for row in groups)
    assert f"{sandbox.state.served - before} requests sent for this plan" in ran.err
    assert sandbox.state.served - before <= 4


@pytest.mark.parametrize(("column", "date"), [("created", "depose_at"), ("updated", "updated_at")])
def test_plan_of_a_window_counts_what_is_in_it(ds: Run, sandbox: Sandbox, shown, column: str, date: str) -> None:
    start, end = NOW - timedelta(days=40), NOW - timedelta(days=9, seconds=7)
    options = (f"--{column}-since", start.isoformat(), f"--{column}-until", end.isoformat())
    *groups, _ = ds("plan", "--groupe", *sandbox.groupes, *options, "-o", "json").rows
    expected = {one["number"]: in_window(one, date, start, end) for one in shown}
    assert any(expected.values())
    assert {row["number"]: row["dossiers"] for row in groups} == expected


def test_plan_of_an_empty_window_takes_no_bytes(ds: Run, sandbox: Sandbox) -> None:
    late = (NOW + timedelta(days=1)).isoformat()
    ran = ds("plan", "--groupe", *sandbox.groupes, "--updated-since", late, "-o", "json")
    assert ran.code == 0
    assert {row["bytes"] for row in ran.rows} == {0}


def test_more_parts_of_a_dossier_take_more_bytes(ds: Run, sandbox: Sandbox) -> None:
    def size(*options: str) -> int:
        return int(ds("plan", "--groupe", sandbox.groupes[0], *options, "-o", "json").rows[-1]["bytes"])

    assert size("--no-include-champs") < size() < size("--include-messages")


def test_minutes_say_what_the_budget_allows(ds: Run, sandbox: Sandbox, use) -> None:
    use(extra={"requests_per_minute": 10})
    total = ds("plan", "--groupe", *sandbox.groupes, "-o", "json").rows[-1]
    assert total["minutes_by_budget"] == total["requests"] / 10
    assert total["minutes"] >= total["minutes_by_budget"]


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ((), "--groupe and --demarche"),
        (("--groupe", "7", "--demarche", "8"), "--groupe and --demarche"),
        (("--groupe", "x"), "groupe must be a number"),
        (("--groupe", "7", "--updated-since", "1 November"), "updated_since must be a date and time"),
        (("--groupe", "7", "--updated-since", "2099-01-01T00:00:00Z"), "has not begun"),
        (("--demarche", "7", "--created-since", "2026-11-01T00:00"), "created_since needs a time zone"),
        (("--groupe", "7", "--concurrency", "99"), "concurrency must be between 1 and 16"),
    ],
)
def test_plan_refuses_what_cannot_be_before_any_request(ds: Run, sandbox: Sandbox, argv, named: str) -> None:
    before = sandbox.state.served
    ran = ds("plan", *argv)
    assert ran.code == 2
    assert named in ran.error
    assert sandbox.state.served == before


def test_plan_names_a_group_that_the_service_does_not_show(ds: Run, sandbox: Sandbox) -> None:
    ran = ds("plan", "--groupe", sandbox.groupes[0], 9)
    assert ran.code == 3
    assert "groupe instructeur number 9" in ran.error
    assert "airflow ds groupes" in ran.error
