"""Odd dossiers: whatever one holds, it and its neighbours become rows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_provider.tables.json.nodes import Champ, Dossier
from ds_provider.tables.rows.champs import VALUES
from tests.support.nodes import champ, champ_row, dossier, file, line, rows_of, rows_of_lines

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
typenames = st.sampled_from([*map(str, VALUES), "ExplicationChamp", "InconnuChamp"])
champ_fields = [field.encode_name for field in msgspec.structs.fields(Champ) if field.name != "type"]
dossier_fields = [
    field.encode_name
    for field in msgspec.structs.fields(Dossier)
    if field.name not in ("number", "date_derniere_modification")
]
odd_champs = st.builds(
    lambda typename, fields: {**champ(typename), **fields},
    typenames,
    st.dictionaries(st.sampled_from(champ_fields), anything, max_size=4),
)
odd_nodes = st.dictionaries(st.sampled_from(["id", "email", "attachments", "revision", "url", "createdAt"]), anything)
odd_dossiers = st.builds(
    lambda champs, lists, fields: {**fields, **lists, "champs": champs},
    st.lists(odd_champs | anything, max_size=3),
    st.dictionaries(st.sampled_from(["messages", "avis", "traitements", "labels"]), st.lists(odd_nodes, max_size=2)),
    st.dictionaries(st.sampled_from(dossier_fields), anything, max_size=4),
)
slow_is_fine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow_is_fine
@given(st.lists(odd_dossiers, min_size=1, max_size=3))
def test_dossier_with_any_json_is_a_row(nodes: list[Any]) -> None:
    # json.dumps writes NaN, which is no JSON
    lines = [
        json.dumps({**node, **dossier(number)}).replace("NaN", "1e999").replace("Infinity", "1e999").encode()
        for number, node in enumerate(nodes)
    ]
    assert [row["number"] for row in rows_of_lines(*lines)["dossiers"]] == [*range(len(nodes))]


@slow_is_fine
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_round_trips(text: str) -> None:
    for escaped in (True, False):
        node = dossier(champs=[champ("TextChamp", text, value=text, label=text)])
        (row,) = rows_of_lines(json.dumps(node, ensure_ascii=escaped).encode())["champs"]
        assert (row["string_value"], row["text_value"], row["label"]) == (text, text, text)


@slow_is_fine
@given(st.integers())
def test_any_integer_round_trips(number: int) -> None:
    for sent in (str(number), number):
        row = champ_row(champ("IntegerNumberChamp", integerNumber=sent))
        fits = -(2**63) <= number < 2**63
        assert (row["integer_value"], row["text_value"]) == ((number, None) if fits else (None, str(number)))


@slow_is_fine
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_decimal_round_trips(number: float) -> None:
    assert champ_row(champ("DecimalNumberChamp", decimalNumber=number))["decimal_value"] == number


@slow_is_fine
@given(st.dates())
def test_any_date_round_trips(day: Any) -> None:
    assert champ_row(champ("DateChamp", date=day.isoformat()))["date_value"] == day


@slow_is_fine
@given(st.recursive(st.text(st.characters(exclude_categories=["Cs"])) | st.integers(), st.lists))
def test_any_structured_value_round_trips(value: Any) -> None:
    stored = champ_row(champ("PaysChamp", pays={"name": value}))["json_value"]
    assert json.loads(stored) == {"pays": {"name": json.loads(json.dumps(value).replace("\\u0000", "\\ufffd"))}}


def test_odd_values_are_left_out_and_the_rest_is_kept() -> None:
    node = dossier(
        5,
        state=["accepte"],
        usager="inconnu",
        motivation="oui",
        labels=[None, {"id": "Label-1", "name": 3}],
        champs=[
            champ("DecimalNumberChamp", "12,5", decimalNumber="12,5"),
            champ("CheckboxChamp", checked="oui"),
            champ("TextChamp", "a", value="a"),
        ],
    )
    tables = rows_of(dossier(4, motivation="non"), node)
    assert [(row["number"], row["motivation"], row["state"]) for row in tables["dossiers"]] == [
        (4, "non", None),
        (5, "oui", None),
    ]
    assert [(row["id"], row["name"]) for row in tables["labels"]] == [("Label-1", None)]
    assert [(row["string_value"], row["text_value"]) for row in tables["champs"]] == [
        ("12,5", None),
        ("", None),
        ("a", "a"),
    ]


def test_odd_date_leaves_its_neighbours() -> None:
    champs = [champ("DateChamp", text, date=text) for text in ("2026-09-25", "22026-09-25", "0000-01-01", "2026-09-26")]
    rows = rows_of(dossier(champs=champs))["champs"]
    assert [str(row["date_value"]) for row in rows] == ["2026-09-25", "None", "None", "2026-09-26"]
    assert [row["string_value"] for row in rows] == ["2026-09-25", "22026-09-25", "0000-01-01", "2026-09-26"]


REFUSED = ["\0", "\ud800", "\udfff"]


@pytest.mark.parametrize("character", REFUSED)
def test_characters_that_databases_refuse_are_replaced(character: str) -> None:
    node = dossier(
        motivation=f"a{character}b",
        champs=[champ("TextChamp", value=f"a{character}b"), champ("PaysChamp", pays={"name": f"a{character}b"})],
        attestation=file(f"a{character}b"),
    )
    tables = rows_of_lines(json.dumps(node).encode())
    text, structured = tables["champs"]
    assert tables["dossiers"][0]["motivation"] == text["text_value"] == "a\ufffdb"
    assert json.loads(structured["json_value"]) == {"pays": {"name": "a\ufffdb"}}
    assert {row["filename"] for row in tables["fichiers"]} == {None, "a\ufffdb"}


def test_text_that_only_looks_like_an_escape_stays() -> None:
    text = r"C:\u0000\udossier"
    row = rows_of(dossier(champs=[champ("PaysChamp", text, pays={"name": text})]))["champs"][0]
    assert (row["string_value"], json.loads(row["json_value"])) == (text, {"pays": {"name": text}})


def test_bytes_that_are_not_text_are_replaced() -> None:
    sent = line(dossier(motivation="a?b", champs=[champ("PaysChamp", pays={"name": "c?d"})])).replace(b"?", b"\xff")
    tables = rows_of_lines(sent)
    assert tables["dossiers"][0]["motivation"] == "a\ufffdb"
    assert json.loads(tables["champs"][0]["json_value"]) == {"pays": {"name": "c\ufffdd"}}
