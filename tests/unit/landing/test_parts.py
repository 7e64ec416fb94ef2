"""Parts hold every line byte for byte, and their descriptions say what is stored."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.landing import parts as parts_module
from ds_provider.landing.gzip_members import whole_members
from ds_provider.landing.parts import PartWriter
from tests.support.landing_pages import assert_whole, zone_at
from tests.support.storages import bucket_zone, make_faulty

lines = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" "))
pages_of_lines = st.lists(st.lists(lines, max_size=5), max_size=12)


def written(folder, *pages, generation="g"):
    writer = PartWriter(folder, generation)
    for rows in pages:
        writer.write(rows)
    writer.close()
    return writer.parts


@given(pages=pages_of_lines, part_bytes=st.integers(1, 200))
def test_rows_come_back_byte_for_byte_from_parts_that_are_what_they_say(tmp_path_factory, pages, part_bytes):
    zone = zone_at(tmp_path_factory.mktemp("zone"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts_module, "PART_BYTES", part_bytes)
        parts = written(zone, *pages)

    read = []
    for part in parts:
        stored = (zone / part.name).read_bytes()
        assert_whole(part, stored)
        content = gzip.decompress(stored)
        assert content.endswith(b"\n")
        assert content.count(b"\n") == part.rows > 0
        read += content[:-1].split(b"\n")
    assert read == [row for rows in pages for row in rows]
    assert [part.name for part in parts] == [f"g-{i:05d}.jsonl.gz" for i in range(len(parts))]


def test_part_is_closed_after_the_page_that_fills_it(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "PART_BYTES", 10)
    parts = written(zone_at(tmp_path), *[[b"1234"]] * 3, [b"1234"] * 4, [b"1234"])
    assert [part.rows for part in parts] == [2, 5, 1]


def test_parts_on_an_object_store_are_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "PART_BYTES", 20)
    monkeypatch.setattr(parts_module, "REMOTE_PART_BYTES", 10)
    local, remote = (written(zone, *[[b"1234"]] * 8) for zone in (zone_at(tmp_path), bucket_zone("smaller")[0]))
    assert [part.rows for part in local] == [4, 4]
    assert [part.rows for part in remote] == [2] * 4


def test_page_is_on_a_local_disk_once_it_is_written(tmp_path):
    writer = PartWriter(zone_at(tmp_path), "g")
    for rows in ([b"1"], [b"2", b"3"]):
        writer.write(rows)
        with (tmp_path / "g-00000.jsonl.gz").open("rb") as file:
            assert list(whole_members(file.read))[-1].lines == b"".join(row + b"\n" for row in rows)


def test_pages_without_rows_make_no_part(tmp_path):
    assert written(zone_at(tmp_path), [], []) == []
    assert list(tmp_path.iterdir()) == []


def test_same_rows_make_the_same_bytes(tmp_path):
    zone = zone_at(tmp_path)
    one, other = (written(zone, [b"1", b"2"], generation=generation) for generation in "ab")
    assert one[0].sha256 == other[0].sha256
    header = (tmp_path / one[0].name).read_bytes()[:10]
    assert header[3] == 0, "neither a file name nor a comment"
    assert header[4:8] == b"\0\0\0\0", "no time"


def test_part_that_failed_to_take_a_page_is_neither_listed_nor_written_again(tmp_path, monkeypatch):
    zone = zone_at(tmp_path)
    faults = make_faulty(monkeypatch)
    writer = PartWriter(zone, "g")
    writer.write([b"1"])
    faults.arm(0, OSError("no space left"))
    with pytest.raises(OSError, match="no space"):
        writer.write([b"2"])
    faults.disarm()
    writer.write([b"3"])
    writer.close()
    assert [part.name for part in writer.parts] == ["g-00001.jsonl.gz"]
    assert_whole(writer.parts[0], (tmp_path / "g-00001.jsonl.gz").read_bytes())
    with (tmp_path / "g-00000.jsonl.gz").open("rb") as file:
        assert [member.lines for member in whole_members(file.read)] == [b"1\n"]


def test_abort_removes_all_parts_with_those_that_failed(tmp_path, monkeypatch):
    faults = make_faulty(monkeypatch)
    writer = PartWriter(zone_at(tmp_path), "g")
    faults.arm(1, OSError("no space left"))
    with pytest.raises(OSError, match="no space"):
        writer.write([b"1"])
    faults.disarm()
    writer.write([b"2"])
    writer.abort()
    assert list(tmp_path.iterdir()) == []
