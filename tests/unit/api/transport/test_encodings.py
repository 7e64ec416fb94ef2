"""Bodies are decompressed, whoever compressed them, or said to be cut or damaged."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport.encodings import decompress

BODIES = st.binary() | st.text().map(str.encode) | st.integers(0, 20).map(lambda n: b"dossier " * 2**n)


def raw_deflate(body: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(body) + compress.flush()


ENCODINGS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "DEFLATE": raw_deflate}


@pytest.mark.parametrize(("name", "compress"), ENCODINGS.items())
@given(body=BODIES)
def test_compressed_body_is_decompressed(name, compress, body):
    assert decompress(compress(body), f" {name} ") == body


@given(st.lists(BODIES, min_size=1, max_size=5))
def test_each_member_of_a_gzip_body_is_read(bodies):
    assert decompress(b"".join(map(gzip.compress, bodies)), "gzip") == b"".join(bodies)


@pytest.mark.parametrize("end", [b"\0\0\0", b"\n", b"junk"])
def test_bytes_after_the_last_member_are_left_out(end):
    assert decompress(gzip.compress(b"a") + gzip.compress(b"b") + end, "gzip") == b"ab"


def test_encodings_are_undone_from_the_last_to_the_first():
    assert decompress(gzip.compress(zlib.compress(b"body")), "deflate, identity, GZIP") == b"body"


@pytest.mark.parametrize("name", ["", "identity", "br", "zstd", "compress", "utf-8"])
def test_body_of_another_encoding_is_left_in_place(name):
    assert decompress(b"body", name) == b"body"


@pytest.mark.parametrize(("name", "compress"), ENCODINGS.items())
@given(body=BODIES, share=st.floats(0, 1, exclude_max=True))
def test_cut_body_is_an_error(name, compress, body, share):
    whole = compress(body)
    with pytest.raises(ValueError, match=r"cut|damaged"):
        decompress(whole[: int(len(whole) * share)], name)


def test_cut_second_member_is_an_error():
    with pytest.raises(ValueError, match="cut"):
        decompress(gzip.compress(b"a") + gzip.compress(b"b")[:-3], "gzip")


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "deflate"])
def test_body_that_is_not_compressed_is_an_error(name):
    with pytest.raises(ValueError, match=r"cut|damaged"):
        decompress(b'{"data": {}}', name)
