"""A part that was cut or damaged anywhere yields every page before that place, whole, and nothing else."""

from __future__ import annotations

import gzip
import io
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.landing import gzip_members as members
from ds_provider.landing.gzip_members import pack, whole_members

row = st.binary(max_size=200).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" "))
pages = st.lists(st.lists(row, min_size=1, max_size=8).map(pack), min_size=1, max_size=6)


def read(stored: bytes) -> list[members.Member]:
    return list(whole_members(io.BytesIO(stored).read))


def joined(packed: list[members.Member]) -> bytes:
    return b"".join(member.stored for member in packed)


@given(st.lists(row, min_size=1, max_size=20))
def test_page_comes_back_byte_for_byte(rows):
    member = pack(rows)
    assert member.lines == b"".join(line + b"\n" for line in rows) == gzip.decompress(member.stored)
    assert member.rows == len(rows)


@given(pages)
def test_members_in_a_row_are_one_file_for_any_reader(packed):
    assert gzip.decompress(joined(packed)) == b"".join(member.lines for member in packed)
    assert read(joined(packed)) == packed


@given(pages, st.integers(1, 40))
def test_members_are_found_whatever_pieces_the_file_comes_in(packed, size):
    file = io.BytesIO(joined(packed))
    assert list(whole_members(lambda asked: file.read(min(size, asked)))) == packed


@given(pages, st.data())
def test_file_cut_anywhere_yields_each_page_before_the_cut(packed, data):
    stored = joined(packed)
    length = data.draw(st.integers(0, len(stored)))
    ends = list(accumulate(len(member.stored) for member in packed))
    assert read(stored[:length]) == packed[: sum(end <= length for end in ends)]


@given(pages, st.data())
def test_file_damaged_anywhere_yields_each_page_before_the_damage_and_no_wrong_row(packed, data):
    stored = joined(packed)
    at = data.draw(st.integers(0, len(stored) - 1))
    flipped = stored[at] ^ data.draw(st.integers(1, 255))
    found = read(stored[:at] + bytes([flipped]) + stored[at + 1 :])
    ends = list(accumulate(len(member.stored) for member in packed))
    assert len(found) >= sum(end <= at for end in ends)
    assert [member.lines for member in found] == [member.lines for member in packed[: len(found)]]


@given(pages, st.binary(min_size=1, max_size=50).filter(lambda rest: not rest.startswith(b"\x1f")))
def test_trailing_bytes_that_are_no_page_are_ignored(packed, rest):
    assert read(joined(packed) + rest) == packed
