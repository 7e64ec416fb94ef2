"""A row without a number or with an invalid date raises, and any other keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ds_provider.api.paging.reader import read
from ds_provider.api.query.parameters import explicit_window, select_dossiers
from ds_provider.api.transport.messages import Response
from ds_provider.exceptions import DSError
from tests.support.flows import Drive

WINDOW = explicit_window(created_until="2027-01-01T00:00:00Z")


def page(node: bytes) -> Response:
    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": "s", "endCursor": "e"}
    wrapped = b'{"data":{"groupeInstructeur":{"dossiers":{"pageInfo":%b,"nodes":[%b]}}}}'
    return Response(200, {}, wrapped % (json.dumps(info).encode(), node))


def drive(node: bytes, **selected: Any) -> Drive:
    return Drive(read(select_dossiers(7, **selected)), lambda request: page(node))


BAD = {
    "no object": b"12",
    "a text": b'"dossier"',
    "a list": b"[]",
    "no number": b'{"dateDepot":"2026-11-01T08:00:00+01:00"}',
    "number is a text": b'{"number":"12"}',
    "number is null": b'{"number":null}',
    "no date": b'{"number":12,"dateDepot":"yesterday"}',
    "date without its offset": b'{"number":12,"dateDepot":"2026-11-01T08:00:00"}',
    "not UTF-8": b'{"number":12,"dateDepot":"2026-11-01T08:00:00+01:00","motivation":"\xff"}',
}


@pytest.mark.parametrize("window", [None, WINDOW], ids=["all", "window"])
@pytest.mark.parametrize("node", BAD.values(), ids=BAD)
def test_invalid_row_raises_an_error_with_its_group(node, window):
    driven = drive(node, window=window)
    assert isinstance(driven.error, DSError)
    assert driven.error.groupe_instructeur_number == 7
    assert driven.results == []


@pytest.mark.parametrize("window", [None, WINDOW], ids=["all", "window"])
def test_row_keeps_its_bytes(window):
    node = '{"number":12,"dateDepot":"2026-11-01T08:00:00+01:00","montant":1.10,"nom":"Éloïse \\u00e9\u2028"}'.encode()
    driven = drive(node, window=window)
    assert driven.error is None
    assert [row.raw for page in driven.results for row in page.rows] == [node]
