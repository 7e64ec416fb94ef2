"""What a warehouse promises, whatever the database: told once, tried on each.

Who uses these cases gives the fixture ``warehouse``, an empty one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from ds_provider.exceptions import DSDestinationError, DSWarehouseError
from ds_provider.tables.schemas import (
    ATTESTATION,
    CHAMP_COLUMNS,
    CHAMP_ROWS,
    CHAMPS,
    DOSSIERS,
    FICHIERS,
    INSTANT,
    INTEGER,
    MESSAGE_ROWS,
    TABLES,
    TEXT,
    Table,
)
from ds_provider.warehouse.database.store import Warehouse
from tests.support.warehouse_rows import batch, eraser, rows_of

NOW = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone.utc)
TEXTS = [
    "",
    " ",
    "NULL",
    "\\N",
    "\\.",
    "a,b;c\t\"d\" 'e' %s {f} \\",
    "two\nlines\r\nand a third",
    "é à œ ß 中文 🎉👩‍👩‍👧",
    "x" * 100_000,
]
VALUES: dict[str, list[object]] = {
    "integer_value": [2**63 - 1, -(2**63), 2**53 + 1, 0],
    "decimal_value": [0.1, -1.7976931348623157e308, 5e-324],
    "boolean_value": [True, False],
    "date_value": [date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31)],
    "timestamp_value": [NOW, datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=9)))],
}
DOCUMENTS: list[object] = [{"a": [1, None, "é\n\"'"]}, [], "text", None, {"n": 12345678901234567890}, {"": {}}]


class StoreCases:
    def test_nothing_is_read_of_what_is_not_there_yet(self, warehouse: Warehouse) -> None:
        columns = ["number", "date_depot", "archived"]
        read = warehouse.read(DOSSIERS, columns)
        assert read.num_rows == 0
        assert read.schema == pa.schema([(name, DOSSIERS.columns[name]) for name in columns])
        assert warehouse.table_names() == set()

    def test_nothing_to_write_starts_no_run(self, warehouse: Warehouse) -> None:
        warehouse.write([])
        warehouse.write([batch(DOSSIERS)])
        assert warehouse.table_names() == set()

    def test_a_row_takes_the_place_of_the_one_with_its_key(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1, "state": "a"}, {"number": 2, "state": "b"})])
        warehouse.write([batch(DOSSIERS, {"number": 2, "state": "c"}, {"number": 3})])
        assert rows_of(warehouse, DOSSIERS, "number", "state") == [(1, "a"), (2, "c"), (3, None)]

    def test_rows_take_the_place_of_all_those_of_their_dossier(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(MESSAGE_ROWS, *({"dossier_number": d, "id": i} for d in (1, 2) for i in "abc"))])
        warehouse.write([batch(MESSAGE_ROWS, {"dossier_number": 1, "id": "d"}, {"dossier_number": 1, "id": "d"})])
        rows = rows_of(warehouse, MESSAGE_ROWS, "dossier_number", "id")
        assert rows == [(1, "d"), (1, "d"), (2, "a"), (2, "b"), (2, "c")]

    def test_a_part_of_a_dossier_leaves_the_others_alone(self, warehouse: Warehouse) -> None:
        rows = [{"dossier_number": 1, "part": part, "filename": "old"} for part in (CHAMPS, ATTESTATION)]
        warehouse.write([batch(FICHIERS, *rows)])
        warehouse.write([eraser(FICHIERS, dossier_number=1, part=CHAMPS)])
        assert rows_of(warehouse, FICHIERS, "part", "filename") == [(ATTESTATION, "old")]

    def test_a_key_of_two_texts_names_one_row(self, warehouse: Warehouse) -> None:
        names = [{"relation": "demarche_1", "column_name": name, "label": "old"} for name in ("a", "b")]
        warehouse.write([batch(CHAMP_COLUMNS, *names)])
        warehouse.write([batch(CHAMP_COLUMNS, {**names[0], "label": "new"})])
        assert rows_of(warehouse, CHAMP_COLUMNS, "column_name", "label") == [("a", "new"), ("b", "old")]

    def test_an_eraser_removes_what_has_its_key_and_stays_not_itself(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}, {"number": 2}), batch(MESSAGE_ROWS, {"dossier_number": 1})])
        warehouse.write(
            [eraser(DOSSIERS, number=1), eraser(MESSAGE_ROWS, dossier_number=1), eraser(DOSSIERS, number=9)]
        )
        assert rows_of(warehouse, DOSSIERS, "number") == [(2,)]
        assert rows_of(warehouse, MESSAGE_ROWS, "dossier_number") == []

    def test_an_eraser_in_a_table_that_is_not_there_yet_is_no_error(self, warehouse: Warehouse) -> None:
        warehouse.write([eraser(MESSAGE_ROWS, dossier_number=1)])
        assert rows_of(warehouse, MESSAGE_ROWS, "dossier_number") == []

    def test_new_rows_beside_an_eraser_of_their_key_are_loaded(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(MESSAGE_ROWS, {"dossier_number": 1, "id": "old"})])
        warehouse.write(
            [batch(MESSAGE_ROWS, {"dossier_number": 1, "id": "new"}), eraser(MESSAGE_ROWS, dossier_number=1)]
        )
        assert rows_of(warehouse, MESSAGE_ROWS, "id") == [("new",)]

    def test_many_batches_in_any_order_are_one_load(self, warehouse: Warehouse) -> None:
        pairs = [batch(table, {table.key[0]: number}) for number in range(5) for table in (DOSSIERS, CHAMP_ROWS)]
        warehouse.write(iter(pairs))
        for table in (DOSSIERS, CHAMP_ROWS):
            assert rows_of(warehouse, table, table.key[0]) == [(number,) for number in range(5)]

    def test_the_same_load_again_changes_nothing(self, warehouse: Warehouse) -> None:
        for _ in range(3):
            warehouse.write([batch(DOSSIERS, {"number": 1}), batch(MESSAGE_ROWS, *[{"dossier_number": 1}] * 2)])
        assert len(rows_of(warehouse, DOSSIERS, "number")) == 1
        assert len(rows_of(warehouse, MESSAGE_ROWS, "dossier_number")) == 2

    def test_texts_come_back_as_they_were_and_none_is_null(self, warehouse: Warehouse) -> None:
        rows = [{"dossier_number": number, "string_value": text} for number, text in enumerate([*TEXTS, None])]
        warehouse.write([batch(CHAMP_ROWS, *rows)])
        assert rows_of(warehouse, CHAMP_ROWS, *rows[0]) == [tuple(row.values()) for row in rows]

    @pytest.mark.parametrize("column", VALUES)
    def test_values_come_back_as_they_were(self, warehouse: Warehouse, column: str) -> None:
        rows = [{"dossier_number": number, column: value} for number, value in enumerate([*VALUES[column], None])]
        warehouse.write([batch(CHAMP_ROWS, *rows)])
        assert rows_of(warehouse, CHAMP_ROWS, *rows[0]) == [tuple(row.values()) for row in rows]

    def test_json_comes_back_as_it_was(self, warehouse: Warehouse) -> None:
        rows = [{"dossier_number": number, "json_value": json.dumps(value)} for number, value in enumerate(DOCUMENTS)]
        warehouse.write([batch(CHAMP_ROWS, *rows, {"dossier_number": len(rows)})])
        told = [text for _, text in rows_of(warehouse, CHAMP_ROWS, *rows[0])]
        assert told.pop() is None
        assert [json.loads(text) for text in told] == DOCUMENTS

    def test_each_column_has_its_type_though_no_row_has_a_value(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(table, _key(table)) for table in TABLES])
        assert warehouse.table_names() == {table.name for table in TABLES}
        for table in TABLES:
            wanted = pa.schema(list(table.columns.items()))
            assert warehouse.read(table, list(table.columns)).schema == wanted
            # the types that the database itself has
            plain = [name for name in table.columns if name not in table.json]
            own = warehouse.read(replace(table, columns={}), plain).schema
            assert own == pa.schema([wanted.field(name) for name in plain])

    def test_what_is_written_into_a_column_that_was_always_null_has_its_type(self, warehouse: Warehouse) -> None:
        row = {"dossier_number": 1}
        warehouse.write([batch(CHAMP_ROWS, row)])
        row |= {"timestamp_value": NOW, "date_value": NOW.date(), "decimal_value": 1.5, "prefilled": True}
        warehouse.write([batch(CHAMP_ROWS, row)])
        assert warehouse.read(CHAMP_ROWS, list(row)).to_pylist() == [row]

    def test_a_new_column_is_added_and_null_in_older_rows(self, warehouse: Warehouse) -> None:
        wide = Table("demarche_1", {"dossier_number": INTEGER, "nom": TEXT}, ("dossier_number",), unique=True)
        wider = replace(wide, columns={**wide.columns, "le": INSTANT, "reponse": TEXT}, json=frozenset({"reponse"}))
        warehouse.write([batch(wide, {"dossier_number": 1, "nom": "a"})])
        assert warehouse.read(wider, ["dossier_number", "le"]).to_pylist() == [{"dossier_number": 1, "le": None}]
        warehouse.write([batch(wider, {"dossier_number": 2, "nom": "b", "le": NOW, "reponse": "{}"})])
        rows = rows_of(warehouse, wider, "dossier_number", "nom", "le", "reponse")
        assert rows == [(1, "a", None, None), (2, "b", NOW, "{}")]

    def test_a_column_that_is_no_longer_given_stays_and_is_null(self, warehouse: Warehouse) -> None:
        wide = Table("demarche_1", {"dossier_number": INTEGER, "nom": TEXT, "age": INTEGER}, ("dossier_number",))
        narrow = replace(wide, columns={"dossier_number": INTEGER, "age": INTEGER})
        warehouse.write([batch(wide, *({"dossier_number": number, "nom": "a"} for number in (1, 2)))])
        warehouse.write([batch(narrow, {"dossier_number": 2, "age": 3})])
        assert rows_of(warehouse, wide, "dossier_number", "nom", "age") == [(1, "a", None), (2, None, 3)]

    def test_batches_of_one_table_may_have_different_columns(self, warehouse: Warehouse) -> None:
        wide = Table("demarche_1", {"dossier_number": INTEGER, "a": TEXT}, ("dossier_number",))
        wider = replace(wide, columns={"dossier_number": INTEGER, "b": TEXT, "a": TEXT})
        warehouse.write(
            [
                batch(wide, {"dossier_number": 1, "a": "x"}),
                batch(wider, {"dossier_number": 2, "a": "y", "b": "z"}),
                (wider, pa.table({"a": ["w"], "dossier_number": [3]})),
            ]
        )
        assert rows_of(warehouse, wider, "dossier_number", "a", "b") == [(1, "x", None), (2, "y", "z"), (3, "w", None)]

    def test_names_stay_as_they_are_given(self, warehouse: Warehouse) -> None:
        name = "demarche_1_" + "d" * 40 + "__x_"
        columns = {"dossier_number": INTEGER, "c" * 60: TEXT, "_a__b_1_": TEXT, "select": TEXT}
        warehouse.write([batch(Table(name, columns, ("dossier_number",)), {"dossier_number": 1, "select": "s"})])
        assert name in warehouse.table_names()
        read = warehouse.read(Table(name, columns, ("dossier_number",)), list(columns))
        assert read.to_pylist() == [dict.fromkeys(columns) | {"dossier_number": 1, "select": "s"}]

    def test_only_what_is_asked_for_is_read(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, *({"number": number, "state": "s%" * number} for number in range(4)))])
        read = warehouse.read(DOSSIERS, ["state", "number"], where="number > 1 AND state LIKE '%s%'")
        assert sorted(read["number"].to_pylist()) == [2, 3]
        assert read.column_names == ["state", "number"]

    def test_a_table_is_read_by_its_name(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1, "date_depot": NOW})])
        assert warehouse.read("dossiers", ["date_depot"]).to_pylist() == [{"date_depot": NOW}]
        other = Table("demarche_1", {"dossier_number": INTEGER, "nom": TEXT}, ("dossier_number",))
        warehouse.write([batch(other, {"dossier_number": 7, "nom": "a"})])
        assert warehouse.read("demarche_1", ["nom", "dossier_number"]).to_pylist() == [
            {"nom": "a", "dossier_number": 7}
        ]

    def test_many_rows_are_read_whole(self, warehouse: Warehouse) -> None:
        count = 250_000
        rows = pa.table({"number": pa.array(range(count), pa.int64())})
        warehouse.write((DOSSIERS, rows.slice(start, 50_000)) for start in range(0, count, 50_000))
        assert sorted(warehouse.read(DOSSIERS, ["number"])["number"].to_pylist()) == list(range(count))

    def test_statements_are_run_on_tables_by_their_qualified_names(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}, {"number": 2})])
        warehouse.execute(f"UPDATE {warehouse.qualified('dossiers')} SET deletion_stage = 'pending' WHERE number = 1")
        assert rows_of(warehouse, DOSSIERS, "number", "deletion_stage") == [(1, "pending"), (2, None)]

    def test_only_the_tables_of_the_dataset_are_named(self, warehouse: Warehouse) -> None:
        other = Warehouse(warehouse.destination, "another", warehouse._working_folder)
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        other.write([batch(MESSAGE_ROWS, {"dossier_number": 1})])
        assert warehouse.table_names() == {"dossiers"}
        assert other.table_names() == {"messages"}

    def test_indexes_may_be_asked_for_again_and_for_what_is_not_there(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        warehouse.create_indexes(TABLES)
        warehouse.create_indexes(TABLES)
        warehouse.write([batch(DOSSIERS, {"number": 1, "state": "s"})])
        assert rows_of(warehouse, DOSSIERS, "number", "state") == [(1, "s")]

    def test_no_copy_stays_in_the_staging_tables(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(CHAMP_ROWS, {"dossier_number": 1, "string_value": "secret"})])
        assert staged(warehouse, CHAMP_ROWS) == 0
        with pytest.raises(DSWarehouseError):
            warehouse.write(
                [
                    batch(CHAMP_ROWS, {"dossier_number": 1, "string_value": "secret"}),
                    batch(FICHIERS, {"dossier_number": 1}),
                    batch(GEOMETRY, {"dossier_number": 1, "geometry": "no JSON"}),
                ]
            )
        assert staged(warehouse, CHAMP_ROWS) == 0

    def test_what_a_killed_run_left_in_the_staging_tables_is_emptied(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(MESSAGE_ROWS, {"dossier_number": 1})])
        staging = Warehouse(warehouse.destination, f"{warehouse.dataset}_staging", warehouse._working_folder)
        staging.execute(f"INSERT INTO {staging.qualified('messages')} (dossier_number, body) VALUES (1, 'secret')")
        assert staged(warehouse, MESSAGE_ROWS) == 1
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        assert staged(warehouse, MESSAGE_ROWS) == 0

    def test_no_row_stays_in_the_working_folder(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        with pytest.raises(DSWarehouseError):
            warehouse.write([batch(GEOMETRY, {"dossier_number": 1, "geometry": "no JSON"})])
        assert list(warehouse._working_folder.iterdir()) == []

    def test_an_error_shows_no_value_of_a_row(self, warehouse: Warehouse) -> None:
        with pytest.raises(DSWarehouseError) as failure:
            warehouse.write([batch(GEOMETRY, {"dossier_number": 1, "geometry": 'Jean "Valjean" 24601'})])
        assert "written" in str(failure.value)
        assert "Valjean" not in str(failure.value)
        assert "24601" not in str(failure.value)

    def test_what_fails_in_the_rows_comes_through_and_nothing_is_merged(self, warehouse: Warehouse) -> None:
        error = DSDestinationError("a part is gone")

        def rows():
            yield batch(DOSSIERS, {"number": 1})
            raise error

        with pytest.raises(DSDestinationError) as failure:
            warehouse.write(rows())
        assert failure.value is error
        assert rows_of(warehouse, DOSSIERS, "number") == []
        warehouse.write([batch(DOSSIERS, {"number": 2})])
        assert rows_of(warehouse, DOSSIERS, "number") == [(2,)]

    def test_a_table_that_a_person_dropped_comes_back(self, warehouse: Warehouse) -> None:
        for _ in range(2):
            warehouse.write([batch(DOSSIERS, {"number": 1})])
            warehouse.execute(f"DROP TABLE {warehouse.qualified('dossiers')}")
            assert warehouse.table_names() == set()
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]

    def test_a_statement_that_is_refused_is_a_clear_error(self, warehouse: Warehouse) -> None:
        with pytest.raises(DSWarehouseError, match="nowhere"):
            warehouse.execute("SELECT 1 FROM nowhere")

    def test_the_lock_is_for_writing_and_reading_in(self, warehouse: Warehouse) -> None:
        with warehouse.locked():
            warehouse.write([batch(DOSSIERS, {"number": 1})])
            assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]
        with warehouse.locked():
            assert warehouse.table_names() == {"dossiers"}

    def test_rows_may_be_made_of_what_the_warehouse_holds(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}, {"number": 2})])

        def rows():
            for number in warehouse.read(DOSSIERS, ["number"])["number"].to_pylist():
                yield batch(MESSAGE_ROWS, {"dossier_number": number})
                assert warehouse.read(DOSSIERS, ["number"], f"number = {number}").num_rows == 1
                yield eraser(DOSSIERS, number=number)

        warehouse.write(rows())
        assert rows_of(warehouse, MESSAGE_ROWS, "dossier_number") == [(1,), (2,)]
        assert rows_of(warehouse, DOSSIERS, "number") == []

    def test_the_lock_may_be_entered_again_by_its_holder(self, warehouse: Warehouse) -> None:
        with warehouse.locked():
            with warehouse.locked():
                pass
            other = Warehouse(warehouse.destination, warehouse.dataset, warehouse._working_folder)
            assert not is_free(other)
        assert is_free(other)

    def test_a_second_writer_waits_and_gives_up(self, warehouse, monkeypatch, caplog) -> None:
        monkeypatch.setattr("ds_provider.warehouse.database.locks.PATIENCE_SECONDS", 0.3)
        monkeypatch.setattr("ds_provider.warehouse.database.locks.PAUSE_SECONDS", 0.1)
        other = Warehouse(warehouse.destination, warehouse.dataset, warehouse._working_folder)
        refused = pytest.raises(DSWarehouseError, match="in use by another task")
        with caplog.at_level("INFO"), warehouse.locked(), refused, other.locked():
            pytest.fail("two writers at once")
        assert len([record for record in caplog.records if "waiting" in record.message]) == 1
        with other.locked():
            other.write([batch(DOSSIERS, {"number": 1})])

    def test_a_lock_is_let_go_where_its_holder_fails(self, warehouse: Warehouse) -> None:
        with pytest.raises(KeyError), warehouse.locked():
            raise KeyError
        with warehouse.locked():
            assert warehouse.table_names() == set()


GEOMETRY = Table(
    "geo", {"dossier_number": INTEGER, "geometry": TEXT}, ("dossier_number",), json=frozenset({"geometry"})
)


def is_free(warehouse: Warehouse) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ds_provider.warehouse.database.locks.PATIENCE_SECONDS", 0.0)
        try:
            with warehouse.locked():
                return True
        except DSWarehouseError:
            return False


def _key(table: Table) -> dict[str, object]:
    return {name: 1 if table.columns[name] == INTEGER else "k" for name in table.key}


def staged(warehouse: Warehouse, table: Table) -> int:
    """How many rows the staging table holds."""
    staging = Warehouse(warehouse.destination, f"{warehouse.dataset}_staging", warehouse._working_folder)
    assert table.name in staging.table_names()
    return staging.read(table, [table.key[0]]).num_rows
