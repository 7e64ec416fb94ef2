"""Logs of an extraction: progress, and no personal data."""

from __future__ import annotations

import re

import pytest

from ds_provider.exceptions import DSError, DSGroupesFailedError
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from tests.support.operator_service import START, Store, Ti, dossiers, from_the_second_page, unauthorized

PERSON = "Zinedine.Quelquun@example.org"


def people(*numbers: int, **more):
    return dossiers(*numbers, usager={"email": PERSON}, champs=[{"label": PERSON, "stringValue": PERSON}], **more)


def operator(destination, groupe=7, **asked):
    return DSExtractDossiersOperator(task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked)


def said_of(lines: list[str], start: str) -> list[str]:
    """The lines that begin so, without the seconds, which differ."""
    return [re.sub(r"[\d.]+ s\b", "… s", line) for line in lines if line.strip().startswith(start)]


def test_extraction_logs_a_line_per_page_and_one_at_the_end(service, destination, lines):
    service.holds(7, *people(*range(1, 26)))
    operator(destination, page_size=10, concurrency=1).execute({"task_state_store": Store()})
    said = lines()
    assert len(said) == 4
    assert said_of(said, "group 7") == [
        "group 7 (défaut): page 1: 10 dossiers, 10 in all",
        "group 7 (défaut): page 2: 10 dossiers, 20 in all",
        "group 7 (défaut): page 3: 5 dossiers, 25 in all",
        "group 7 (défaut): 25 dossiers; the full group; 3 pages, 3 requests, … s; landed at "
        f"{destination}/groupe-7/dossiers/full/manifest.json",
    ]


def test_group_of_one_page_is_one_line(service, destination, lines):
    service.holds(7, *people(1))
    operator(destination, state="accepte").execute({"task_state_store": Store()})
    (said,) = said_of(lines(), "group 7")
    assert said.startswith(
        "group 7 (défaut): 1 dossier; of any date, state=accepte; 1 page, 1 request, … s; landed at file://"
    )


def test_list_of_groups_ends_with_one_line_about_all(service, destination, lines):
    service.holds(7, *people(1, 2, 3))
    service.holds(8, *people(4))
    operator(destination, [7, 8, 9], created_since=START.isoformat()).execute({"ti": Ti()})
    said = lines()
    assert said_of(said, "landed 4") == ["landed 4 dossiers of 3 groups (1 without anything new); 3 requests, … s"]
    assert len(said_of(said, "group 9")) == 0


def test_extraction_counts_what_it_resumes(service, destination, lines):
    service.holds(7, *people(*range(1, 26)))
    service.fails(7, from_the_second_page(unauthorized()))
    context = {"task_state_store": Store()}
    with pytest.raises(DSError):
        operator(destination, page_size=10, concurrency=1).execute(context)
    service.fails(7, lambda request: None)
    operator(destination, page_size=10, concurrency=1).execute(context)
    said = said_of(lines(), "group 7")
    assert "group 7: going on after 10 rows in 1 page of an earlier try" in said
    assert any("15 in all" not in line and "20 in all" in line for line in said)


def test_log_says_how_much_of_the_window_is_read(service, destination, lines):
    service.holds(7, *people(*range(0, 100, 10)))
    bounds = {"created_since": START.isoformat(), "created_until": START.replace(minute=1, second=40).isoformat()}
    operator(destination, page_size=5, **bounds).execute({"task_state_store": Store()})
    assert re.findall(r"(\d+)% of the window", "\n".join(lines())) == ["40", "90"]


def test_log_says_how_much_of_the_window_is_read_in_descending_order(service, destination, lines):
    service.holds(7, *people(*range(0, 100, 10)))
    bounds = {"created_since": START.isoformat(), "created_until": START.replace(minute=1, second=40).isoformat()}
    operator(destination, page_size=5, order="DESC", **bounds).execute({"task_state_store": Store()})
    assert re.findall(r"(\d+)% of the window", "\n".join(lines())) == ["50", "100"]


def test_both_lists_of_deletions_are_one_line(service, destination, lines):
    service.holds(7, *people(1, 2), connection="deletedDossiers")
    made = DSExtractDeletedDossiersOperator(task_id="t", groupe_instructeur_number=7, destination=destination)
    made.execute({"task_state_store": Store()})
    (said,) = said_of(lines(), "group 7")
    assert (
        "group 7 (défaut): 0 pending deletions, 2 deletions; the full group; 2 pages, 2 requests, … s; landed at"
        in said
    )


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
