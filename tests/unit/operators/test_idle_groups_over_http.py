"""An hourly run over a hundred groups of which three changed, asked of the sandbox."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone

import pytest

from ds_provider.exceptions import DSGroupesFailedError, DSGroupesRefusedError, DSNotFoundError, DSUnauthorizedError
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.sandbox import Sandbox
from tests.support.operator_service import Ti

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
UNKNOWN = 1


@pytest.fixture(scope="module")
def served():
    with Sandbox(seed=1, groupes=100, dossiers=3, now=NOW, rate_limit=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served, monkeypatch):
    connection = {"conn_type": "ds", "password": served.token, "host": served.url}
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(connection))
    monkeypatch.setattr("ds_provider.api.transport.client.time.sleep", lambda seconds: None)
    served.requests.clear()
    yield served
    served.faults.clear()


def changes(sandbox) -> list[tuple[int, int]]:
    """Return when each group last changed and its number, the latest first."""
    found = [
        (max(dossier.updated_at for dossier in groupe.dossiers.values() if dossier.visible), groupe.number)
        for groupe in sandbox.world.demarche.groupes
    ]
    return sorted(found, reverse=True)


def hourly(sandbox, destination: str, *more: int) -> DSExtractDossiersOperator:
    """Return a task over all groups, from the fourth last change of a group to now."""
    since = datetime.fromtimestamp(changes(sandbox)[3][0] // 1_000_000 + 1, timezone.utc)
    return DSExtractDossiersOperator(
        task_id="t",
        groupe_instructeur_number=[*sandbox.groupes, *more],
        destination=destination,
        updated_since=since.isoformat(),
        updated_until=NOW.isoformat(),
    )


def changed(sandbox) -> set[int]:
    return {number for _, number in changes(sandbox)[:3]}


def with_rows(summaries) -> set[int]:
    return {summary["groupe_instructeur_number"] for summary in summaries if summary["rows"]}


def asked(sandbox) -> Counter[str]:
    return Counter(request.operation for request in sandbox.requests)


def test_hourly_run_takes_at_most_eight_requests(sandbox, destination):
    summaries = hourly(sandbox, destination).execute({"ti": Ti()})
    assert with_rows(summaries) == changed(sandbox)
    assert all(len(list(iter_rows(summary["manifest"]))) == summary["rows"] for summary in summaries)
    assert len(summaries) == 100
    assert len(sandbox.requests) <= 8
    assert asked(sandbox)["getFirstDossiers"] == 1


def test_unauthorized_groups_fail_alone_and_the_others_stay_cheap(sandbox, destination):
    foreign = sandbox.world.other.groupes[0].number
    ti = Ti()
    with pytest.raises(DSGroupesRefusedError) as caught:
        hourly(sandbox, destination, UNKNOWN, foreign).execute({"ti": ti})
    failures = {groupe: type(error) for groupe, error in caught.value.failures.items()}
    assert failures == {UNKNOWN: DSNotFoundError, foreign: DSUnauthorizedError}
    assert len(ti.pushed["landed"]) == 100
    assert {summary["groupe_instructeur_number"] for summary in ti.pushed["landed"] if summary["rows"]} == changed(
        sandbox
    )
    assert len(sandbox.requests) <= 15


@pytest.mark.parametrize(
    "fault", ["timeout_partial", "timeout_null_root", "null_node", "server_error", "bad_gateway", "cut_body", "dropped"]
)
def test_transient_fault_changes_only_the_number_of_requests(fault, sandbox, destination):
    sandbox.faults.set({fault: {"times": 2}})
    summaries = hourly(sandbox, destination).execute({"ti": Ti()})
    assert with_rows(summaries) == changed(sandbox)
    assert len(sandbox.requests) <= 20


def test_group_with_a_poison_dossier_is_not_idle(sandbox, destination):
    first = next(iter(changed(sandbox)))
    groupe = next(one for one in sandbox.world.demarche.groupes if one.number == first)
    sandbox.faults.set({"poison": {"numbers": sorted(groupe.dossiers)}})
    with pytest.raises(DSGroupesFailedError) as caught:
        hourly(sandbox, destination).execute({"ti": Ti()})
    assert list(caught.value.failures) == [first]
