"""Wide tables hold the values of the long tables: a dossier or a block's row per row, a champ per column."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.rows.kinds import KINDS
from ds_provider.tables.schemas import ANNOTATIONS, CHAMP_COLUMNS, CHAMP_ROWS, CHAMPS, DOSSIER_COLUMNS, ERASED, Table
from ds_provider.tables.wide.naming import ColumnRegistry
from ds_provider.tables.wide.pivot import wide_tables, widen
from ds_provider.tables.wide.values import values_of
from tests.support.forms import DEMARCHE, batch, champ, row

Wide = dict[str, list[dict[str, Any]]]


def wide(registry: ColumnRegistry, *tables: Any) -> Wide:
    """Return the rows of each wide table, without the nulls."""
    (names, _), *found = widen(*tables, registry)
    assert names is CHAMP_COLUMNS
    assert len({table.name for table, _ in found}) == len(found)
    for table, rows in found:
        assert rows.schema == table.schema
        rows.validate(full=True)
    return {table.name: [present(row) for row in rows.to_pylist()] for table, rows in found}


def present(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and value is not False}


def spec(registry: ColumnRegistry, name: str) -> Table:
    (found,) = (table for table in wide_tables(registry) if table.name == name)
    return found


def test_dossier_is_a_row_and_a_champ_a_column():
    tables = batch(
        [
            row(1, "C1", label="Nom", text_value="Ada"),
            row(1, "C2", "IntegerNumberChamp", "Âge", integer_value=36),
            row(2, "C2", "IntegerNumberChamp", "Âge", integer_value=41),
            row(2, "C1", label="Nom", text_value=""),
        ]
    )
    assert wide(ColumnRegistry(), *tables)["demarche_123"] == [
        {"number": 1, "nom": "Ada", "age": 36},
        {"number": 2, "nom": "", "age": 41},
    ]


@pytest.mark.parametrize("part", ["champs", "annotations"])
def test_champs_of_dossiers_get_their_columns_in_the_order_of_the_form(part):
    rows = [
        row(1, "C2", label="B"),
        row(1, "R1", "RepetitionChamp", "Lots"),
        row(1, "C3", "DateChamp", "Le", repetition_descriptor_id="R1", row_id="r", row_index=0),
        row(1, "H1", "HeaderSectionChamp", "Titre"),
        row(1, "C1", "OfTheFutureChamp", "A"),
        row(2, "C2", label="Autre"),
        row(3, None),
    ]
    (_, found), *_ = widen(*batch(**{part: rows}), ColumnRegistry())
    suffix = "" if part == "champs" else "_annotations"
    assert [(row["relation"], row["column_name"], row["kind"]) for row in found.to_pylist()] == [
        (f"demarche_123{suffix}", "b", "text"),
        (f"demarche_123{suffix}", "a", "text"),
        (f"demarche_123{suffix}_lots", "le", "date"),
    ]


VALUES = {
    "text": "é\n🚜",
    "boolean": True,
    "integer": 2**63 - 1,
    "decimal": 0.1,
    "date": date(2026, 3, 29),
    "timestamp": datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc),
}


@pytest.mark.parametrize("type", sorted(type for type in KINDS if values_of(type)[0].source != "string_value"))
def test_simple_type_has_the_column_of_its_kind(type):
    registry, kind = ColumnRegistry(), KINDS[type]
    found = wide(registry, *batch([row(1, "C1", type, "A", string_value="other", **{f"{kind}_value": VALUES[kind]})]))
    assert found["demarche_123"] == [{"number": 1, "a": VALUES[kind]}]
    assert spec(registry, "demarche_123").columns["a"] == CHAMP_ROWS.columns[f"{kind}_value"]


@pytest.mark.parametrize("type", sorted(type for type in KINDS if values_of(type)[0].source == "string_value"))
def test_answer_of_a_champ_with_an_object_is_its_text(type):
    registry = ColumnRegistry()
    rows = [row(1, "C1", type, "A", string_value="12 €"), row(2, "C1", type, "A", string_value="x", json_value="{}")]
    found = wide(registry, *batch(rows))["demarche_123"]
    assert [(row["number"], row["a"]) for row in found] == [(1, "12 €"), (2, "x")]
    assert spec(registry, "demarche_123").json == ()


def test_row_says_of_which_dossier_it_is():
    dates = {name: datetime(2026, 3, day, tzinfo=timezone.utc) for day, name in enumerate(list(DOSSIER_COLUMNS)[3:], 1)}
    dossier = {"state": "accepte", "groupe_instructeur_number": 5, **dates}
    dossiers, tables = batch(
        [row(8, "C1"), row(7, "C1"), in_block(7, 0, "C2"), in_block(8, 0, "C2"), in_block(8, 1, "C2")],
        [row(7, "A1"), row(8, "A1")],
    )
    dossiers = pa.Table.from_pylist([row | (dossier if row["number"] == 7 else {}) for row in dossiers.to_pylist()],
                                    schema=dossiers.schema)  # fmt: skip
    found = wide(ColumnRegistry(), dossiers, tables)
    assert set(found) == {"demarche_123", "demarche_123_bloc", "demarche_123_annotations"}
    for rows in found.values():
        assert [row for row in rows if row["number"] == 7] == [
            {"number": 7, **dossier, **{name: row[name] for name in ("row_id", "row_index") if name in row}}
            for row in rows
            if row["number"] == 7
        ]
        assert not any("state" in row for row in rows if row["number"] == 8)


def test_type_of_the_future_gives_its_text():
    tables = batch([row(1, "C1", "OfTheFutureChamp", "A", string_value="12 €"), row(2, "C1", "OfTheFutureChamp", "A")])
    assert wide(ColumnRegistry(), *tables)["demarche_123"] == [
        {"number": 1, "a": "12 €"},
        {"number": 2},
    ]


def test_champs_that_only_lay_out_the_form_have_no_column():
    tables = batch(
        [row(1, "C1", "HeaderSectionChamp", integer_value=1), row(1, "C2", "ExplicationChamp"), row(1, "C3")]
    )
    registry = ColumnRegistry()
    wide(registry, *tables)
    assert list(spec(registry, "demarche_123").columns) == [*DOSSIER_COLUMNS, "c3"]


def test_dossier_without_champs_is_a_row():
    tables = batch([row(1, "C1", text_value="x"), row(2, None)])
    assert wide(ColumnRegistry(), *tables)["demarche_123"] == [{"number": 1, "c1": "x"}, {"number": 2}]


def test_part_that_was_not_asked_for_has_no_wide_rows():
    registry = ColumnRegistry()
    registry.register([champ("A1", "Suivi", part=ANNOTATIONS), champ("B1", "B", block="R1")])
    assert set(wide(registry, *batch(annotations=[row(1, "A1", text_value="x")]))) == {"demarche_123_annotations"}
    assert set(wide(registry, *batch([row(1, "C1")]))) == {"demarche_123", "demarche_123_r1"}


def test_demarche_without_rows_in_a_batch_has_no_wide_rows():
    registry = ColumnRegistry()
    registry.register([champ("C1", "A", of=8)])
    dossiers, tables = batch([row(1, "C1", text_value="x"), row(2, "C1")], of={1: 7, 2: 8})
    only_first = {name: table.slice(0, 1) for name, table in tables.items()}
    assert wide(registry, dossiers, only_first) == {"demarche_7": [{"number": 1, "c1": "x"}]}


def test_annotations_have_a_table_of_their_own():
    tables = batch([row(1, "C1", label="A", text_value="x")], [row(1, "C1", label="A", text_value="y")])
    assert wide(ColumnRegistry(), *tables) == {
        "demarche_123": [{"number": 1, "a": "x"}],
        "demarche_123_annotations": [{"number": 1, "a": "y"}],
    }


def in_block(dossier: int, index: int, id: str, type: str = "TextChamp", **values: Any) -> dict[str, Any]:
    place = {"repetition_descriptor_id": "R1", "row_id": f"row {dossier}.{index}", "row_index": index}
    return row(dossier, id, type, **place, **values)


def test_row_of_a_block_is_a_row_of_its_table():
    tables = batch(
        [
            row(1, "R1", "RepetitionChamp", "Lots", integer_value=2),
            in_block(1, 0, "C1", text_value="a"),
            in_block(1, 0, "C2", "DecimalNumberChamp", decimal_value=1.5),
            in_block(1, 1, "C2", "DecimalNumberChamp", decimal_value=2.5),
            in_block(1, 1, "C1", text_value="b"),
            row(2, "R1", "RepetitionChamp", "Lots", integer_value=1),
            in_block(2, 0, "C1", text_value="c"),
        ]
    )
    registry = ColumnRegistry()
    assert wide(registry, *tables)["demarche_123_lots"] == [
        {"number": 1, "row_id": "row 1.0", "row_index": 0, "c1": "a", "c2": 1.5},
        {"number": 1, "row_id": "row 1.1", "row_index": 1, "c1": "b", "c2": 2.5},
        {"number": 2, "row_id": "row 2.0", "row_index": 0, "c1": "c"},
    ]
    assert (spec(registry, "demarche_123_lots").unique, spec(registry, "demarche_123").unique) == (False, True)


def test_block_row_without_values_is_a_row():
    registry = ColumnRegistry()
    registry.register([champ("C1", "A", block="R1")])
    found = wide(registry, *batch([in_block(1, 0, "H1", "HeaderSectionChamp")]))
    assert found["demarche_123_r1"] == [{"number": 1, "row_id": "row 1.0", "row_index": 0}]


def test_dossier_without_rows_in_a_block_has_a_hard_delete_there():
    registry = ColumnRegistry()
    wide(registry, *batch([in_block(1, 0, "C1"), in_block(2, 0, "C1")]))
    found = wide(registry, *batch([in_block(1, 0, "C1"), row(2, "C9"), row(3, None)]))
    assert found["demarche_123_bloc"] == [
        {"number": 1, "row_id": "row 1.0", "row_index": 0},
        {"number": 2, ERASED: True},
        {"number": 3, ERASED: True},
    ]


def test_each_demarche_has_its_own_tables():
    tables = batch(
        [row(1, "C1", text_value="x"), row(2, "C1", label="Autre", text_value="y"), row(3, "C1", text_value="z")],
        of={1: 7, 2: 8, 3: 7},
    )
    assert wide(ColumnRegistry(), *tables) == {
        "demarche_7": [{"number": 1, "c1": "x"}, {"number": 3, "c1": "z"}],
        "demarche_8": [{"number": 2, "autre": "y"}],
    }


def test_champ_that_changes_its_kind_keeps_both_columns():
    registry = ColumnRegistry()
    wide(registry, *batch([row(1, "C1", label="Montant", text_value="12")]))
    tables = batch(
        [
            row(1, "C1", label="Montant", text_value="12"),
            row(2, "C1", "IntegerNumberChamp", "Montant (€)", integer_value=12),
            row(3, "C1", "DropDownListChamp", "Montant", text_value="douze"),
        ]
    )
    assert wide(registry, *tables)["demarche_123"] == [
        {"number": 1, "montant": "12"},
        {"number": 2, "montant_integer": 12},
        {"number": 3, "montant": "douze"},
    ]


def test_removed_champ_leaves_its_column():
    registry = ColumnRegistry()
    wide(registry, *batch([row(1, "C1"), row(1, "C2")]))
    _, (table, rows) = widen(*batch([row(1, "C2"), row(1, "C3")]), registry)
    assert list(table.columns) == rows.column_names[:-1] == [*DOSSIER_COLUMNS, "c1", "c2", "c3"]


def test_form_without_values_has_no_wide_table():
    registry = ColumnRegistry()
    assert wide(registry, *batch([row(1, "H1", "HeaderSectionChamp"), row(2, None)])) == {}
    assert wide_tables(registry) == []


def test_wide_tables_are_all_that_a_dossier_may_have_rows_in():
    registry = ColumnRegistry()
    registry.register([champ("C1", "A"), champ("C2", "B", block="Lots", part=ANNOTATIONS), champ("C3", "C", of=7)])
    assert [(table.name, table.key, table.unique) for table in wide_tables(registry)] == [
        ("demarche_123", ("number",), True),
        ("demarche_123_annotations", ("number",), True),
        ("demarche_123_annotations_lots", ("number",), False),
        ("demarche_7", ("number",), True),
        ("demarche_7_annotations", ("number",), True),
    ]


def test_restored_registry_has_the_same_tables():
    registry = ColumnRegistry()
    rows = registry.register([champ("C1", "A", "date"), champ("C2", "B", block="Lots")])
    assert wide_tables(ColumnRegistry(rows.to_pylist())) == wide_tables(registry)


def test_chunked_tables_are_pivoted_as_whole_ones():
    dossiers, tables = batch([row(1, "C1", text_value="x"), row(2, "C1", text_value="y"), in_block(2, 0, "C2")])
    pieces = {name: pa.concat_tables([table.slice(0, 1), table.slice(1)]) for name, table in tables.items()}
    whole = wide(ColumnRegistry(), dossiers, tables)
    assert wide(ColumnRegistry(), pa.concat_tables([dossiers.slice(0, 1), dossiers.slice(1)]), pieces) == whole


TYPES = ["TextChamp", "DropDownListChamp", "IntegerNumberChamp", "DateChamp", "OfTheFutureChamp", "HeaderSectionChamp"]
blocks = st.sampled_from([None, "R1", "R2"])


@st.composite
def dossiers(draw) -> list[dict[str, Any]]:
    """Rows of a few dossiers, each champ at most once in its place."""
    rows = []
    for number in draw(st.lists(st.integers(1, 2**31 - 1), unique=True, max_size=5)):
        places = draw(st.lists(st.tuples(blocks, st.integers(0, 3), st.integers(1, 4)), max_size=12))
        once = {(block, index if block else None, id): None for block, index, id in places}
        for block, index, id in once:
            type = draw(st.sampled_from(TYPES))
            place = {"row_id": f"{number}.{index}", "row_index": index} if block else {}
            value = draw(value_of(type))
            rows.append(row(number, f"C{id}", type, repetition_descriptor_id=block, **place, **value))
        if not once:
            rows.append(row(number, None))
    return rows


def value_of(type: str) -> st.SearchStrategy[dict[str, Any]]:
    values = {"text": st.text(), "integer": st.integers(-(2**63), 2**63 - 1), "date": st.dates()}
    if type not in KINDS:
        return st.fixed_dictionaries({"string_value": st.none() | st.text()})
    # a text alone is an answer too
    text = st.just("") if KINDS[type] == "text" else st.none() | st.text()
    return st.fixed_dictionaries({f"{KINDS[type]}_value": st.none() | values[KINDS[type]], "string_value": text})


def one_by_one(rows: list[dict[str, Any]], registry: ColumnRegistry) -> tuple[Wide, Wide]:
    """Return the rows of the wide tables, made in a plain loop: those of dossiers, and those of blocks."""
    main: Wide = defaultdict(list)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for long in rows:
        number, block = long["dossier_number"], long.get("repetition_descriptor_id")
        found.setdefault((number, None, None), {"number": number})
        if long.get(ERASED):
            continue
        place = {} if block is None else {"row_id": long["row_id"], "row_index": long["row_index"]}
        wide = found.setdefault((number, block, long.get("row_index")), {"number": number, **place})
        if long["type"] != "HeaderSectionChamp":
            kind = values_of(long["type"])[0].kind
            source = f"{kind}_value" if long["type"] in KINDS else "string_value"
            if kind != "text" and long[source] is None and long["string_value"]:
                kind, source = "text", "string_value"
            shown = champ(long["champ_descriptor_id"], "", kind)._replace(repetition_descriptor_id=block)
            wide[registry.column(shown).column_name] = long[source]
    names = registry.blocks(DEMARCHE, CHAMPS)
    in_blocks: Wide = defaultdict(list)
    for (_, block, _), wide in found.items():
        if block is None:
            main["demarche_123"].append(present(wide))
        elif block in names:
            in_blocks[names[block]].append(present(wide))
    return main, in_blocks


@given(dossiers())
def test_wide_columns_equal_a_loop_over_rows(rows):
    registry, tables = ColumnRegistry(), batch(rows)
    found = wide(registry, *tables)
    main, in_blocks = one_by_one(rows, registry)
    if not registry.demarches:
        assert found == {}
        return
    assert found.pop("demarche_123") == main["demarche_123"]
    numbers = {row["dossier_number"] for row in rows}
    assert set(found) == set(registry.blocks(DEMARCHE, CHAMPS).values())
    for name, block_rows in found.items():
        kept = [row for row in block_rows if ERASED not in row]
        assert sorted(kept, key=by_row) == sorted(in_blocks[name], key=by_row)
        erased = [row["number"] for row in block_rows if ERASED in row]
        assert sorted(erased) == sorted(numbers - {row["number"] for row in kept})


def by_row(row: dict[str, Any]) -> tuple[int, int]:
    return row["number"], row["row_index"]
