"""Parts hold every line byte for byte, and their descriptions tell what is stored."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.landing import parts as parts_module
from ds_provider.landing.parts import PartWriter
from tests.unit.landing.pages import assert_whole, zone_at

lines = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" "))


def written(folder, rows, generation="g"):
    writer = PartWriter(folder, generation)
    writer.write(rows)
    writer.close()
    return writer.parts


@given(rows=st.lists(lines, max_size=30), part_bytes=st.integers(1, 200))
def test_rows_come_back_byte_for_byte_from_parts_that_are_what_they_say(tmp_path_factory, rows, part_bytes):
    zone = zone_at(tmp_path_factory.mktemp("zone"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts_module, "PART_BYTES", part_bytes)
        parts = written(zone, rows)

    read = []
    for part in parts:
        stored = (zone / part.name).read_bytes()
        assert_whole(part, stored)
        content = gzip.decompress(stored)
        assert content.endswith(b"\n")
        assert content.count(b"\n") == part.rows > 0
        read += content[:-1].split(b"\n")
    assert read == rows
    assert [part.name for part in parts] == [f"g-{i:05d}.jsonl.gz" for i in range(len(parts))]


def test_a_part_is_closed_once_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "PART_BYTES", 10)
    parts = written(zone_at(tmp_path), [b"1234"] * 5)
    assert [part.rows for part in parts] == [2, 2, 1]


def test_a_part_goes_on_from_page_to_page(tmp_path):
    writer = PartWriter(zone_at(tmp_path), "g")
    writer.write([b"1"])
    writer.write([b"2"])
    writer.close()
    assert [part.rows for part in writer.parts] == [2]


def test_no_row_is_no_part(tmp_path):
    assert written(zone_at(tmp_path), []) == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_make_the_same_bytes(tmp_path):
    one, other = written(zone_at(tmp_path), [b"1", b"2"], "a"), written(zone_at(tmp_path), [b"1", b"2"], "b")
    assert one[0].sha256 == other[0].sha256
    header = (tmp_path / one[0].name).read_bytes()[:10]
    assert header[3] == 0, "neither a file name nor a comment"
    assert header[4:8] == b"\0\0\0\0", "no time"
