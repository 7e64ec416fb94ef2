from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.schemas import DOSSIERS
from ds_provider.warehouse.versions import HeldVersions, Version

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
INSTANTS = st.integers(0, 10**15)
NUMBERS = st.integers(1, 2**31 - 1)


@given(st.dictionaries(NUMBERS, st.tuples(INSTANTS, INSTANTS), max_size=30), NUMBERS)
def test_held_versions_are_those_of_the_table(held: dict[int, tuple[int, int]], other: int) -> None:
    names = ("number", "date_derniere_modification", "read_at")
    rows = [
        dict(zip(names, (number, *(EPOCH + timedelta(microseconds=one) for one in times)), strict=True))
        for number, times in held.items()
    ]
    schema = pa.schema([(name, DOSSIERS.columns[name]) for name in names])
    versions = HeldVersions(pa.Table.from_pylist(rows, schema=schema))
    assert {number: versions.get(number) for number in held} == {n: Version(*times) for n, times in held.items()}
    assert (other in versions) == (other in held)
    assert all(number in versions for number in held)


def test_version_order_is_by_change_and_then_by_extraction() -> None:
    assert Version(2, 1) > Version(1, 9)
    assert Version(2, 3) > Version(2, 1)
