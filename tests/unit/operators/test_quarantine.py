"""Quarantine: a dossier that the service cannot give is named, and all others land."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.exceptions import DSConfigurationError, DSGroupesFailedError, DSQuarantinedError
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_rows, read_quarantine
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from tests.support.connection_model import Connection
from tests.support.flows import response
from tests.support.operator_service import CONNECTIONS, Store, Ti, dossiers


def poison(service, groupe: int, *numbers: int) -> None:
    """Let full answers fail that hold one of these dossiers."""

    def answer(request: Request) -> Exchange | None:
        if "query getLight" in request.query or "query probeDossiers" in request.query:
            return None
        name = next(name for name in CONNECTIONS if f" {name}(" in request.query)
        page = Connection(service.rows.get((groupe, name), []), name)(request)
        nodes = json.loads(page.body)["data"]["groupeInstructeur"][name]["nodes"]
        extensions = {"code": "internal_server_error", "exception_id": "e-77"}
        failure = response({"errors": [{"message": "Internal Server Error", "extensions": extensions}]}, status=500)
        return failure if any(node["number"] in numbers for node in nodes) else None

    service.fails(groupe, answer)
    for number in numbers:
        # a dossier on its own is asked for by its number
        service.fails(number, lambda request: response(status=500))


def operator(destination, groupe=7, kind=DSExtractDossiersOperator, **asked):
    return kind(task_id="t", groupe_instructeur_number=groupe, destination=destination, **asked)


def landed(manifest: str) -> list[int]:
    return sorted(row["number"] for row in iter_rows(manifest))


def test_poison_dossier_fails_the_task_by_default_once_all_others_are_landed(service, destination):
    service.holds(7, *dossiers(*range(1, 31)))
    poison(service, 7, 5, 20)
    ti = Ti()
    with pytest.raises(DSQuarantinedError, match="5, 20") as caught:
        operator(destination).execute({"ti": ti})
    error = caught.value
    assert (error.numbers, error.exception_id, error.groupe_instructeur_number) == ([5, 20], "e-77", 7)
    assert "on_dossier_error" in str(error)
    (summary,) = ti.pushed["landed"]
    assert (summary["rows"], summary["quarantined"]) == (28, 2)
    assert landed(summary["manifest"]) == [n for n in range(1, 31) if n not in (5, 20)]


def test_accepted_quarantine_succeeds_and_is_counted(service, destination):
    service.holds(7, *dossiers(*range(1, 31)))
    poison(service, 7, 5)
    summary = operator(destination, on_dossier_error="quarantine").execute({})
    assert (summary["rows"], summary["quarantined"]) == (29, 1)
    assert read_manifest(summary["manifest"]).quarantined == 1
    (record,) = read_quarantine(summary["manifest"])
    assert (record.number, record.code, record.exception_id) == (5, "internal_server_error", "e-77")


def test_next_run_lands_a_healed_dossier_whatever_its_window(service, destination):
    service.holds(7, *dossiers(*range(1, 31)))
    poison(service, 7, 5)
    operator(destination, on_dossier_error="quarantine", created_until="2026-11-01T08:00:10Z").execute({})
    service.fails(5, lambda request: response({"data": {"dossier": dossiers(5)[0].node()}}))
    later = {"created_since": "2026-11-01T08:00:10Z", "created_until": "2026-11-01T08:00:20Z"}
    summary = operator(destination, **later).execute({})
    assert landed(summary["manifest"]) == [5, *range(10, 20)]
    again = operator(destination, **later).execute({})
    assert landed(again["manifest"]) == list(range(10, 20)), "it is not waited for any more"


def test_next_run_names_a_poison_dossier_again(service, destination):
    service.holds(7, *dossiers(*range(1, 31)))
    poison(service, 7, 5)
    operator(destination, on_dossier_error="quarantine", created_until="2026-11-01T08:00:10Z").execute({})
    with pytest.raises(DSQuarantinedError, match="5"):
        operator(destination, created_since="2026-11-01T08:00:10Z").execute({"ti": Ti()})


def test_retry_reads_only_the_poison_dossier_again(service, destination):
    service.holds(7, *dossiers(*range(1, 31)))
    poison(service, 7, 5)
    context = {"ti": Ti(), "task_state_store": Store()}
    with pytest.raises(DSQuarantinedError):
        operator(destination).execute(context)
    service.fails(7, lambda request: None)
    service.requests.clear()
    summary = operator(destination).execute(context)
    assert landed(summary["manifest"]) == list(range(1, 31))
    asked = [request.variables["first"] for request in service.requests if "query getDossiers" in request.query]
    assert asked == [1]


def test_group_with_a_poison_dossier_is_named_and_landed(service, destination):
    for groupe in (1, 2, 3):
        service.holds(groupe, *dossiers(*range(1, 11)))
    poison(service, 2, 4)
    ti = Ti()
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [1, 2, 3]).execute({"ti": ti})
    assert list(caught.value.failures) == [2]
    assert caught.value.failures[2].numbers == [4]
    assert [summary["rows"] for summary in ti.pushed["landed"]] == [10, 9, 10]


def test_poison_deletion_is_quarantined(service, destination):
    service.holds(7, *dossiers(*range(1, 11)), connection="deletedDossiers")
    poison(service, 7, 4)
    kind = DSExtractDeletedDossiersOperator
    summary = operator(destination, kind=kind, on_dossier_error="quarantine").execute({})
    assert (summary["rows"], summary["quarantined"]) == (9, 1)
    with pytest.raises(DSQuarantinedError, match="4"):
        operator(destination, kind=kind).execute({"ti": Ti()})


BROKEN = "a\ud800b"


@pytest.mark.parametrize("concurrency", [1, 4])
def test_dossiers_with_a_value_that_is_no_json_are_quarantined_without_more_requests(service, destination, concurrency):
    rows = [*dossiers(*range(1, 601)), *dossiers(601, montant=float("nan")), *dossiers(602, nom=BROKEN)]
    service.holds(7, *rows[:600])
    operator(f"{destination}/whole", concurrency=concurrency).execute({})
    usual = len(service.requests)
    service.holds(7, *rows[:300], *rows[600:], *rows[300:600])
    ti = Ti()
    with pytest.raises(DSQuarantinedError, match=r"601.*no JSON") as caught:
        operator(destination, concurrency=concurrency).execute({"ti": ti})
    assert caught.value.numbers == [601]
    assert landed(ti.pushed["landed"][0]["manifest"]) == [n for n in range(1, 603) if n != 601]
    assert len(service.requests) - usual <= usual + 1


def test_texts_that_are_no_json_are_repaired_and_counted_in_the_log(service, destination, capsys):
    service.holds(7, *dossiers(1, 2), *dossiers(3, 4, nom=BROKEN, objet="Zoé"))
    summary = operator(destination).execute({})
    assert (summary["rows"], summary["quarantined"]) == (4, 0)
    assert [row.get("nom") for row in iter_rows(summary["manifest"])] == [None, None, "a\ufffdb", "a\ufffdb"]
    logged = capsys.readouterr().out
    assert "2 texts of 2 dossiers (3, 4) held characters that are none" in logged


def test_deletion_with_a_value_that_is_no_json_is_quarantined(service, destination):
    service.holds(7, *dossiers(1), *dossiers(2, state=float("nan")), connection="deletedDossiers")
    kind = DSExtractDeletedDossiersOperator
    summary = operator(destination, kind=kind, on_dossier_error="quarantine").execute({})
    assert (summary["rows"], summary["quarantined"]) == (1, 1)


@pytest.mark.parametrize("kind", [DSExtractDossiersOperator, DSExtractDeletedDossiersOperator])
def test_unknown_policy_is_refused_before_any_request(kind, service, destination):
    with pytest.raises(DSConfigurationError, match="on_dossier_error"):
        operator(destination, kind=kind, on_dossier_error="ignore").execute({})
    assert service.requests == []


@pytest.mark.parametrize("readers", [0, 17, "many", None])
def test_invalid_concurrency_is_refused_before_any_request(readers, service, destination):
    with pytest.raises(DSConfigurationError, match="concurrency"):
        operator(destination, concurrency=readers).execute({})
    assert service.requests == []
