"""Rows come back as they landed, or not at all."""

from __future__ import annotations

import gzip
import json

import pytest
from airflow.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from ds_provider.exceptions import DSDestinationError
from ds_provider.landing import iter_rows
from ds_provider.landing import parts as parts_module
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.rows import iter_lines
from tests.support.landing_pages import land, page, zone_at


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "PART_BYTES", 120)
    return land(zone_at(tmp_path), page(1, 2, 3, nom="Zoé\u2028"), page(4)).manifest_url


def part(url: str, at: int) -> ObjectStoragePath:
    return ObjectStoragePath(url).parent / read_manifest(url).parts[at].name


def error_of(url: str) -> DSDestinationError:
    with pytest.raises(DSDestinationError) as caught:
        list(iter_rows(url))
    assert "\n" not in str(caught.value)
    return caught.value


def test_rows_come_part_by_part_in_order(url):
    assert len(read_manifest(url).parts) > 1
    rows = list(iter_rows(url))
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["nom"] == "Zoé\u2028"


@pytest.mark.parametrize("size", range(1, 6))
def test_lines_are_the_rows_in_full_batches_whatever_the_parts(size, url):
    batches = list(iter_lines(url, read_manifest(url).parts, size))
    lines = [line for batch in batches for line in batch]
    assert [json.loads(line) for line in lines] == list(iter_rows(url))
    assert not [line for line in lines if b"\n" in line]
    assert [len(batch) for batch in batches] == [size] * (4 // size) + [4 % size] * (4 % size > 0)


def test_extract_without_rows_has_no_batch(tmp_path):
    url = land(zone_at(tmp_path), page()).manifest_url
    assert list(iter_lines(url, read_manifest(url).parts)) == []


def test_lines_are_read_as_they_are_consumed(url):
    batches = iter_lines(url, read_manifest(url).parts, 2)
    assert len(next(batches)) == 2
    part(url, -1).unlink()
    with pytest.raises(DSDestinationError, match="jsonl"):
        list(batches)


def test_line_that_is_no_json_is_an_error_with_its_part(url):
    first = part(url, 0)
    first.write_bytes(gzip.compress(gzip.decompress(first.read_bytes()).replace(b"{", b"[", 1)))
    assert first.name in str(error_of(url))
    assert len(list(iter_lines(url, read_manifest(url).parts))) == 1


def test_rows_are_read_as_they_are_consumed(url):
    rows = iter_rows(url)
    assert next(rows)["number"] == 1
    part(url, -1).unlink()
    with pytest.raises(DSDestinationError):
        list(rows)


def test_missing_manifest_is_an_error(tmp_path):
    assert "manifest.json" in str(error_of(f"file://{tmp_path}/manifest.json"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"schema_version": ', b"\xff", b'{"rows": "x"}'], ids=repr)
def test_file_that_is_no_manifest_is_an_error(content, tmp_path):
    (tmp_path / "manifest.json").write_bytes(content)
    assert "manifest.json" in str(error_of(f"file://{tmp_path}/manifest.json"))


def test_missing_part_is_named(url):
    missing = part(url, 1)
    missing.unlink()
    assert missing.name in str(error_of(url))


def test_part_cut_anywhere_is_an_error(url):
    last = part(url, -1)
    whole = last.read_bytes()
    for length in range(len(whole)):
        last.write_bytes(whole[:length])
        assert last.name in str(error_of(url))


def test_part_damaged_anywhere_is_an_error(url):
    last = part(url, -1)
    whole = last.read_bytes()
    expected = list(iter_rows(url))
    for at in range(len(whole)):
        last.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            # a few bytes of gzip's header say nothing about the content
            assert list(iter_rows(url)) == expected
        except DSDestinationError as error:
            assert last.name in str(error)  # noqa: PT017 - either outcome is right, a third is not


@pytest.mark.parametrize("wanted", ["manifest.json", "jsonl.gz"])
def test_error_of_the_storage_becomes_one_of_ours(wanted, url, monkeypatch):
    whole_open = LocalFileSystem.open

    def refuse(self, path, *args, **options):
        if path.endswith(wanted):
            raise RuntimeError("of the storage's own kind")
        return whole_open(self, path, *args, **options)

    monkeypatch.setattr(LocalFileSystem, "open", refuse)
    assert "own kind" in str(error_of(url))


@pytest.mark.parametrize("change", [lambda lines: lines[:-1], lambda lines: [*lines, lines[0]]], ids=["fewer", "more"])
def test_part_with_another_count_is_an_error(change, url):
    first = part(url, 0)
    lines = gzip.decompress(first.read_bytes()).splitlines(keepends=True)
    first.write_bytes(gzip.compress(b"".join(change(lines))))
    assert first.name in str(error_of(url))
