"""Names of indexes stay unique although the database cuts them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.warehouse.database.names import MAX_BYTES, cut, index_name

names = st.text(min_size=1, max_size=80) | st.builds("{}{}".format, st.sampled_from(["d" * 60, "é" * 40]), st.text())


@given(st.sets(names, max_size=20))
def test_cut_names_are_short_and_differ(found: set[str]) -> None:
    shortened = {cut(name) for name in found}
    assert len(shortened) == len(found)
    assert all(len(name.encode()) <= MAX_BYTES for name in shortened)


def test_short_name_stays_as_it_is() -> None:
    assert cut("é" * 31) == "é" * 31


def test_indexes_of_long_tables_with_one_beginning_differ() -> None:
    tables = ["demarche_2147483647_annotations_" + "x" * 29 + end for end in ("", "_2", "y")]
    assert len({index_name(table, "number") for table in tables}) == 3


def test_index_is_named_as_no_table_and_as_no_index_of_another_column() -> None:
    assert index_name("demarche_1", "number") == "idx_demarche_1__number"
    assert index_name("a_b", "c") != index_name("a", "b_c")
