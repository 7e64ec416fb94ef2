"""An unauthorized error of a linked dossier leaves its page whole. It is the only such error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ds_provider.api.transport.responses import Body, read_response
from ds_provider.exceptions import (
    DSError,
    DSIncompletePageError,
    DSMalformedResponseError,
    DSTimeoutError,
    DSUnauthorizedError,
)
from tests.support.flows import response

decoder = msgspec.json.Decoder(Body[dict[str, Any]])

NODE = ["groupeInstructeur", "dossiers", "nodes", 3]
DATA = {"groupeInstructeur": {"dossiers": {"nodes": [{"number": 1}]}}}

LINKS = {
    "champ": [*NODE, "champs", 5, "dossier"],
    "first champ": [*NODE, "champs", 0, "dossier"],
    "annotation": [*NODE, "annotations", 2, "dossier"],
    "champ of a repetition": [*NODE, "champs", 5, "rows", 1, "champs", 0, "dossier"],
    "annotation of a repetition": [*NODE, "annotations", 5, "rows", 1, "champs", 0, "dossier"],
    "one dossier": ["dossier", "champs", 5, "dossier"],
}

NEAR_MISSES = {
    "the group": ["groupeInstructeur"],
    "the dossier asked for": ["dossier"],
    "a node": NODE,
    "not under champs": [*NODE, "dossier"],
    "under something else": [*NODE, "avis", 0, "dossier"],
    "no position": [*NODE, "champs", "dossier"],
    "a text for the position": [*NODE, "champs", "5", "dossier"],
    "deeper": [*NODE, "champs", 5, "dossier", "number"],
    "another field of the champ": [*NODE, "champs", 5, "files"],
    "the champ": [*NODE, "champs", 5],
    "champs of nothing": ["champs", 5, "dossier"],
    "no path": [],
    "absent path": None,
}


def read_data(*errors: dict[str, Any], data: Any = DATA) -> Any:
    return read_response(response({"data": data, "errors": list(errors)}), decoder)


def unauthorized(path: Any, code: str | None = "unauthorized") -> dict[str, Any]:
    return {"message": "hidden due to permissions", "path": path, "extensions": {"code": code}}


@pytest.mark.parametrize("path", LINKS.values(), ids=LINKS)
def test_page_with_an_unauthorized_link_is_whole(path):
    assert read_data(unauthorized(path)) == DATA


def test_page_with_many_unauthorized_links_is_whole():
    assert read_data(*[unauthorized(path) for path in LINKS.values()]) == DATA


@pytest.mark.parametrize("path", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_unauthorized_error_elsewhere_is_raised(path):
    with pytest.raises(DSUnauthorizedError):
        read_data(unauthorized(path))


@pytest.mark.parametrize(
    "code", ["not_found", "forbidden", "timeout", "invalid_null", "internal_server_error", "", None]
)
def test_other_code_at_a_link_is_raised(code):
    with pytest.raises(DSError):
        read_data(unauthorized(LINKS["champ"], code))


def test_unauthorized_link_does_not_hide_another_error():
    timeout = {"message": "Timeout on Dossier.avis", "path": [*NODE, "avis"]}
    for errors in ([unauthorized(LINKS["champ"]), timeout], [timeout, unauthorized(LINKS["champ"])]):
        with pytest.raises(DSTimeoutError):
            read_data(*errors)


def test_unauthorized_link_does_not_hide_null_data():
    with pytest.raises(DSIncompletePageError):
        read_data(unauthorized(LINKS["champ"]), data=None)


def test_unauthorized_link_does_not_hide_absent_data():
    with pytest.raises(DSMalformedResponseError):
        read_response(response({"errors": [unauthorized(LINKS["champ"])]}), decoder)


def test_malformed_response_is_not_blamed_on_an_unauthorized_link():
    with pytest.raises(DSMalformedResponseError):
        read_data(unauthorized(LINKS["champ"]), data=[1])
