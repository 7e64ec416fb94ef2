"""Logs of an extraction: progress, and no personal data."""

from __future__ import annotations

import re

import pytest

from ds_provider.exceptions import DSError, DSGroupesFailedError
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from tests.support.operator_service import START, Store, Ti, dossiers, from_the_second_page, unauthorized

PERSON = "Zinedine.Quelquun@example.org"


@pytest.fixture
def lines(capfd, caplog):
    """The lines that were logged, whichever way they went."""

    def read() -> list[str]:
        captured = capfd.readouterr()
        said = [line for line in (captured.out + captured.err).splitlines() if "outside of the Task Runner" not in line]
        return said + [record.getMessage() for record in caplog.records]

    return read


def people(*numbers: int, **more):
    return dossiers(*numbers, usager={"email": PERSON}, champs=[{"label": PERSON, "stringValue": PERSON}], **more)


def operator(destination, groupe=7, **asked):
    return DSExtractDossiersOperator(task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked)


def test_extraction_logs_a_line_per_page_and_one_at_the_end(service, destination, lines):
    service.holds(7, *people(*range(1, 26)))
    operator(destination, page_size=10, concurrency=1).execute({"task_state_store": Store()})
    said = lines()
    assert len(said) == 4
    assert [re.search(r"page (\d+), (\d+) rows", line).groups() for line in said[:3]] == [
        ("1", "10"),
        ("2", "20"),
        ("3", "25"),
    ]
    assert "25 rows in 3 pages and 3 requests" in said[3]
    assert f"{destination}/groupe-7/dossiers/full/manifest.json" in said[3]
    assert all("group 7" in line for line in said)


def test_log_says_how_much_of_the_window_is_read(service, destination, lines):
    service.holds(7, *people(*range(0, 100, 10)))
    bounds = {"created_since": START.isoformat(), "created_until": START.replace(minute=1, second=40).isoformat()}
    operator(destination, page_size=5, **bounds).execute({"task_state_store": Store()})
    assert [re.search(r"(\d+)% of the window", line)[1] for line in lines()[:2]] == ["40", "90"]


def test_log_says_how_much_of_the_window_is_read_in_descending_order(service, destination, lines):
    service.holds(7, *people(*range(0, 100, 10)))
    bounds = {"created_since": START.isoformat(), "created_until": START.replace(minute=1, second=40).isoformat()}
    operator(destination, page_size=5, order="DESC", **bounds).execute({"task_state_store": Store()})
    assert [re.search(r"(\d+)% of the window", line)[1] for line in lines()[:2]] == ["50", "100"]


def test_both_lists_of_deletions_are_logged(service, destination, lines):
    service.holds(7, *people(1, 2), connection="deletedDossiers")
    made = DSExtractDeletedDossiersOperator(task_id="t", groupe_instructeur_number=7, destination=destination)
    made.execute({"task_state_store": Store()})
    said = lines()
    assert len(said) == 4
    assert sum("pending_deleted_dossiers" in line for line in said) == 2


def test_log_warns_of_a_revision_without_rows(service, destination, lines):
    service.holds(7, *people(1, 2))
    operator(destination, revision="UHJv").execute({"task_state_store": Store()})
    assert any("no row is on revision UHJv" in line for line in lines())


@pytest.mark.parametrize(("until", "warned"), [("2999-01-01T00:00:00Z", True), ("2020-01-01T00:00:00Z", False)])
def test_log_warns_of_a_window_that_is_not_over(until, warned, service, destination, lines):
    operator(destination, created_until=until).execute({"task_state_store": Store()})
    assert any("not over" in line for line in lines()) is warned


def test_logs_and_errors_hold_no_personal_data(service, destination, lines):
    service.holds(7, *people(1, 2, 3))
    service.holds(8, *people(1, 2, 3))
    service.holds(9, *people(1, number=PERSON))
    service.holds(10, *people(1, dateDepot=PERSON))
    service.fails(8, from_the_second_page(unauthorized()))
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [7, 8, 9, 10], page_size=2).execute({"ti": Ti()})
    assert set(caught.value.failures) == {8, 9, 10}
    said = lines()
    assert any("8 failed" in line for line in said)
    assert not [line for line in said if PERSON in line]
    assert PERSON not in str(caught.value)


def test_error_about_a_malformed_row_does_not_quote_it(service, destination, lines):
    service.holds(7, *people(1, number=[PERSON]))
    with pytest.raises(DSError) as caught:
        operator(destination).execute({"task_state_store": Store()})
    assert PERSON not in str(caught.value)
    assert PERSON not in "\n".join(lines())
