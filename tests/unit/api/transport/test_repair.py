"""A body that is whole becomes JSON as a whole, and one that was cut stays cut."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ds_provider.api.transport.repair import MAX_DEPTH, Repair, take_marks

VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
# what Python's encoder writes as Ruby and JavaScript would
LOOSE: Any = st.recursive(
    st.floats() | st.text(st.characters(categories=["Cs", "L", "Cc"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_json_stays_as_it_is(value, is_ascii):
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    repair = Repair()
    assert repair.run(body) == body
    assert (repair.repaired, repair.unreadable) == (0, [])


@given(LOOSE, st.booleans())
def test_any_whole_body_becomes_json(value, is_ascii):
    body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    repair = Repair()
    node, repaired, unreadable = take_marks(repair.run(body))
    msgspec.json.decode(node)
    assert (repaired, unreadable) == (repair.repaired, len(repair.unreadable))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
@pytest.mark.parametrize("depth", [MAX_DEPTH, 1200, 5000])
def test_value_that_is_nested_too_deeply_is_unreadable(opening, depth):
    closing = b"]" if opening == b"[" else b"}"
    deep = opening * depth + b"1" + closing * depth
    repair = Repair()
    node, _, unreadable = take_marks(repair.run(b'{"a": [1, "[[{"], "b": %b, "c": "]"}' % deep))
    decoded = msgspec.json.decode(node)
    assert (decoded["a"], decoded["c"]) == ([1, "[[{"], "]")
    assert unreadable == len(repair.unreadable) == 1
    cut = b'{"b": %b' % deep[: depth * len(opening)]
    assert Repair().run(cut) == cut


@given(st.binary(max_size=40), st.binary(max_size=5))
@example(b'\\"', b"")
def test_any_bytes_in_a_text_become_a_text(inner, key):
    inner, key = (part.replace(b'"', b"").replace(b"\\", b"") for part in (inner, key))
    msgspec.json.decode(Repair().run(b'{"%b": "%b"}' % (key, inner)))


@given(LOOSE.filter(lambda value: isinstance(value, list | dict)), st.data())
def test_cut_body_stays_cut(value, data):
    body = json.dumps(value).encode()
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(Repair().run(cut))


def test_text_cut_after_many_quotes_is_read_once():
    cut = b'{"a": "' + b'\\"' * 200_000
    assert Repair().run(cut) == cut


def test_number_out_of_range_is_unreadable_only_where_numbers_are_decoded():
    body = b"[1e999, 1e300, %b]" % (b"9" * 5000)
    decoding, keeping = Repair(), Repair(decodes_numbers=False)
    assert json.loads(decoding.run(body)) == [None, 1e300, None]
    assert len(decoding.unreadable) == 2
    assert keeping.run(body) == body
