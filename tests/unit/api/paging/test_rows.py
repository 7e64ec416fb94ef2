"""A row without a number or with an invalid date raises, and any other keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ds_provider.api.paging.reader import read
from ds_provider.api.paging.rows import decode_node
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
    "number is NaN": b'{"number":NaN,"dateDepot":"2026-11-01T08:00:00+01:00"}',
    "date is not UTF-8": b'{"number":12,"dateDepot":"\xff"}',
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


HEAD = b'"number":12,"dateDepot":"2026-11-01T08:00:00+01:00"'

REPAIRED = {
    "not UTF-8": (b'"\xe9t\xe9"', "\ufffdt\ufffd"),
    "half a character": (b'"a\\ud83d b"', "a\ufffd b"),
    "other half": (b'"a\\uDE00"', "a\ufffd"),
    "halves in disorder": (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
    "control characters": (b'"a\x00\x1fb"', "a\ufffd\ufffdb"),
    "several lines": (b'"a\n\tb"', "a\n\tb"),
    "unknown escape": (b'"\\x41"', "\ufffdx41"),
    "surrogate as bytes": (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
}


@pytest.mark.parametrize(("text", "expected"), REPAIRED.values(), ids=REPAIRED)
def test_text_that_is_no_json_is_repaired_and_nothing_else_changes(text, expected):
    driven = drive(b'{%b,"montant":1.10,"texte":%b,"nom":"\\ud83d\\ude00"}' % (HEAD, text))
    assert driven.error is None
    ((row,),) = [page.rows for page in driven.results]
    assert row.raw.startswith(b'{%b,"montant":1.10,"texte":"' % HEAD)
    assert row.raw.endswith(b'","nom":"\\ud83d\\ude00"}')
    assert json.loads(row.raw)["texte"] == expected
    assert driven.results[0].repaired == {12: 1}
    assert len(driven.requests) == 1


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"undefined", b"01", b"1.", b".5", b"-"])
def test_dossier_with_a_value_that_is_no_json_is_quarantined_alone(value):
    bad = b'{"number":13,"dateDepot":"2026-11-01T08:00:01+01:00","champs":[{"value":%b}]}' % value
    good = b'{"number":14,"dateDepot":"2026-11-01T08:00:02+01:00"}'
    driven = drive(b"{%b},%b,%b" % (HEAD, bad, good))
    assert driven.error is None
    (page,) = driven.results
    assert [row.head.number for row in page.rows] == [12, 14]
    (record,) = page.quarantined
    assert record.number == 13
    assert "no JSON" in record.message
    assert record.dossier == {"number": 13, "dateDepot": "2026-11-01T08:00:01+01:00"}
    assert len(driven.requests) == 1


@pytest.mark.parametrize(("revision", "quarantined"), [("UmV2LTE=", [12]), ("UmV2LTI=", [])])
def test_dossier_on_another_revision_is_not_quarantined(revision, quarantined):
    node = b'{%b,"x":NaN,"demarche":{"number":1,"revision":{"id":"UmV2LTE="}}}' % HEAD
    (page,) = drive(node, revision=revision).results
    assert [record.number for record in page.quarantined] == quarantined


@pytest.mark.parametrize("value", ["1e999", "-1E+400", "9" * 5000])
def test_number_out_of_range_lands_and_is_decoded_as_infinite(value):
    node = b'{%b,"x":%b}' % (HEAD, value.encode())
    ((row,),) = [page.rows for page in drive(node).results]
    assert row.raw == node
    assert abs(decode_node(row.raw)["x"]) == float("inf")


@pytest.mark.parametrize("node", [b"[1]", b"1e999", b'"text"'])
def test_node_that_is_no_object_is_not_decoded(node):
    with pytest.raises(msgspec.DecodeError):
        decode_node(node)
