"""Attachments: content, checksums, links that are valid for an hour, and virus scans."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.world.clock import MINUTE
from ds_provider.sandbox.world.files import Attachment, is_visible, scan_result
from tests.support.sandbox_client import HTTP, NOW, Client
from tests.support.sandbox_documents import FILE

FIELDS = f"number pdf {FILE} champs {{ ... on PieceJustificativeChamp {{ files {FILE} }} }}"


@pytest.fixture
def client() -> Iterator[Client]:
    with Sandbox(seed=2, groupes=1, dossiers=20, now=NOW, rate_limit=0) as sandbox:
        yield Client(sandbox)


def attached(client: Client) -> list[dict[str, Any]]:
    nodes = client.page("dossiers", FIELDS)["nodes"]
    return [file for node in nodes for champ in node["champs"] for file in champ.get("files", ())]


def test_content_matches_checksum_and_size(client: Client) -> None:
    files = attached(client)[:10]
    assert files
    for file in files:
        content = HTTP.get(file["url"]).content
        assert b64encode(hashlib.md5(content).digest()).decode() == file["checksum"]
        assert file["byteSizeBigInt"] == str(len(content))


def test_links_are_valid_for_an_hour_of_the_sandbox_clock(client: Client) -> None:
    url = attached(client)[0]["url"]
    client.sandbox.clock.advance(3_599)
    assert HTTP.get(url).status_code == 200
    client.sandbox.clock.advance(1)
    assert HTTP.get(url).status_code == 403


def test_only_links_differ_between_calls(client: Client) -> None:
    first, second = attached(client), attached(client)
    assert not {file["url"] for file in first} & {file["url"] for file in second}
    assert [{**file, "url": ""} for file in first] == [{**file, "url": ""} for file in second]


def test_links_name_the_host_that_was_called(client: Client) -> None:
    client.headers["Host"] = "demarche.example:8443"
    assert attached(client)[0]["url"].startswith("http://demarche.example:8443/files/")


def test_forged_links_are_not_found(client: Client) -> None:
    url = httpx.URL(attached(client)[0]["url"])
    token, name = url.path.removeprefix("/files/").split("/", 1)
    for forged in (token[:-1] + ("0" if token[-1] != "0" else "1"), "nonsense", "é--0"):
        assert HTTP.get(url.copy_with(path=f"/files/{forged}/{name}")).status_code == 404


def test_pdf_is_always_new_and_has_no_checksum(client: Client) -> None:
    node = client.page("dossiers", FIELDS, first=1)["nodes"][0]
    assert node["pdf"]["checksum"] == ""
    assert node["pdf"]["byteSizeBigInt"] == "0"
    assert node["pdf"]["virusScanResult"] == "pending"
    assert node["pdf"]["createdAt"] == "2026-11-24T13:00:00+01:00"
    assert HTTP.get(node["pdf"]["url"]).status_code == 200


def test_files_are_scanned_after_some_minutes_and_infected_ones_disappear() -> None:
    results = set()
    for i in range(400):
        file = Attachment(f"key{i}", "a.pdf", "application/pdf", created_at=0)
        assert scan_result(file, 9 * MINUTE) == "pending"
        assert is_visible(file, 9 * MINUTE)
        result = scan_result(file, 11 * MINUTE)
        assert is_visible(file, 11 * MINUTE) is (result == "safe")
        results.add(result)
    assert results == {"safe", "infected"}
