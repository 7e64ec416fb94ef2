"""Champs of the sandbox's dossiers, read over HTTP: what the user wrote is in a column, its object there or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_provider.api.paging.reader import read
from ds_provider.api.query.selection import DOSSIERS, Selection
from ds_provider.api.transport.client import DSClient
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.options import SERVERS
from ds_provider.tables.rows.flatten import flatten

NOW = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/Paris"))
OBJECTS = {
    "AddressChamp": "address", "CommuneChamp": "commune", "DepartementChamp": "departement", "EpciChamp": "epci",
    "PaysChamp": "pays", "RNAChamp": "rna", "RNFChamp": "rnf", "RegionChamp": "region", "SiretChamp": "etablissement",
}  # fmt: skip
Row = dict[str, Any]


@pytest.fixture(scope="module", params=SERVERS)
def landed(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Return the dossiers as the service sent them, from a server of each age."""
    with (
        Sandbox(seed=3, groupes=1, dossiers=60, now=NOW, rate_limit=0, server=request.param) as sandbox,
        DSClient(sandbox.url, sandbox.token, user_agent="tests") as client,
    ):
        pages = client.iterate(read(Selection(DOSSIERS, sandbox.groupes[0])))
        yield [json.loads(row.raw) for page in pages for row in page.rows]


@pytest.fixture(scope="module")
def rows(landed: list[Row]) -> list[Row]:
    return flatten([json.dumps(dossier).encode() for dossier in landed], NOW)["champs"].to_pylist()


def test_each_text_that_was_sent_is_in_its_row(landed: list[Row], rows: list[Row]) -> None:
    sent = [(d["number"], c["id"], c["stringValue"]) for d in landed for c in all_champs(d["champs"])]
    loaded = [(row["dossier_number"], row["id"], row["string_value"]) for row in rows]
    assert sorted(sent, key=str) == sorted(loaded, key=str)


@pytest.mark.parametrize("typename", OBJECTS)
def test_champ_without_its_object_keeps_its_text(rows: list[Row], typename: str) -> None:
    filled = [row for row in rows if row["type"] == typename and row["string_value"]]
    without = [row for row in filled if row["json_value"] is None]
    assert without
    assert all(json.loads(row["json_value"])[OBJECTS[typename]] for row in filled if row["json_value"] is not None)


def test_engagement_juridique_has_its_number_as_text(rows: list[Row]) -> None:
    numbers = {row["string_value"] for row in rows if row["type"] == "EngagementJuridiqueChamp"}
    assert any(numbers)
    assert all(number == "" or number.isdigit() for number in numbers)


def all_champs(champs: list[Row]) -> Iterator[Row]:
    for champ in champs:
        yield champ
        for line in champ.get("rows") or ():
            yield from line["champs"]
