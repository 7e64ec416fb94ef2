"""Building blocks of tables: hard deletes, and texts without the character NUL."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ds_provider.tables.rows.building import hard_delete_dossiers, without_nul
from ds_provider.tables.schemas import CHILD_TABLES, DOSSIERS, ERASED, FICHIERS, Table


@pytest.mark.parametrize("table", [DOSSIERS, *CHILD_TABLES], ids=lambda table: table.name)
def test_hard_delete_needs_only_the_number_of_a_dossier(table: Table) -> None:
    rows = hard_delete_dossiers(table, [1, 2])
    assert rows.schema == table.schema
    assert rows.num_rows == 2 * max(len(table.parts), 1)
    assert set(rows[table.key[0]].to_pylist()) == {1, 2}
    assert rows[ERASED].to_pylist() == [True] * rows.num_rows
    others = [name for name in table.columns if name not in table.key]
    assert all(rows[name].null_count == rows.num_rows for name in others)


def test_hard_delete_covers_each_part_of_a_table() -> None:
    keys = zip(*(hard_delete_dossiers(FICHIERS, [1])[name].to_pylist() for name in FICHIERS.key), strict=True)
    assert sorted(keys) == sorted((1, part) for part in FICHIERS.parts)


def test_hard_delete_covers_wide_tables() -> None:
    wide = Table(
        "demarche_1", {"dossier_number": pa.int64(), "objet": pa.string()}, ("dossier_number",), "objet", unique=True
    )
    assert hard_delete_dossiers(wide, [5]).to_pylist() == [{"dossier_number": 5, "objet": None, ERASED: True}]


TEXTS = [["a\0b", None], [], ["\0", ""], ["c"]]


def test_nul_is_replaced_in_arrays_and_in_chunked_arrays() -> None:
    chunked = pa.chunked_array(TEXTS, pa.string())
    assert without_nul(chunked).to_pylist() == ["a\ufffdb", None, "\ufffd", "", "c"]
    assert [without_nul(chunk).to_pylist() for chunk in chunked.chunks] == [
        ["a\ufffdb", None],
        [],
        ["\ufffd", ""],
        ["c"],
    ]


@pytest.mark.parametrize("texts", [[], [[]], [["a", None], [""]]])
def test_texts_without_nul_are_not_copied(texts: list[list[str | None]]) -> None:
    chunked = pa.chunked_array(texts, pa.string())
    assert without_nul(chunked) is chunked
