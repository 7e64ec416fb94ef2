"""Every fault of the service ends an extraction of concurrent requests in all rows, or in an error."""

from __future__ import annotations

from collections import Counter

import pytest

from ds_provider.exceptions import DSError
from ds_provider.landing import iter_rows
from ds_provider.operators.extract import DSExtractDossiersOperator
from tests.support.operator_service import Ti
from tests.support.sandboxes import PASSING_FAULTS

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("connection", "no_pauses")]


@pytest.mark.parametrize("fault", [*PASSING_FAULTS, "none"])
@pytest.mark.parametrize("probability", [0.05, 0.2])
def test_fault_at_random_loses_no_row_of_an_extraction(fault, probability, faults, shown, tmp_path):
    faults.set({fault: probability} if fault != "none" else {})
    for groupe, expected in shown.items():
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
