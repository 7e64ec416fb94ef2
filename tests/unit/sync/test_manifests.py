from __future__ import annotations

from typing import Any

import pytest

from ds_provider.exceptions import DSConfigurationError
from ds_provider.sync.manifests import manifests_in

DOSSIERS = {"manifest": "file:///a/manifest.json", "rows": 1}
DELETIONS = {"manifest": "file:///b/manifest.json", "manifest_pending": "file:///c/manifest.json"}
URLS = ["file:///a/manifest.json", "file:///b/manifest.json", "file:///c/manifest.json"]


@pytest.mark.parametrize(
    "given",
    [
        [DOSSIERS, DELETIONS],
        [[DOSSIERS], [[DELETIONS]], None],
        URLS,
        (DOSSIERS, URLS[1], URLS[2]),
        '["file:///a/manifest.json", "file:///b/manifest.json", "file:///c/manifest.json"]',
        iter([DOSSIERS, DELETIONS]),
    ],
)
def test_manifests_are_found_in_any_nesting_of_summaries_and_urls(given: Any) -> None:
    assert list(manifests_in(given)) == URLS


@pytest.mark.parametrize("nothing", [None, [], [[], None]])
def test_empty_values_hold_no_manifest(nothing: Any) -> None:
    assert list(manifests_in(nothing)) == []


@pytest.mark.parametrize(
    "given", [7, {"rows": 1}, [DOSSIERS, 3.5], "{'manifest': 'x'}", "", "None", [DOSSIERS, "None"], {"manifest": None}]
)
def test_other_values_are_refused_in_one_line(given: Any) -> None:
    with pytest.raises(DSConfigurationError, match="manifests must be what the extract operators return") as raised:
        list(manifests_in(given))
    assert "\n" not in str(raised.value)
