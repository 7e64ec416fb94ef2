"""With each fault of the service: all rows, or an error that says why. Never fewer rows and no error."""

from __future__ import annotations

from collections import Counter

import pytest

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.transport import retry as retries
from ds_provider.exceptions import DSError, DSQuarantinedError
from ds_provider.hooks.ds import DSHook
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.sandbox.http.faults import NAMES
from tests.support.operator_service import Ti
from tests.support.pauses import cut_short

pytestmark = pytest.mark.integration

PASSING = sorted(set(NAMES) - {"poison", "slow", "complexity"})


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    cut_short(monkeypatch, "ds_provider.api.transport.client", "time", lambda seconds: None)
    monkeypatch.setattr(retries, "RATE_LIMIT_LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(Budget, "refused", lambda budget, seconds: None)


@pytest.fixture
def truth(sandbox, connection):
    sandbox.faults.clear()
    return {groupe: Counter(d["number"] for d in DSHook().iter_dossiers(groupe)) for groupe in sandbox.groupes}


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_now_and_then_costs_no_row(fault, probability, sandbox, connection, truth):
    sandbox.faults.set({fault: probability})
    try:
        for groupe, expected in truth.items():
            try:
                read = Counter(d["number"] for d in DSHook().iter_dossiers(groupe, page_size=20, include_champs=False))
            except DSError as error:
                assert error.groupe_instructeur_number == groupe  # noqa: PT017 - either outcome is right, a third is not
            else:
                assert read == expected
    finally:
        sandbox.faults.clear()


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_from_the_second_page_on_is_an_error_with_its_place(fault, sandbox, connection):
    sandbox.faults.set({fault: {"probability": 1.0, "from": 2}})
    try:
        with pytest.raises(DSError) as caught:
            list(DSHook().iter_dossiers(sandbox.groupes[0], page_size=20))
    finally:
        sandbox.faults.clear()
    assert caught.value.groupe_instructeur_number == sandbox.groupes[0]
    assert caught.value.cursor


def test_a_service_that_refuses_large_pages_is_read_with_small_ones(sandbox, connection, truth):
    sandbox.faults.set({"complexity": {"page_size": 20}})
    try:
        groupe = sandbox.groupes[0]
        assert Counter(d["number"] for d in DSHook().iter_dossiers(groupe)) == truth[groupe]
    finally:
        sandbox.faults.clear()


def read_into(numbers, groupe):
    for dossier in DSHook().iter_dossiers(groupe):
        numbers.append(dossier["number"])


def test_a_dossier_that_fails_the_service_is_named_after_all_others(sandbox, connection, truth):
    groupe = sandbox.groupes[0]
    culprit = sorted(truth[groupe])[40]
    sandbox.faults.set({"poison": {"numbers": [culprit]}})
    read = []
    try:
        with pytest.raises(DSQuarantinedError) as caught:
            read_into(read, groupe)
    finally:
        sandbox.faults.clear()
    assert caught.value.numbers == [culprit]
    assert Counter(read) == truth[groupe] - Counter([culprit])


@pytest.mark.parametrize("fault", [*PASSING, "none"])
@pytest.mark.parametrize("probability", [0.05, 0.2])
def test_side_by_side_a_fault_costs_no_row(fault, probability, sandbox, connection, truth, tmp_path):
    sandbox.faults.set({fault: probability} if fault != "none" else {})
    try:
        for groupe, expected in truth.items():
            extract = DSExtractDossiersOperator(
                task_id="t",
                groupe_instructeur_number=groupe,
                destination=f"file://{tmp_path}",
                include_champs=False,
                concurrency=4,
            )
            try:
                summary = extract.execute({"ti": Ti()})
            except DSError as error:
                assert error.groupe_instructeur_number == groupe  # noqa: PT017 - either outcome is right, a third is not
            else:
                assert Counter(row["number"] for row in iter_rows(summary["manifest"])) == expected
    finally:
        sandbox.faults.clear()
