"""One dossier is shown with the labels of its champs, or as the API sent it."""

from __future__ import annotations

import json

import pytest

from ds_provider.cli.dossier import rows_of
from ds_provider.hooks.ds import DSHook
from ds_provider.sandbox import Sandbox
from tests.support.command_line import Run


@pytest.fixture
def number(shown) -> int:
    return int(shown[0]["dossiers"][0]["number"])


def without_addresses(node: object) -> object:
    if isinstance(node, dict):
        return {name: without_addresses(value) for name, value in node.items() if name not in ("url", "createdAt")}
    return [without_addresses(one) for one in node] if isinstance(node, list) else node


def test_json_is_the_dossier_as_the_api_sends_it(ds: Run, number: int) -> None:
    ran = ds("dossier", number, "--json")
    assert ran.code == 0
    assert without_addresses(json.loads(ran.out)) == without_addresses(DSHook().get_dossier(number))


def test_table_shows_the_dossier_and_each_champ_by_its_label(ds: Run, number: int) -> None:
    found = DSHook().get_dossier(number)
    rows = ds("dossier", number, "-o", "json").rows
    values = {row["label"]: row["value"] for row in rows if row["part"] == "dossier"}
    assert values["number"] == number
    assert values["state"] == found["state"]
    assert values["groupeInstructeur.number"] == found["groupeInstructeur"]["number"]
    at_root = [row for row in rows if row["part"] == "champs" and " / " not in row["label"]]
    assert [row["label"] for row in at_root] == [champ["label"] for champ in found["champs"] if "rows" not in champ]


def test_parts_of_a_dossier_can_be_left_out_and_asked_for(ds: Run, number: int) -> None:
    found = json.loads(ds("dossier", number, "--json", "--no-include-champs", "--include-messages").out)
    assert "champs" not in found
    assert "messages" in found


def test_files_are_shown_by_name_and_rows_by_their_index() -> None:
    file = {"filename": "a.pdf", "url": "https://x"}
    champs = [
        {"label": "Plans", "stringValue": None, "files": [file, file]},
        {"label": "Parcelles", "stringValue": "", "rows": [{"champs": [{"label": "Nom", "stringValue": "Le Pré"}]}]},
    ]
    found = {"number": 7, "motivation": None, "pdf": file, "demandeur": {"nom": "X"}, "champs": champs}
    assert [tuple(row.values()) for row in rows_of(found)] == [
        ("dossier", "number", 7),
        ("dossier", "pdf", "a.pdf"),
        ("dossier", "demandeur.nom", "X"),
        ("champs", "Plans", "a.pdf, a.pdf"),
        ("champs", "Parcelles 1 / Nom", "Le Pré"),
    ]


def test_dossier_that_the_service_does_not_show_is_an_error(ds: Run, sandbox: Sandbox) -> None:
    ran = ds("dossier", 999_999)
    assert ran.code == 3
    assert "Dossier not found" in ran.error
