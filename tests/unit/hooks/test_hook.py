"""The hook, with a service on this machine: requests, results and refusals."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from contextlib import suppress
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from ds_provider.api.query import lookups
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import (
    DSConfigurationError,
    DSError,
    DSNotFoundError,
    DSRequestError,
    DSServerError,
    DSUnauthorizedError,
)
from ds_provider.hooks.ds import DSHook
from ds_provider.sandbox import Sandbox
from tests.support.hook_service import TOKEN, refused


def test_connection_test_accepts_a_connection_that_works(service):
    # so the service answers whoever has a valid token, and nobody else: no démarche has the number 0
    service.will_respond(refused("Demarche not found", "not_found"))
    assert DSHook().test_connection() == (True, "The service answers and accepts the token.")
    assert service.headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert service.headers[0]["user-agent"].startswith("airflow-provider-demarches-simplifiees/")
    assert service.headers[0]["accept-language"] == "fr"


REFUSALS = {
    "expired": (401, refused("Token expired", "unauthorized"), "the token has expired"),
    "unknown": (
        403,
        refused("Without a token, only persisted queries are allowed", "forbidden"),
        "does not know this token",
    ),
    "network": (
        403,
        refused("Request issued from a forbidden network. Add 203.0.113.7/32 to your allowed adresses", "forbidden"),
        "203.0.113.7/32",
    ),
    "proxy": (403, b"<html>Forbidden</html>", "access is refused"),
    "maintenance": (503, {"error": "Le site est actuellement en maintenance."}, "en maintenance"),
    "no API": (404, b"<html>", "check the host of the connection"),
    "a web page": (200, b"<html>", "not one of the API's"),
    "failing": (500, b"", "the service failed"),
    "spent": (429, b"Calme toi, cowboy !", "requests for this minute are spent"),
}


@pytest.mark.parametrize(("status", "response", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_connection_test_gives_the_reason_of_a_refusal(service, status, response, reason):
    service.will_respond(response, status=status)
    works, message = DSHook().test_connection()
    assert works is False
    assert reason in message
    assert TOKEN not in message


def test_connection_test_fails_with_each_token_that_the_service_does_not_accept(monkeypatch):
    with Sandbox(dossiers=1) as sandbox:
        tokens = sandbox.state.tokens.named()
        results = {}
        for name, token in (tokens | {"unknown": "bm8gdG9rZW4="}).items():
            connection = {"conn_type": "ds", "password": token, "host": sandbox.url}
            monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps(connection))
            results[name] = DSHook().test_connection()[0]
    accepted = {name for name, works in results.items() if works}
    assert accepted == {"main", "without_rights"}, "rights are on a démarche"


def test_connection_test_reports_a_service_that_is_away(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", f"ds://:{TOKEN}@127.0.0.1:1/http")
    works, message = DSHook().test_connection()
    assert works is False
    assert "no whole response" in message


@pytest.mark.parametrize(
    "value", ["ds://", "ds://:a%20b@", f"ds://:{TOKEN}@/?read_timeout=1", f"ds://:{TOKEN}@/?request_per_minute=1"]
)
def test_connection_test_reports_an_invalid_connection(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value)
    works, message = DSHook().test_connection()
    assert works is False
    assert "'ds_default'" in message


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere"), ("HTTP_PROXY", "ftp://proxy"), ("SSL_CERT_DIR", "/nowhere")]
)
def test_connection_test_reports_an_environment_that_cannot_work(service, monkeypatch, name, value):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, value)
    works, message = DSHook().test_connection()
    assert works is False
    assert name in message


def test_hook_names_a_connection_that_is_not_defined():
    with pytest.raises(AirflowNotFoundException, match="ds_nowhere"):
        DSHook("ds_nowhere").run("{ __typename }")


def test_hook_uses_the_given_connection(service, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_DS_DEFAULT")
    service.will_respond({"data": {"__typename": "Query"}})
    assert DSHook("ds_other").run("{ __typename }") == {"__typename": "Query"}
    assert DSHook(ds_conn_id="ds_other").ds_conn_id == "ds_other"


def test_hook_has_the_attributes_that_airflow_needs():
    assert (DSHook.conn_type, DSHook.conn_name_attr, DSHook.default_conn_name) == ("ds", "ds_conn_id", "ds_default")
    assert DSHook.hook_name == "Démarches simplifiées"
    assert DSHook().ds_conn_id == "ds_default"


def test_run_returns_the_data_of_any_operation(service):
    service.will_respond({"data": {"dossier": {"id": "x"}}})
    query = "query($number: Int!) { dossier(number: $number) { id } }"
    assert DSHook().run(query, {"number": 12}) == {"dossier": {"id": "x"}}
    assert service.requests == [{"query": query, "variables": {"number": 12}}]


def test_run_raises_for_an_operation_that_is_refused(service):
    service.will_respond({"errors": [{"message": "Field 'a' doesn't exist on type 'Query'"}]})
    with pytest.raises(DSRequestError, match="doesn't exist"):
        DSHook().run("{ a }")


def test_run_sends_a_mutation_that_may_have_run_once(service):
    service.will_respond(b"", status=500)
    with pytest.raises(DSServerError):
        DSHook().run("mutation { a }")
    assert len(service.requests) == 1


def test_get_groupes_returns_the_groups_of_a_demarche(service):
    groupes = [{"id": "R3=", "number": 12, "label": "défaut", "closed": True}]
    service.will_respond({"data": {"demarche": {"groupeInstructeurs": groupes}}})
    assert DSHook().get_groupes("123") == groupes
    assert service.variables == [{"number": 123}]


def test_get_groupes_raises_for_an_unauthorized_demarche(service):
    service.will_respond(refused("hidden due to permissions", "unauthorized"))
    with pytest.raises(DSUnauthorizedError):
        DSHook().get_groupes(123)


NUMBERED = {
    "groups of a démarche": (lambda hook: hook.get_groupes(123), "Demarche not found", "demarche number 123"),
    "revisions": (lambda hook: hook.get_revisions(123), "Demarche not found", "demarche number 123"),
    "form": (lambda hook: hook.get_demarche_descriptor(123), "DemarcheDescriptor not found", "demarche number 123"),
    "dossier": (lambda hook: hook.get_dossier(5), "Dossier not found", "dossier number 5"),
    "group": (
        lambda hook: list(hook.iter_dossiers(7)),
        "GroupeInstructeurWithDossiers not found",
        "groupe instructeur number 7",
    ),
    "variable": (
        lambda hook: hook.run("query($n: Int!) { dossier(number: $n) { id } }", {"n": 5}),
        "Dossier not found",
        "dossier number 5",
    ),
    "number in the query": (
        lambda hook: hook.run("{ d: demarche( number:123) { id } }"),
        "Demarche not found",
        "demarche number 123",
    ),
    "descriptor": (
        lambda hook: hook.run("{ demarcheDescriptor(demarche: {number: 123}) { id } }"),
        "DemarcheDescriptor not found",
        "demarche number 123",
    ),
}


@pytest.mark.parametrize(("ask", "message", "number"), NUMBERED.values(), ids=NUMBERED)
def test_object_that_is_not_found_is_named_with_its_number_and_connection(service, ask, message, number):
    service.will_respond(refused(message, "not_found"))
    with pytest.raises(DSNotFoundError, match=": check the number, and that ") as caught:
        ask(DSHook())
    assert number in str(caught.value)
    assert "connection ds_default" in str(caught.value)
    assert len(service.requests) == 1


@pytest.mark.parametrize(("ask", "message", "number"), NUMBERED.values(), ids=NUMBERED)
def test_object_without_a_right_is_named_with_who_grants_it(service, ask, message, number):
    service.will_respond(
        refused(f"An object of type {message.split()[0]} was hidden due to permissions", "unauthorized")
    )
    with pytest.raises(DSUnauthorizedError, match=r"administrator.*airflow ds groupes") as caught:
        ask(DSHook("ds_other"))
    assert number in str(caught.value)
    assert "connection ds_other" in str(caught.value)


def test_error_on_an_event_loop_names_the_connection(service):
    service.will_respond(refused("Dossier not found", "not_found"))

    async def ask() -> None:
        async with DSHook().async_client() as client:
            await client.result(lookups.run(Request("{ dossier(number: 5) { id } }")))

    with pytest.raises(DSNotFoundError) as caught:
        asyncio.run(ask())
    assert (caught.value.connection, caught.value.dossier_number) == ("ds_default", 5)


def test_get_dossier_returns_one_dossier(service):
    service.will_respond({"data": {"dossier": {"number": 5}}})
    assert DSHook().get_dossier(5, include_messages=True, include_champs=False) == {"number": 5}
    asked = service.variables[0]
    assert (asked["number"], asked["includeMessages"], asked["includeChamps"]) == (5, True, False)


def test_get_dossier_raises_for_a_dossier_that_is_not_found(service):
    service.will_respond(refused("Dossier not found", "not_found"))
    with pytest.raises(DSNotFoundError):
        DSHook().get_dossier(5)


def test_get_demarche_descriptor_returns_the_form(service):
    service.will_respond({"data": {"demarcheDescriptor": {"number": 123, "title": "Aide"}}})
    assert DSHook().get_demarche_descriptor(123) == {"number": 123, "title": "Aide"}


FORMS = {
    "number": 123,
    "revisions": [
        {
            "id": "UH=",
            "dateCreation": "2026-11-20T12:00:00+01:00",
            "datePublication": None,
            "champDescriptors": [{"__typename": "TextChampDescriptor", "id": "Q2=", "label": "Nom", "required": True}],
            "annotationDescriptors": [],
        }
    ],
    "groupeInstructeurs": [{"id": "R3=", "number": 12, "label": "défaut", "closed": False}],
}


def test_get_revisions_returns_the_revisions(service):
    service.will_respond({"data": {"demarche": FORMS}})
    assert DSHook().get_revisions(123) == FORMS
    assert service.variables == [{"number": 123}]


def test_get_revisions_raises_for_a_demarche_that_is_not_found(service):
    service.will_respond(refused("Demarche not found", "not_found"))
    with pytest.raises(DSNotFoundError):
        DSHook().get_revisions(123)


@pytest.mark.parametrize(
    "ask", ["get_groupes", "get_dossier", "get_demarche_descriptor", "get_revisions", "iter_dossiers"]
)
def test_invalid_number_is_refused_before_any_request(service, ask):
    with pytest.raises(DSConfigurationError, match="number must be a number"):
        getattr(DSHook(), ask)("douze")
    assert service.requests == []


def test_async_client_sends_the_token(service):
    service.will_respond({"data": {"__typename": "Query"}})

    async def ask() -> Any:
        async with DSHook().async_client() as client:
            return await client.result(lookups.run(Request("{ __typename }")))

    assert asyncio.run(ask()) == {"__typename": "Query"}
    assert service.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_async_client_makes_no_blocking_call_to_the_supervisor(service, monkeypatch):
    """A blocking call to the channel, during an await of it, would end the process."""
    from airflow.sdk.execution_time import task_runner

    blocking: list[Any] = []

    class Channel:
        def send(self, message: Any, *_: Any, **__: Any) -> None:
            with suppress(RuntimeError):
                asyncio.get_running_loop()
                blocking.append(message)

        async def asend(self, message: Any, *_: Any, **__: Any) -> None:
            return None

    async def ask() -> Any:
        async with DSHook().async_client() as client:
            return await client.result(lookups.check_token())

    service.will_respond({"data": {"__typename": "Query"}})
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Channel(), raising=False)
    asyncio.run(ask())
    assert blocking == []


@pytest.mark.parametrize("loop", [False, True], ids=["task", "event loop"])
def test_clients_mask_the_token(monkeypatch, loop):
    from airflow.sdk._shared.secrets_masker import redact

    token = f"amV0b24tYS1tYXNxdWVyLT{loop:d}="
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", json.dumps({"conn_type": "ds", "password": f" {token}\n"}))

    async def enter() -> None:
        async with DSHook().async_client():
            pass

    if loop:
        asyncio.run(enter())
    else:
        with DSHook().client():
            pass
    assert token not in str(redact(f"Authorization: Bearer {token}"))


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500, 503])
def test_logs_and_errors_do_not_show_the_token(service, caplog, status):
    service.will_respond(refused("An error", "forbidden"), status=status)
    with caplog.at_level(logging.DEBUG), pytest.raises(DSError) as caught:
        DSHook().run("{ a }")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN not in caplog.text
    assert TOKEN not in repr([vars(record) for record in caplog.records])


def test_httpx_logs_nothing(service, caplog):
    service.will_respond({"data": {"__typename": "Query"}})
    with caplog.at_level(logging.INFO):
        DSHook().run("{ __typename }")
    assert [record for record in caplog.records if record.name.startswith("httpx")] == []
