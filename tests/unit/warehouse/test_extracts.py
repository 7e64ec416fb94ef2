"""Extracts: their lines, all of them or by position."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.landing import parts as parts_module
from ds_provider.landing.manifest import MANIFEST
from ds_provider.warehouse import extracts as extracts_module
from ds_provider.warehouse.extracts import LandedExtract, open_extracts
from tests.support.landing_pages import land, page, zone_at

ROWS = 10


@pytest.fixture
def extract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LandedExtract:
    """Return an extract of several parts."""
    monkeypatch.setattr(parts_module, "PART_BYTES", 120)
    url = land(zone_at(tmp_path), *(page(number, number + 1) for number in range(0, ROWS, 2))).manifest_url
    (extract,) = open_extracts([url, url]).dossiers
    assert len(extract.manifest.parts) > 2
    return extract


def all_lines(extract: LandedExtract) -> list[bytes]:
    return list(chain.from_iterable(extract.lines()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(indexes=st.sets(st.integers(0, ROWS - 1)), batch=st.integers(1, 4))
def test_lines_at_returns_the_lines_of_these_positions(extract: LandedExtract, indexes: set[int], batch: int) -> None:
    lines = all_lines(extract)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extracts_module, "BATCH", batch)
        batches = list(extract.lines_at(sorted(indexes)))
    assert list(chain.from_iterable(batches)) == [lines[index] for index in sorted(indexes)]
    assert all(len(each) == batch for each in batches[:-1])


def test_lines_at_opens_only_parts_with_a_wanted_line(extract: LandedExtract) -> None:
    lines = all_lines(extract)
    for part in extract.manifest.parts[1:]:
        (ObjectStoragePath(extract.url).parent / part.name).unlink()
    assert list(extract.lines_at([0])) == [[lines[0]]]
    assert list(extract.lines_at([])) == []
    with pytest.raises(DSDestinationError, match="cannot be read"):
        list(extract.lines_at([0, ROWS - 1]))


def test_open_extracts_refuses_a_stream_without_a_table(extract: LandedExtract) -> None:
    manifest = ObjectStoragePath(extract.url)
    assert manifest.name == MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'"stream": "dossiers"', b'"stream": "demarches"'))
    with pytest.raises(DSConfigurationError, match="demarches"):
        open_extracts([extract.url])
