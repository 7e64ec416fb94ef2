"""The hook over a service on this machine: what it asks, gives, and says of a refusal."""

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
from ds_provider.exceptions import (
    DSConfigurationError,
    DSError,
    DSNotFoundError,
    DSRequestError,
    DSServerError,
    DSUnauthorizedError,
)
from ds_provider.hooks.ds import DSHook
from tests.support.hook_service import TOKEN, refused


def test_a_connection_that_works_is_told(service):
    service.will_say({"data": {"__typename": "Query"}})
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


@pytest.mark.parametrize(("status", "answer", "says"), REFUSALS.values(), ids=REFUSALS)
def test_a_connection_that_does_not_work_says_why(service, status, answer, says):
    service.will_say(answer, status=status)
    works, message = DSHook().test_connection()
    assert works is False
    assert says in message
    assert TOKEN not in message


def test_a_service_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", f"ds://:{TOKEN}@127.0.0.1:1/http")
    works, message = DSHook().test_connection()
    assert works is False
    assert "no whole answer" in message


@pytest.mark.parametrize("value", ["ds://", "ds://:a%20b@", f"ds://:{TOKEN}@/?read_timeout=1"])
def test_a_connection_that_cannot_work_is_told(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value)
    works, message = DSHook().test_connection()
    assert works is False
    assert "'ds_default'" in message


def test_a_connection_that_is_not_defined_is_named():
    with pytest.raises(AirflowNotFoundException, match="ds_nowhere"):
        DSHook("ds_nowhere").run("{ __typename }")


def test_a_hook_uses_the_connection_that_it_was_given(service, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_DS_DEFAULT")
    service.will_say({"data": {"__typename": "Query"}})
    assert DSHook("ds_other").run("{ __typename }") == {"__typename": "Query"}
    assert DSHook(ds_conn_id="ds_other").ds_conn_id == "ds_other"


def test_what_airflow_asks_of_a_hook():
    assert (DSHook.conn_type, DSHook.conn_name_attr, DSHook.default_conn_name) == ("ds", "ds_conn_id", "ds_default")
    assert DSHook.hook_name == "Démarches simplifiées"
    assert DSHook().ds_conn_id == "ds_default"


def test_any_operation_can_be_run(service):
    service.will_say({"data": {"dossier": {"id": "x"}}})
    query = "query($number: Int!) { dossier(number: $number) { id } }"
    assert DSHook().run(query, {"number": 12}) == {"dossier": {"id": "x"}}
    assert service.requests == [{"query": query, "variables": {"number": 12}}]


def test_an_operation_that_is_refused_is_no_result(service):
    service.will_say({"errors": [{"message": "Field 'a' doesn't exist on type 'Query'"}]})
    with pytest.raises(DSRequestError, match="doesn't exist"):
        DSHook().run("{ a }")


def test_a_mutation_that_may_have_run_is_sent_once(service):
    service.will_say(b"", status=500)
    with pytest.raises(DSServerError):
        DSHook().run("mutation { a }")
    assert len(service.requests) == 1


def test_the_groups_of_a_demarche(service):
    groupes = [{"id": "R3=", "number": 12, "label": "défaut", "closed": True}]
    service.will_say({"data": {"demarche": {"groupeInstructeurs": groupes}}})
    assert DSHook().get_groupes("123") == groupes
    assert service.variables == [{"number": 123}]


def test_a_demarche_that_is_not_for_this_token(service):
    service.will_say(refused("hidden due to permissions", "unauthorized"))
    with pytest.raises(DSUnauthorizedError):
        DSHook().get_groupes(123)


def test_one_dossier(service):
    service.will_say({"data": {"dossier": {"number": 5}}})
    assert DSHook().get_dossier(5, include_messages=True, include_champs=False) == {"number": 5}
    asked = service.variables[0]
    assert (asked["number"], asked["includeMessages"], asked["includeChamps"]) == (5, True, False)


def test_a_dossier_that_the_api_does_not_show(service):
    service.will_say(refused("Dossier not found", "not_found"))
    with pytest.raises(DSNotFoundError):
        DSHook().get_dossier(5)


def test_the_form_of_a_demarche(service):
    service.will_say({"data": {"demarcheDescriptor": {"number": 123, "title": "Aide"}}})
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


def test_the_revisions_of_a_form(service):
    service.will_say({"data": {"demarche": FORMS}})
    assert DSHook().get_revisions(123) == FORMS
    assert service.variables == [{"number": 123}]


def test_a_demarche_that_the_api_does_not_show_has_no_revisions(service):
    service.will_say(refused("Demarche not found", "not_found"))
    with pytest.raises(DSNotFoundError):
        DSHook().get_revisions(123)


@pytest.mark.parametrize(
    "ask", ["get_groupes", "get_dossier", "get_demarche_descriptor", "get_revisions", "iter_dossiers"]
)
def test_a_number_that_is_none_is_refused_before_anything_is_asked(service, ask):
    with pytest.raises(DSConfigurationError, match="number must be a number"):
        getattr(DSHook(), ask)("douze")
    assert service.requests == []


def test_the_event_loop_has_its_own_client(service):
    service.will_say({"data": {"__typename": "Query"}})

    async def ask() -> Any:
        async with DSHook().async_client() as client:
            return await client.result(lookups.ping())

    assert asyncio.run(ask()) == {"__typename": "Query"}
    assert service.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_the_event_loop_makes_no_blocking_call_to_the_supervisor(service, monkeypatch):
    """Beside an await of the same channel, a blocking call to it would end the process."""
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
            return await client.result(lookups.ping())

    service.will_say({"data": {"__typename": "Query"}})
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Channel(), raising=False)
    asyncio.run(ask())
    assert blocking == []


@pytest.mark.parametrize("loop", [False, True], ids=["task", "event loop"])
def test_the_token_is_masked_wherever_it_would_be_written(monkeypatch, loop):
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
def test_no_log_and_no_error_shows_the_token(service, caplog, status):
    service.will_say(refused("An error", "forbidden"), status=status)
    with caplog.at_level(logging.DEBUG), pytest.raises(DSError) as caught:
        DSHook().run("{ a }")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN not in caplog.text
    assert TOKEN not in repr([vars(record) for record in caplog.records])


def test_httpx_adds_no_line_for_each_page(service, caplog):
    service.will_say({"data": {"__typename": "Query"}})
    with caplog.at_level(logging.INFO):
        DSHook().run("{ __typename }")
    assert [record for record in caplog.records if record.name.startswith("httpx")] == []
