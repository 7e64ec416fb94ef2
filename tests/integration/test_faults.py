"""Every fault of the service ends in all rows or in an error that says why, never in fewer rows without an error."""

from __future__ import annotations

from collections import Counter

import pytest

from ds_provider.exceptions import DSError, DSQuarantinedError
from ds_provider.hooks.ds import DSHook
from tests.support.sandboxes import PASSING_FAULTS

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("connection", "no_pauses")]


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_fault_at_random_loses_no_row(fault, probability, faults, shown):
    faults.set({fault: probability})
    for groupe, expected in shown.items():
        try:
            read = Counter(d["number"] for d in DSHook().iter_dossiers(groupe, page_size=20, include_champs=False))
        except DSError as error:
            assert error.groupe_instructeur_number == groupe  # noqa: PT017 - either outcome is right, a third is not
        else:
            assert read == expected


@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_error_names_the_cursor_of_a_fault_from_page_two_on(fault, faults, sandbox):
    faults.set({fault: {"probability": 1.0, "from": 2}})
    with pytest.raises(DSError) as caught:
        list(DSHook().iter_dossiers(sandbox.groupes[0], page_size=20))
    assert caught.value.groupe_instructeur_number == sandbox.groupes[0]
    assert caught.value.cursor


def test_hook_reads_small_pages_where_the_service_refuses_large_ones(faults, sandbox, shown):
    faults.set({"complexity": {"page_size": 20}})
    groupe = sandbox.groupes[0]
    assert Counter(d["number"] for d in DSHook().iter_dossiers(groupe)) == shown[groupe]


def read_into(numbers, groupe):
    for dossier in DSHook().iter_dossiers(groupe):
        numbers.append(dossier["number"])


def test_error_names_a_poison_dossier_after_all_others(faults, sandbox, shown):
    groupe = sandbox.groupes[0]
    poison = sorted(shown[groupe])[40]
    faults.set({"poison": {"numbers": [poison]}})
    read = []
    with pytest.raises(DSQuarantinedError) as caught:
        read_into(read, groupe)
    assert caught.value.numbers == [poison]
    assert Counter(read) == shown[groupe] - Counter([poison])
