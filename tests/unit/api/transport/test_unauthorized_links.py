"""One error is let through: that of a champ which links to a dossier outside the token's rights."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ds_provider.api.transport.responses import Body, read_answer
from ds_provider.exceptions import (
    DSError,
    DSIncompletePageError,
    DSMalformedAnswerError,
    DSTimeoutError,
    DSUnauthorizedError,
)
from tests.support.flows import reply

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


def answer(*errors: dict[str, Any], data: Any = DATA) -> Any:
    return read_answer(reply({"data": data, "errors": list(errors)}), decoder)


def hidden(path: Any, code: str | None = "unauthorized") -> dict[str, Any]:
    return {"message": "hidden due to permissions", "path": path, "extensions": {"code": code}}


@pytest.mark.parametrize("path", LINKS.values(), ids=LINKS)
def test_a_linked_dossier_that_is_hidden_leaves_the_page_whole(path):
    assert answer(hidden(path)) == DATA


def test_any_number_of_hidden_links_leaves_the_page_whole():
    assert answer(*[hidden(path) for path in LINKS.values()]) == DATA


@pytest.mark.parametrize("path", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_the_same_error_elsewhere_is_lost_access(path):
    with pytest.raises(DSUnauthorizedError):
        answer(hidden(path))


@pytest.mark.parametrize(
    "code", ["not_found", "forbidden", "timeout", "invalid_null", "internal_server_error", "", None]
)
def test_another_code_at_the_same_place_is_no_exception(code):
    with pytest.raises(DSError):
        answer(hidden(LINKS["champ"], code))


def test_a_hidden_link_does_not_cover_another_error():
    timeout = {"message": "Timeout on Dossier.avis", "path": [*NODE, "avis"]}
    for errors in ([hidden(LINKS["champ"]), timeout], [timeout, hidden(LINKS["champ"])]):
        with pytest.raises(DSTimeoutError):
            answer(*errors)


def test_a_hidden_link_does_not_cover_data_that_is_null():
    with pytest.raises(DSIncompletePageError):
        answer(hidden(LINKS["champ"]), data=None)


def test_a_hidden_link_does_not_cover_data_that_is_absent():
    with pytest.raises(DSMalformedAnswerError):
        read_answer(reply({"errors": [hidden(LINKS["champ"])]}), decoder)


def test_a_hidden_link_is_not_what_a_misshapen_answer_is_blamed_on():
    with pytest.raises(DSMalformedAnswerError):
        answer(hidden(LINKS["champ"]), data=[1])
