"""Cases of a warehouse, for the tests of each database. These provide the fixture ``warehouse``, an empty one."""

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
    DOSSIER_COLUMNS,
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
from ds_provider.warehouse.load.loader import load
from ds_provider.warehouse.load.report import Policy
from tests.support.warehouse_life import Landed, World
from tests.support.warehouse_rows import batch, hard_delete, rows_of

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
    def test_missing_table_reads_as_empty(self, warehouse: Warehouse) -> None:
        columns = ["number", "date_depot", "archived"]
        read = warehouse.read(DOSSIERS, columns)
        assert read.num_rows == 0
        assert read.schema == pa.schema([(name, DOSSIERS.columns[name]) for name in columns])
        assert warehouse.table_names() == set()

    def test_empty_write_starts_no_run(self, warehouse: Warehouse) -> None:
        warehouse.write([])
        warehouse.write([batch(DOSSIERS)])
        assert warehouse.table_names() == set()

    def test_row_replaces_the_one_with_its_key(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1, "state": "a"}, {"number": 2, "state": "b"})])
        warehouse.write([batch(DOSSIERS, {"number": 2, "state": "c"}, {"number": 3})])
        assert rows_of(warehouse, DOSSIERS, "number", "state") == [(1, "a"), (2, "c"), (3, None)]

    def test_child_rows_replace_all_those_of_their_dossier(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(MESSAGE_ROWS, *({"dossier_number": d, "id": i} for d in (1, 2) for i in "abc"))])
        warehouse.write([batch(MESSAGE_ROWS, {"dossier_number": 1, "id": "d"}, {"dossier_number": 1, "id": "d"})])
        rows = rows_of(warehouse, MESSAGE_ROWS, "dossier_number", "id")
        assert rows == [(1, "d"), (1, "d"), (2, "a"), (2, "b"), (2, "c")]

    def test_part_of_a_dossier_leaves_other_parts_unchanged(self, warehouse: Warehouse) -> None:
        rows = [{"dossier_number": 1, "part": part, "filename": "old"} for part in (CHAMPS, ATTESTATION)]
        warehouse.write([batch(FICHIERS, *rows)])
        warehouse.write([hard_delete(FICHIERS, dossier_number=1, part=CHAMPS)])
        assert rows_of(warehouse, FICHIERS, "part", "filename") == [(ATTESTATION, "old")]

    def test_key_of_two_texts_names_one_row(self, warehouse: Warehouse) -> None:
        names = [{"relation": "demarche_1", "column_name": name, "label": "old"} for name in ("a", "b")]
        warehouse.write([batch(CHAMP_COLUMNS, *names)])
        warehouse.write([batch(CHAMP_COLUMNS, {**names[0], "label": "new"})])
        assert rows_of(warehouse, CHAMP_COLUMNS, "column_name", "label") == [("a", "new"), ("b", "old")]

    def test_hard_delete_row_removes_its_key_and_is_not_stored(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}, {"number": 2}), batch(MESSAGE_ROWS, {"dossier_number": 1})])
        warehouse.write(
            [
                hard_delete(DOSSIERS, number=1),
                hard_delete(MESSAGE_ROWS, dossier_number=1),
                hard_delete(DOSSIERS, number=9),
            ]
        )
        assert rows_of(warehouse, DOSSIERS, "number") == [(2,)]
        assert rows_of(warehouse, MESSAGE_ROWS, "dossier_number") == []

    def test_hard_delete_row_in_a_missing_table_is_no_error(self, warehouse: Warehouse) -> None:
        warehouse.write([hard_delete(MESSAGE_ROWS, dossier_number=1)])
        assert rows_of(warehouse, MESSAGE_ROWS, "dossier_number") == []

    def test_rows_with_the_key_of_a_hard_delete_row_are_loaded(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(MESSAGE_ROWS, {"dossier_number": 1, "id": "old"})])
        warehouse.write(
            [batch(MESSAGE_ROWS, {"dossier_number": 1, "id": "new"}), hard_delete(MESSAGE_ROWS, dossier_number=1)]
        )
        assert rows_of(warehouse, MESSAGE_ROWS, "id") == [("new",)]

    def test_batches_in_any_order_are_one_load(self, warehouse: Warehouse) -> None:
        pairs = [batch(table, {table.key[0]: number}) for number in range(5) for table in (DOSSIERS, CHAMP_ROWS)]
        warehouse.write(iter(pairs))
        for table in (DOSSIERS, CHAMP_ROWS):
            assert rows_of(warehouse, table, table.key[0]) == [(number,) for number in range(5)]

    def test_same_write_again_changes_nothing(self, warehouse: Warehouse) -> None:
        for _ in range(3):
            warehouse.write([batch(DOSSIERS, {"number": 1}), batch(MESSAGE_ROWS, *[{"dossier_number": 1}] * 2)])
        assert len(rows_of(warehouse, DOSSIERS, "number")) == 1
        assert len(rows_of(warehouse, MESSAGE_ROWS, "dossier_number")) == 2

    def test_texts_come_back_unchanged_and_only_null_is_null(self, warehouse: Warehouse) -> None:
        rows = [{"dossier_number": number, "string_value": text} for number, text in enumerate([*TEXTS, None])]
        warehouse.write([batch(CHAMP_ROWS, *rows)])
        assert rows_of(warehouse, CHAMP_ROWS, *rows[0]) == [tuple(row.values()) for row in rows]

    @pytest.mark.parametrize("column", VALUES)
    def test_values_come_back_unchanged(self, warehouse: Warehouse, column: str) -> None:
        rows = [{"dossier_number": number, column: value} for number, value in enumerate([*VALUES[column], None])]
        warehouse.write([batch(CHAMP_ROWS, *rows)])
        assert rows_of(warehouse, CHAMP_ROWS, *rows[0]) == [tuple(row.values()) for row in rows]

    def test_json_comes_back_unchanged(self, warehouse: Warehouse) -> None:
        rows = [{"dossier_number": number, "json_value": json.dumps(value)} for number, value in enumerate(DOCUMENTS)]
        warehouse.write([batch(CHAMP_ROWS, *rows, {"dossier_number": len(rows)})])
        texts = [text for _, text in rows_of(warehouse, CHAMP_ROWS, *rows[0])]
        assert texts.pop() is None
        assert [json.loads(text) for text in texts] == DOCUMENTS

    def test_columns_without_values_have_their_types(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(table, _key(table)) for table in TABLES])
        assert warehouse.table_names() == {table.name for table in TABLES}
        for table in TABLES:
            wanted = pa.schema(list(table.columns.items()))
            assert warehouse.read(table, list(table.columns)).schema == wanted
            # the types that the database itself has
            plain = [name for name in table.columns if name not in table.json]
            with warehouse.connected() as client:
                own = pa.concat_tables(client.select(table, plain, None)).schema
            assert own == pa.schema([wanted.field(name) for name in plain])

    def test_values_in_a_column_of_nulls_keep_their_type(self, warehouse: Warehouse) -> None:
        row = {"dossier_number": 1}
        warehouse.write([batch(CHAMP_ROWS, row)])
        row |= {"timestamp_value": NOW, "date_value": NOW.date(), "decimal_value": 1.5, "prefilled": True}
        warehouse.write([batch(CHAMP_ROWS, row)])
        assert warehouse.read(CHAMP_ROWS, list(row)).to_pylist() == [row]

    def test_new_column_is_null_in_older_rows(self, warehouse: Warehouse) -> None:
        wide = Table("demarche_1", {"dossier_number": INTEGER, "nom": TEXT}, ("dossier_number",), "nom", unique=True)
        wider = replace(wide, columns={**wide.columns, "le": INSTANT, "reponse": TEXT}, json=("reponse",))
        warehouse.write([batch(wide, {"dossier_number": 1, "nom": "a"})])
        assert warehouse.read(wider, ["dossier_number", "le"]).to_pylist() == [{"dossier_number": 1, "le": None}]
        warehouse.write([batch(wider, {"dossier_number": 2, "nom": "b", "le": NOW, "reponse": "{}"})])
        rows = rows_of(warehouse, wider, "dossier_number", "nom", "le", "reponse")
        assert rows == [(1, "a", None, None), (2, "b", NOW, "{}")]

    def test_missing_column_stays_and_is_null(self, warehouse: Warehouse) -> None:
        wide = Table(
            "demarche_1",
            {"dossier_number": INTEGER, "nom": TEXT, "age": INTEGER},
            ("dossier_number",),
            "dossier_number",
        )
        narrow = replace(wide, columns={"dossier_number": INTEGER, "age": INTEGER})
        warehouse.write([batch(wide, *({"dossier_number": number, "nom": "a"} for number in (1, 2)))])
        warehouse.write([batch(narrow, {"dossier_number": 2, "age": 3})])
        assert rows_of(warehouse, wide, "dossier_number", "nom", "age") == [(1, "a", None), (2, None, 3)]

    def test_batches_of_one_table_may_have_different_columns(self, warehouse: Warehouse) -> None:
        wide = Table("demarche_1", {"dossier_number": INTEGER, "a": TEXT}, ("dossier_number",), "a")
        wider = replace(wide, columns={"dossier_number": INTEGER, "b": TEXT, "a": TEXT})
        warehouse.write(
            [
                batch(wide, {"dossier_number": 1, "a": "x"}),
                batch(wider, {"dossier_number": 2, "a": "y", "b": "z"}),
                (wider, pa.table({"a": ["w"], "dossier_number": [3]})),
            ]
        )
        assert rows_of(warehouse, wider, "dossier_number", "a", "b") == [(1, "x", None), (2, "y", "z"), (3, "w", None)]

    def test_names_stay_unchanged(self, warehouse: Warehouse) -> None:
        name = "demarche_1_" + "d" * 40 + "__x_"
        columns = {"dossier_number": INTEGER, "c" * 60: TEXT, "_a__b_1_": TEXT, "select": TEXT}
        warehouse.write(
            [batch(Table(name, columns, ("dossier_number",), "dossier_number"), {"dossier_number": 1, "select": "s"})]
        )
        assert name in warehouse.table_names()
        read = warehouse.read(Table(name, columns, ("dossier_number",), "dossier_number"), list(columns))
        assert read.to_pylist() == [dict.fromkeys(columns) | {"dossier_number": 1, "select": "s"}]

    def test_read_returns_only_the_requested_rows_and_columns(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, *({"number": number, "state": "s%" * number} for number in range(4)))])
        read = warehouse.read(DOSSIERS, ["state", "number"], where="number > 1 AND state LIKE '%s%'")
        assert sorted(read["number"].to_pylist()) == [2, 3]
        assert read.column_names == ["state", "number"]

    def test_large_table_is_read_completely(self, warehouse: Warehouse) -> None:
        count = 250_000
        rows = pa.table({"number": pa.array(range(count), pa.int64())})
        warehouse.write((DOSSIERS, rows.slice(start, 50_000)) for start in range(0, count, 50_000))
        assert sorted(warehouse.read(DOSSIERS, ["number"])["number"].to_pylist()) == list(range(count))

    def test_statements_use_qualified_names(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}, {"number": 2})])
        warehouse.execute(f"UPDATE {warehouse.qualified('dossiers')} SET deletion_stage = 'pending' WHERE number = 1")
        assert rows_of(warehouse, DOSSIERS, "number", "deletion_stage") == [(1, "pending"), (2, None)]

    def test_load_leaves_nothing_that_only_it_needs(self, warehouse: Warehouse) -> None:
        world = World()
        for number in (1, 2, 3):
            world.play("deposit", number, 10)
        load(warehouse, world.read(10), Policy())
        world.play("purge", 2, 10)
        world.play("move", 1, 20)
        (moved,) = world.read(20).dossiers
        assert isinstance(moved, Landed)
        unread = [json.dumps({**json.loads(row), "champs": None, "annotations": None}).encode() for row in moved.rows]
        load(warehouse, replace(world.read(10), dossiers=[replace(moved, rows=tuple(unread))]), Policy())
        for name in warehouse.table_names():
            assert not [column for column in warehouse.columns_of(name) if column.startswith("_")], name
        wide = Table("demarche_12", {**DOSSIER_COLUMNS, "nom": TEXT}, ("number",), "state", unique=True)
        dossiers = rows_of(warehouse, DOSSIERS, *DOSSIER_COLUMNS)
        assert rows_of(warehouse, wide, *DOSSIER_COLUMNS) == dossiers
        assert [row[:3] for row in dossiers] == [(1, "en_construction", 20), (3, "en_construction", 10)]
        assert rows_of(warehouse, wide, "number", "nom") == [(1, "secret-1-0"), (3, "secret-3-0")]

    def test_table_names_are_those_of_the_dataset(self, warehouse: Warehouse) -> None:
        other = Warehouse(warehouse.destination, "another", warehouse._working_folder)
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        other.write([batch(MESSAGE_ROWS, {"dossier_number": 1})])
        assert warehouse.table_names() == {"dossiers"}
        assert other.table_names() == {"messages"}

    def test_create_indexes_ignores_existing_indexes_and_missing_tables(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        warehouse.create_indexes(TABLES)
        warehouse.create_indexes(TABLES)
        warehouse.write([batch(DOSSIERS, {"number": 1, "state": "s"})])
        assert rows_of(warehouse, DOSSIERS, "number", "state") == [(1, "s")]

    def test_write_leaves_no_copy_in_the_staging_tables(self, warehouse: Warehouse) -> None:
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

    def test_write_empties_staging_tables_of_a_killed_run(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(MESSAGE_ROWS, {"dossier_number": 1})])
        staging = Warehouse(warehouse.destination, f"{warehouse.dataset}_staging", warehouse._working_folder)
        staging.execute(f"INSERT INTO {staging.qualified('messages')} (dossier_number, body) VALUES (1, 'secret')")
        assert staged(warehouse, MESSAGE_ROWS) == 1
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        assert staged(warehouse, MESSAGE_ROWS) == 0

    def test_write_leaves_no_row_in_the_working_folder(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        with pytest.raises(DSWarehouseError):
            warehouse.write([batch(GEOMETRY, {"dossier_number": 1, "geometry": "no JSON"})])
        assert list(warehouse._working_folder.iterdir()) == []

    def test_error_shows_no_value_of_a_row(self, warehouse: Warehouse) -> None:
        with pytest.raises(DSWarehouseError) as failure:
            warehouse.write([batch(GEOMETRY, {"dossier_number": 1, "geometry": 'Jean "Valjean" 24601'})])
        assert "written" in str(failure.value)
        assert "Valjean" not in str(failure.value)
        assert "24601" not in str(failure.value)

    def test_error_in_the_rows_comes_through_and_nothing_is_merged(self, warehouse: Warehouse) -> None:
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

    def test_dropped_table_comes_back(self, warehouse: Warehouse) -> None:
        for _ in range(2):
            warehouse.write([batch(DOSSIERS, {"number": 1})])
            warehouse.execute(f"DROP TABLE {warehouse.qualified('dossiers')}")
            assert warehouse.table_names() == set()
        warehouse.write([batch(DOSSIERS, {"number": 1})])
        assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]

    def test_refused_statement_is_a_clear_error(self, warehouse: Warehouse) -> None:
        with pytest.raises(DSWarehouseError, match="nowhere"):
            warehouse.execute("SELECT 1 FROM nowhere")

    def test_methods_share_the_connection_that_is_kept(self, warehouse: Warehouse) -> None:
        with warehouse.connected() as client:
            assert warehouse.table_names() == set()
            warehouse.write([batch(DOSSIERS, {"number": 1})])
            assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]
            with warehouse.connected() as again:
                assert again is client
            warehouse.execute(f"UPDATE {warehouse.qualified('dossiers')} SET state = 's'")
        assert rows_of(warehouse, DOSSIERS, "state") == [("s",)]

    def test_kept_connection_lets_other_errors_through(self, warehouse: Warehouse) -> None:
        with pytest.raises(KeyError), warehouse.connected():
            raise KeyError
        assert warehouse.table_names() == set()

    def test_lock_holder_may_write_and_read(self, warehouse: Warehouse) -> None:
        with warehouse.locked():
            warehouse.write([batch(DOSSIERS, {"number": 1})])
            assert rows_of(warehouse, DOSSIERS, "number") == [(1,)]
        with warehouse.locked():
            assert warehouse.table_names() == {"dossiers"}

    def test_rows_may_be_read_from_the_warehouse_during_a_write(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}, {"number": 2})])

        def rows():
            for number in warehouse.read(DOSSIERS, ["number"])["number"].to_pylist():
                yield batch(MESSAGE_ROWS, {"dossier_number": number})
                assert warehouse.read(DOSSIERS, ["number"], f"number = {number}").num_rows == 1
                yield hard_delete(DOSSIERS, number=number)

        warehouse.write(rows())
        assert rows_of(warehouse, MESSAGE_ROWS, "dossier_number") == [(1,), (2,)]
        assert rows_of(warehouse, DOSSIERS, "number") == []

    def test_lock_may_be_entered_again_by_its_holder(self, warehouse: Warehouse) -> None:
        with warehouse.locked():
            with warehouse.locked():
                pass
            other = Warehouse(warehouse.destination, warehouse.dataset, warehouse._working_folder)
            assert not is_free(other)
        assert is_free(other)

    def test_second_writer_waits_and_gives_up(self, warehouse, monkeypatch, caplog) -> None:
        monkeypatch.setattr("ds_provider.warehouse.database.locks.TIMEOUT_SECONDS", 0.3)
        monkeypatch.setattr("ds_provider.warehouse.database.locks.MAX_POLL_SECONDS", 0.1)
        other = Warehouse(warehouse.destination, warehouse.dataset, warehouse._working_folder)
        refused = pytest.raises(DSWarehouseError, match="in use by another task")
        with caplog.at_level("INFO"), warehouse.locked(), refused, other.locked():
            pytest.fail("two writers at once")
        assert len([record for record in caplog.records if "waiting" in record.message]) == 1
        with other.locked():
            other.write([batch(DOSSIERS, {"number": 1})])

    def test_lock_is_released_if_its_holder_fails(self, warehouse: Warehouse) -> None:
        with pytest.raises(KeyError), warehouse.locked():
            raise KeyError
        with warehouse.locked():
            assert warehouse.table_names() == set()


GEOMETRY = Table(
    "geo", {"dossier_number": INTEGER, "geometry": TEXT}, ("dossier_number",), "dossier_number", json=("geometry",)
)


def is_free(warehouse: Warehouse) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ds_provider.warehouse.database.locks.TIMEOUT_SECONDS", 0.0)
        try:
            with warehouse.locked():
                return True
        except DSWarehouseError:
            return False


def _key(table: Table) -> dict[str, object]:
    return {name: 1 if table.columns[name] == INTEGER else "k" for name in table.key}


def staged(warehouse: Warehouse, table: Table) -> int:
    """Return the number of rows in the staging table."""
    staging = Warehouse(warehouse.destination, f"{warehouse.dataset}_staging", warehouse._working_folder)
    assert table.name in staging.table_names()
    return staging.read(table, [table.key[0]]).num_rows
